"""Months by their numbers, 1 to 12."""

from calendry.leap import is_leap_year

LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
NAMES = "January February March April May June July August September October November December"


def days_in_month(year: int, month: int) -> int:
    """Return the number of days of a month."""
    if not 1 <= month <= 12:
        raise ValueError(f"no such month: {month}")
    if month == 2 and is_leap_year(year):
        return 29
    return LENGTHS[month - 1]


def month_name(month: int) -> str:
    """Return the English name of a month."""
    if not 1 <= month <= 12:
        raise ValueError(f"no such month: {month}")
    return NAMES.split()[month - 1]
