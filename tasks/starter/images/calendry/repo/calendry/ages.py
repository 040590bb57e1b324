"""Ages in whole years."""

from datetime import date


def age(birthday: date, today: date) -> int:
    """Return the age in years of someone born on `birthday`."""
    years = today.year - birthday.year
    if (today.month, today.day) < (birthday.month, birthday.day):
        years -= 1
    return years


def born_before(first: date, second: date) -> bool:
    """Tell whether the first birthday makes someone older than the second."""
    return first < second
