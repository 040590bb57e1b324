"""Reports over a journal: balances, a trial balance, an account statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ledger.accounts import is_within
from ledger.journal import Journal
from ledger.money import Amount


@dataclass(frozen=True)
class Line:
    """One line of a statement: what happened, and what the account held after it."""

    date: date
    payee: str
    change: Amount
    balance: Amount


def balance(journal: Journal, account: str) -> Amount:
    """Add up all postings to an account and to the accounts below it."""
    currency = next(journal.chart.within(account)).currency
    total = Amount.zero(currency)
    for entry in journal:
        for posting in entry.postings:
            if is_within(posting.account, account):
                total += posting.amount
    return total


def trial_balance(journal: Journal) -> dict[str, Amount]:
    """Return every account that was posted to with what it holds, by name."""
    totals: dict[str, Amount] = {}
    for entry in journal:
        for posting in entry.postings:
            before = totals.get(posting.account, Amount.zero(posting.amount.currency))
            totals[posting.account] = before + posting.amount
    return dict(sorted(totals.items()))


def statement(journal: Journal, account: str, start: date, end: date) -> list[Line]:
    """List what happened on an account in a period, with the running balance."""
    running = Amount.zero(journal.chart.get(account).currency)
    lines = []
    for entry in journal:
        for posting in entry.postings:
            if posting.account != account or entry.date > end:
                continue
            running += posting.amount
            if entry.date >= start:
                lines.append(Line(entry.date, entry.payee, posting.amount, running))
    return lines
