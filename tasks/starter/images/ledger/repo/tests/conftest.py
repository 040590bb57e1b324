from datetime import date

import pytest

from ledger import Amount, Chart, Entry, Journal, Posting


@pytest.fixture
def journal():
    chart = Chart()
    for name in ("assets:bank", "assets:cash", "expenses:food", "expenses:other", "income:salary"):
        chart.open(name, "EUR")
    return Journal(chart)


@pytest.fixture
def transfer(journal):
    """Post an amount from one account to another."""

    def post(day, payee, source, target, amount):
        amount = Amount.parse(amount)
        entry = Entry(
            date.fromisoformat(day), payee, (Posting(target, amount), Posting(source, -amount))
        )
        journal.post(entry)
        return entry

    return post
