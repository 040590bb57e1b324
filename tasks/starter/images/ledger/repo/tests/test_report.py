from datetime import date

from ledger import Amount, balance, statement, trial_balance


def test_balance_of_one_account(journal, transfer):
    transfer("2024-01-01", "Employer", "income:salary", "assets:bank", "100 EUR")
    transfer("2024-01-02", "Bakery", "assets:bank", "expenses:food", "4.20 EUR")
    assert balance(journal, "assets:bank") == Amount.parse("95.80 EUR")


def test_balance_takes_in_accounts_below(journal, transfer):
    transfer("2024-01-01", "Employer", "income:salary", "assets:bank", "100 EUR")
    transfer("2024-01-02", "Withdrawal", "assets:bank", "assets:cash", "30 EUR")
    assert balance(journal, "assets") == Amount.parse("100 EUR")


def test_trial_balance_is_sorted(journal, transfer):
    transfer("2024-01-02", "Bakery", "assets:cash", "expenses:food", "4 EUR")
    assert list(trial_balance(journal)) == ["assets:cash", "expenses:food"]


def test_statement_has_a_running_balance(journal, transfer):
    transfer("2024-01-01", "Employer", "income:salary", "assets:bank", "100 EUR")
    transfer("2024-01-02", "Bakery", "assets:bank", "expenses:food", "4 EUR")
    lines = statement(journal, "assets:bank", date(2024, 1, 1), date(2024, 1, 31))
    assert [str(line.balance) for line in lines] == ["100.00 EUR", "96.00 EUR"]
