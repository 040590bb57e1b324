import pytest

from rowpress import BadStyle, Column, Report

COLUMNS = [Column("team"), Column("hours", "whole")]
RECORDS = [
    {"team": "Blue", "hours": 3},
    {"team": "Blue", "hours": 1000},
    {"team": "Red", "hours": None},
]
PLAIN = {"lines": 20, "numbers": False}


def test_rows_stand_under_their_titles():
    assert Report(COLUMNS, page=PLAIN).render(RECORDS) == (
        "Team  Hours\n"
        "-----------\n"
        "Blue      3\n"
        "Blue  1,000\n"
        "Red\n"
    )


def test_groups_and_totals():
    report = Report(COLUMNS, group_by="team", totals=["hours"], page=PLAIN)
    assert report.render(RECORDS).splitlines()[2:] == [
        "Blue            3",
        "Blue        1,000",
        "Total Blue  1,003",
        "Red",
        "Total Red       0",
        "=================",
        "Total       1,003",
    ]


def test_locale_of_a_report():
    page = Report(COLUMNS, page=PLAIN, locale="de").pages(RECORDS)[0]
    assert "Blue  1.000" in page


def test_long_report_has_several_pages():
    pages = Report(COLUMNS, page={"lines": 2, "numbers": True}).pages(RECORDS)
    assert [page.splitlines()[-1] for page in pages] == ["- 1 of 2 -", "- 2 of 2 -"]


def test_unknown_settings_are_refused():
    with pytest.raises(BadStyle, match="colour"):
        Report(COLUMNS, colour="red")
    with pytest.raises(BadStyle, match="columns"):
        Report(COLUMNS, page={"columns": 2})
