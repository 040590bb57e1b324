"""Kinds of cells that hold numbers. All of them are aligned to the right."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from rowpress.kinds import Kind
from rowpress.locales import Locale, written


class Whole(Kind):
    """A whole number."""

    name = "whole"
    align = ">"

    def read(self, text: str) -> int:
        return int(text)

    def show(self, value: object, locale: Locale) -> str:
        return written(Decimal(value), 0, locale)


class Decimals(Kind):
    """A number that is printed with a fixed number of decimal digits."""

    name = "decimal"
    align = ">"

    def __init__(self, digits: int = 2) -> None:
        self.digits = digits

    def read(self, text: str) -> Decimal:
        try:
            return Decimal(text)
        except InvalidOperation:
            raise ValueError(f"not a number: {text!r}") from None

    def show(self, value: object, locale: Locale) -> str:
        return written(Decimal(value), self.digits, locale)


class Percent(Decimals):
    """A share, stored as a fraction: 0.25 is printed as 25%."""

    name = "percent"

    def __init__(self, digits: int = 0) -> None:
        super().__init__(digits)

    def read(self, text: str) -> Decimal:
        if text.endswith("%"):
            return super().read(text[:-1]) / 100
        return super().read(text)

    def show(self, value: object, locale: Locale) -> str:
        return super().show(Decimal(value) * 100, locale) + "%"
