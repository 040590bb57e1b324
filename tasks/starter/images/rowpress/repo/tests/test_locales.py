from decimal import Decimal

import pytest

from rowpress import UnknownLocale
from rowpress.locales import locale_named, written


def test_numbers_are_written_as_in_the_place():
    assert written(Decimal("1234567.5"), 2, locale_named("en")) == "1,234,567.50"
    assert written(Decimal("1234567.5"), 2, locale_named("de_AT")) == "1.234.567,50"


def test_halves_are_rounded_away_from_zero():
    assert written(Decimal("2.5"), 0, locale_named("en")) == "3"
    assert written(Decimal("-2.5"), 0, locale_named("en")) == "-3"


def test_unknown_locale():
    with pytest.raises(UnknownLocale):
        locale_named("tlh")
