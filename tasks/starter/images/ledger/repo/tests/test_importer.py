import pytest

from ledger import Amount, CsvImporter, ImportFailed, ImportResult, Rule, balance

EXPORT = """\
date,payee,amount
2024-01-03,BAKERY Miller,-4.20 EUR
2024-01-05,Employer,100.00 EUR
"""


@pytest.fixture
def importer():
    rules = [Rule("bakery", "expenses:food"), Rule("employer", "income:salary")]
    return CsvImporter("assets:bank", rules, default="expenses:other")


def test_rows_are_posted_by_rule(importer, journal):
    assert importer.load(EXPORT, journal) == ImportResult(added=2, skipped=0)
    assert balance(journal, "expenses:food") == Amount.parse("4.20 EUR")
    assert balance(journal, "income:salary") == Amount.parse("-100 EUR")


def test_other_rows_go_to_the_default(importer, journal):
    importer.load("date,payee,amount\n2024-01-03,Kiosk,-1 EUR\n", journal)
    assert balance(journal, "expenses:other") == Amount.parse("1 EUR")


def test_same_export_twice_adds_nothing(importer, journal):
    importer.load(EXPORT, journal)
    assert importer.load(EXPORT, journal) == ImportResult(added=0, skipped=2)


def test_bad_row_is_named(importer, journal):
    with pytest.raises(ImportFailed, match="row 2"):
        importer.load("date,payee,amount\nyesterday,Kiosk,-1 EUR\n", journal)
