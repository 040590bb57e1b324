"""Leap years of the Gregorian calendar."""


def is_leap_year(year: int) -> bool:
    """Tell whether a year has a 29th of February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_year(year: int) -> int:
    """Return 365, or 366 for a leap year."""
    return 366 if is_leap_year(year) else 365
