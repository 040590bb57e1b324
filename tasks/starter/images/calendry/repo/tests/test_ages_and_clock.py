from datetime import date

from calendry.ages import age, born_before
from calendry.clock import format_duration, parse_clock


def test_age_after_the_birthday():
    assert age(date(1990, 5, 17), date(2024, 6, 1)) == 34


def test_age_before_the_birthday():
    assert age(date(1990, 5, 17), date(2024, 5, 1)) == 33


def test_older():
    assert born_before(date(1990, 5, 17), date(1991, 1, 1))


def test_short_durations():
    assert format_duration(0) == "00:00:00"
    assert format_duration(95) == "00:01:35"


def test_clock():
    assert parse_clock("14:30") == 52200
