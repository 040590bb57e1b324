import pytest

from numkit.divisors import gcd, lcm
from numkit.primes import is_prime, primes_up_to
from numkit.roman import to_roman


def test_small_primes():
    assert primes_up_to(3) == [2, 3]


def test_not_primes():
    assert not is_prime(1)
    assert not is_prime(12)


def test_divisors():
    assert gcd(12, 18) == 6
    assert lcm(4, 6) == 12
    assert lcm(0, 6) == 0


def test_roman():
    assert to_roman(14) == "XIV"
    assert to_roman(2023) == "MMXXIII"


def test_no_roman_zero():
    with pytest.raises(ValueError):
        to_roman(0)
