"""How numbers and days are written in different places."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from rowpress.errors import UnknownLocale


@dataclass(frozen=True)
class Locale:
    """The marks in a number, and the order in a day (as for strftime)."""

    point: str
    thousands: str
    day: str


LOCALES = {
    "en": Locale(point=".", thousands=",", day="%Y-%m-%d"),
    "de": Locale(point=",", thousands=".", day="%d.%m.%Y"),
    "fr": Locale(point=",", thousands="\u202f", day="%d/%m/%Y"),
    "sv": Locale(point=",", thousands="\u00a0", day="%Y-%m-%d"),
}


def locale_named(code: str) -> Locale:
    """The locale of a code such as `de` or `de_AT`. Raises UnknownLocale."""
    language = code.replace("-", "_").partition("_")[0].lower()
    if language not in LOCALES:
        raise UnknownLocale(code)
    return LOCALES[language]


def written(number: Decimal, digits: int, locale: Locale) -> str:
    """A number with so many decimal digits; halves are rounded away from zero."""
    rounded = number.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    whole, _, rest = f"{rounded:,f}".partition(".")
    whole = whole.replace(",", locale.thousands)
    return f"{whole}{locale.point}{rest}" if rest else whole
