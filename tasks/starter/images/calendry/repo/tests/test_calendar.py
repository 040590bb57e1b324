from datetime import date

import pytest

from calendry.leap import days_in_year, is_leap_year
from calendry.months import days_in_month, month_name
from calendry.weekdays import is_weekend, weekday_name


def test_every_fourth_year():
    assert is_leap_year(2024)
    assert not is_leap_year(2023)


def test_length_of_a_year():
    assert days_in_year(2023) == 365
    assert days_in_year(2024) == 366


def test_length_of_a_month():
    assert days_in_month(2023, 2) == 28
    assert days_in_month(2024, 2) == 29
    assert days_in_month(2024, 4) == 30


def test_month_out_of_range():
    with pytest.raises(ValueError):
        days_in_month(2024, 13)


def test_names():
    assert month_name(10) == "October"
    assert weekday_name(date(2024, 1, 1)) == "Monday"


def test_weekend():
    assert is_weekend(date(2024, 1, 6))
    assert not is_weekend(date(2024, 1, 5))
