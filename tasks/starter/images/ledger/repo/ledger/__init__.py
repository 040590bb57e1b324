"""Double-entry bookkeeping: accounts, a journal, reports and an importer."""

from ledger.accounts import Account, Chart, Kind
from ledger.errors import (
    AccountError,
    CurrencyMismatch,
    ImportFailed,
    InvalidAmount,
    LedgerError,
    UnbalancedEntry,
)
from ledger.importer import CsvImporter, ImportResult, Rule
from ledger.journal import Entry, Journal, Posting
from ledger.money import Amount
from ledger.report import balance, statement, trial_balance

__all__ = [
    "Account",
    "AccountError",
    "Amount",
    "Chart",
    "CsvImporter",
    "CurrencyMismatch",
    "Entry",
    "ImportFailed",
    "ImportResult",
    "InvalidAmount",
    "Journal",
    "Kind",
    "LedgerError",
    "Posting",
    "Rule",
    "UnbalancedEntry",
    "balance",
    "statement",
    "trial_balance",
]
