from datetime import date

import pytest

from ledger import AccountError, Amount, Entry, Posting, UnbalancedEntry


def test_unbalanced_entry_is_refused(journal):
    entry = Entry(date(2024, 1, 1), "Shop", (Posting("assets:cash", Amount.parse("1 EUR")),))
    with pytest.raises(UnbalancedEntry):
        journal.post(entry)
    assert len(journal) == 0


def test_unknown_account_is_refused(transfer):
    with pytest.raises(AccountError):
        transfer("2024-01-01", "Shop", "assets:cash", "expenses:fun", "1 EUR")


def test_account_is_opened_once(journal):
    with pytest.raises(AccountError):
        journal.chart.open("assets:cash", "EUR")


def test_account_needs_a_known_kind(journal):
    with pytest.raises(AccountError):
        journal.chart.open("stuff:shelf", "EUR")


def test_entries_are_kept_by_date(journal, transfer):
    late = transfer("2024-02-01", "Late", "assets:cash", "expenses:food", "1 EUR")
    early = transfer("2024-01-01", "Early", "assets:cash", "expenses:food", "1 EUR")
    assert list(journal) == [early, late]


def test_between_leaves_out_other_months(journal, transfer):
    transfer("2024-01-15", "January", "assets:cash", "expenses:food", "1 EUR")
    february = transfer("2024-02-15", "February", "assets:cash", "expenses:food", "1 EUR")
    transfer("2024-03-15", "March", "assets:cash", "expenses:food", "1 EUR")
    assert list(journal.between(date(2024, 2, 1), date(2024, 2, 28))) == [february]
