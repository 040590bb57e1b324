"""Reads the CSV export of a bank into a journal."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ledger.errors import ImportFailed, LedgerError
from ledger.journal import Entry, Journal, Posting
from ledger.money import Amount


@dataclass(frozen=True)
class Rule:
    """Payees that contain the word belong to the account."""

    word: str
    account: str

    def matches(self, payee: str) -> bool:
        """Tell whether the payee contains the word, in any case."""
        return self.word.lower() in payee.lower()


@dataclass(frozen=True)
class ImportResult:
    """How many rows became entries, and how many the journal had already."""

    added: int
    skipped: int


class CsvImporter:
    """Imports rows of ``date,payee,amount`` for one bank account."""

    def __init__(self, account: str, rules: Sequence[Rule], default: str) -> None:
        self.account = account
        self.rules = list(rules)
        self.default = default

    def load(self, text: str, journal: Journal) -> ImportResult:
        """Post the rows that the journal does not have yet."""
        known = Counter(entry for entry in journal)
        added = skipped = 0
        for entry in self.read(text):
            if known[entry] > 0:
                known[entry] -= 1
                skipped += 1
                continue
            journal.post(entry)
            added += 1
        return ImportResult(added, skipped)

    def read(self, text: str) -> Iterator[Entry]:
        """Turn each row into an entry. Raises ImportFailed with the row's number."""
        for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
            try:
                day = date.fromisoformat(row["date"].strip())
                amount = Amount.parse(row["amount"])
            except (KeyError, ValueError, LedgerError) as error:
                raise ImportFailed(number, str(error)) from error
            payee = row["payee"].strip()
            yield Entry(
                day,
                payee,
                (Posting(self.account, amount), Posting(self._other(payee), -amount)),
            )

    def _other(self, payee: str) -> str:
        for rule in self.rules:
            if rule.matches(payee):
                return rule.account
        return self.default
