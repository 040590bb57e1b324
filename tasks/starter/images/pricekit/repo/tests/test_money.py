import pytest

from pricekit.changes import percent_change, percent_of
from pricekit.prices import discounted, total, with_tax
from pricekit.savings import compound_interest, simple_interest


def test_no_discount():
    assert discounted(80, 0) == 80


def test_tax():
    assert with_tax(200, 10) == 220


def test_total():
    assert total([2, 5], [3, 1]) == 11
    with pytest.raises(ValueError):
        total([2], [])


def test_one_year():
    assert simple_interest(1000, 5, 1) == 1050
    assert compound_interest(1000, 5, 1) == pytest.approx(1050)


def test_percentages():
    assert percent_of(1, 4) == 25
    assert percent_change(40, 40) == 0
