"""Everything that ledger raises on purpose."""


class LedgerError(Exception):
    """Base of all errors of this package."""


class InvalidAmount(LedgerError, ValueError):
    """A text is not an amount of money."""

    def __init__(self, text: str) -> None:
        super().__init__(f"not an amount: {text!r}")
        self.text = text


class CurrencyMismatch(LedgerError):
    """Two amounts of different currencies were combined."""


class AccountError(LedgerError, LookupError):
    """An account does not exist, exists already, or is of the wrong currency."""


class UnbalancedEntry(LedgerError):
    """The postings of an entry do not add up to zero."""


class ImportFailed(LedgerError):
    """A row of a bank export cannot be read."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"row {row}: {reason}")
        self.row = row
