"""Amounts of money: an exact decimal number in one currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ledger.errors import CurrencyMismatch, InvalidAmount

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Amount:
    """An exact amount in one currency."""

    number: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str) -> Amount:
        """Read a number and a currency code, such as ``12.50 EUR``."""
        number, _, currency = text.strip().rpartition(" ")
        number = number.replace(",", "").strip()
        try:
            return cls(Decimal(number), currency.upper())
        except InvalidOperation:
            raise InvalidAmount(text) from None

    @classmethod
    def zero(cls, currency: str) -> Amount:
        """Nothing, in the given currency."""
        return cls(Decimal(0), currency)

    def __add__(self, other: Amount) -> Amount:
        self._require_same_currency(other)
        return Amount(self.number + other.number, self.currency)

    def __sub__(self, other: Amount) -> Amount:
        return self + -other

    def __neg__(self) -> Amount:
        return Amount(-self.number, self.currency)

    def __bool__(self) -> bool:
        return self.number != 0

    def __str__(self) -> str:
        return f"{self.number:,.2f} {self.currency}"

    def split(self, parts: int) -> list[Amount]:
        """Divide into shares that differ by a cent at most and add up to the whole."""
        share = (self.number / parts).quantize(CENT, rounding="ROUND_FLOOR")
        left_over = int((self.number - share * parts) / CENT)
        return [
            Amount(share + CENT if i < left_over else share, self.currency)
            for i in range(parts)
        ]

    def _require_same_currency(self, other: Amount) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
