"""The journal: balanced entries in the order of their dates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ledger.accounts import Chart
from ledger.errors import AccountError, UnbalancedEntry
from ledger.money import Amount


@dataclass(frozen=True)
class Posting:
    """An amount that goes to (or, when negative, comes from) an account."""

    account: str
    amount: Amount


@dataclass(frozen=True)
class Entry:
    """One transaction; its postings add up to zero in each currency."""

    date: date
    payee: str
    postings: tuple[Posting, ...]

    def check(self) -> None:
        """Raise UnbalancedEntry unless the postings add up to zero."""
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for posting in self.postings:
            totals[posting.amount.currency] += posting.amount.number
        for currency, total in totals.items():
            if total != 0:
                raise UnbalancedEntry(f"{self.payee}: off by {total} {currency}")


class Journal:
    """All entries over one chart of accounts."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._entries: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def post(self, entry: Entry) -> None:
        """Add an entry. Raises UnbalancedEntry or AccountError and then adds nothing."""
        entry.check()
        for posting in entry.postings:
            account = self.chart.get(posting.account)
            if account.currency != posting.amount.currency:
                raise AccountError(f"{account.name} is kept in {account.currency}")
        self._entries.append(entry)
        self._entries.sort(key=lambda each: each.date)

    def between(self, start: date, end: date) -> Iterator[Entry]:
        """Yield the entries of a period, both days included."""
        for entry in self._entries:
            if start <= entry.date <= end:
                yield entry
