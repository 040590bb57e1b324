from datetime import datetime

import pytest

from cronlite import CronExpression, ExpressionError, NeverDue, parse_field


def next_run(text, *after):
    return CronExpression.parse(text).next_run(datetime(*after))


def test_fields():
    assert parse_field("1-3,10", 0, 59) == {1, 2, 3, 10}
    assert parse_field("*/20", 0, 59) == {0, 20, 40}


@pytest.mark.parametrize("text", ["61", "5-2", "*/0", "x"])
def test_bad_fields(text):
    with pytest.raises(ExpressionError):
        parse_field(text, 0, 59)


def test_five_fields_are_needed():
    with pytest.raises(ExpressionError, match="4 fields"):
        CronExpression.parse("* * * *")


def test_next_quarter_of_an_hour():
    assert next_run("*/15 * * * *", 2024, 5, 3, 12, 7) == datetime(2024, 5, 3, 12, 15)


def test_strictly_later():
    assert next_run("0 12 * * *", 2024, 5, 3, 12, 0) == datetime(2024, 5, 4, 12, 0)


def test_month_names():
    assert next_run("0 0 1 jan *", 2024, 5, 3) == datetime(2025, 1, 1)


def test_leap_day():
    assert next_run("0 0 29 2 *", 2025, 1, 1) == datetime(2028, 2, 29)


def test_a_date_that_never_comes():
    with pytest.raises(NeverDue):
        next_run("0 0 30 2 *", 2024, 1, 1)


def test_every_day_of_the_week():
    assert CronExpression.parse("0 8 * * 0-6").matches(datetime(2024, 5, 3, 8, 0))
