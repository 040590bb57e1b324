"""The chart of accounts: which accounts exist, and what is below what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ledger.errors import AccountError

SEPARATOR = ":"


class Kind(Enum):
    """What an account stands for; given by the first part of its name."""

    ASSET = "assets"
    LIABILITY = "liabilities"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expenses"


@dataclass(frozen=True)
class Account:
    """One account, such as ``assets:bank:savings``."""

    name: str
    currency: str

    @property
    def kind(self) -> Kind:
        """The kind that the name begins with."""
        return Kind(self.name.split(SEPARATOR)[0])


def is_within(name: str, ancestor: str) -> bool:
    """Tell whether an account is the given one or below it."""
    return name == ancestor or name.startswith(ancestor + SEPARATOR)


class Chart:
    """The accounts that may be posted to, by name."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def open(self, name: str, currency: str) -> Account:
        """Add an account. Raises AccountError for a bad or a taken name."""
        if name in self._accounts:
            raise AccountError(f"{name} is open already")
        account = Account(name, currency)
        try:
            account.kind
        except ValueError:
            raise AccountError(f"{name} begins with no known kind") from None
        self._accounts[name] = account
        return account

    def get(self, name: str) -> Account:
        """Return an account. Raises AccountError when there is none."""
        try:
            return self._accounts[name]
        except KeyError:
            raise AccountError(f"{name} is not open") from None

    def within(self, ancestor: str) -> Iterator[Account]:
        """Yield an account and all below it, by name."""
        for name in sorted(self._accounts):
            if is_within(name, ancestor):
                yield self._accounts[name]
