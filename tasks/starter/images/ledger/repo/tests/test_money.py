from decimal import Decimal

import pytest

from ledger import Amount, CurrencyMismatch, InvalidAmount


def test_parse_reads_number_and_currency():
    assert Amount.parse("12.50 EUR") == Amount(Decimal("12.50"), "EUR")


def test_parse_ignores_space_around_and_case():
    assert Amount.parse("  -3 usd ") == Amount(Decimal(-3), "USD")


def test_parse_refuses_text():
    with pytest.raises(InvalidAmount):
        Amount.parse("a lot EUR")


def test_amounts_of_one_currency_add_up():
    assert Amount.parse("1.10 EUR") + Amount.parse("2.20 EUR") == Amount.parse("3.30 EUR")


def test_currencies_do_not_mix():
    with pytest.raises(CurrencyMismatch):
        Amount.parse("1 EUR") + Amount.parse("1 USD")


def test_str_groups_thousands():
    assert str(Amount(Decimal("1250"), "EUR")) == "1,250.00 EUR"


def test_split_evenly():
    assert Amount.parse("9 EUR").split(3) == [Amount.parse("3.00 EUR")] * 3
