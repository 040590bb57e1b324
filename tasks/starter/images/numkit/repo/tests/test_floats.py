import pytest

from numkit.averages import mean, median
from numkit.convert import celsius_to_fahrenheit, miles_to_km
from numkit.limits import clamp, round_to


def test_mean():
    assert mean([1, 2, 6]) == 3


def test_median_is_the_middle_number():
    assert median([3, 1, 2]) == 2


def test_no_numbers():
    with pytest.raises(ValueError):
        median([])


def test_freezing_point():
    assert celsius_to_fahrenheit(0) == 32


def test_marathon():
    assert round(miles_to_km(26.2), 2) == 42.16


def test_limits():
    assert clamp(11, 0, 10) == 10
    assert clamp(-1, 0, 10) == 0
    assert round_to(17, 5) == 15
