from datetime import date
from decimal import Decimal

import pytest

from rowpress import Column, UnknownKind
from rowpress.locales import locale_named

EN = locale_named("en")


@pytest.mark.parametrize(
    ("kind", "text", "value", "shown"),
    [
        ("text", " two   words ", "two words", "two words"),
        ("whole", "12000", 12000, "12,000"),
        ("decimal", "-1234.5", Decimal("-1234.5"), "-1,234.50"),
        ("percent", "25%", Decimal("0.25"), "25%"),
        ("day", "2024-05-06", date(2024, 5, 6), "2024-05-06"),
        ("month", "2024-05", date(2024, 5, 1), "2024-05"),
    ],
    ids=["text", "whole", "decimal", "percent", "day", "month"],
)
def test_cells_are_read_and_shown(kind, text, value, shown):
    column = Column("x", kind)
    assert column.read(text) == value
    assert column.show(value, EN) == shown


def test_blank_cell_is_none_and_shows_nothing():
    column = Column("x", "whole")
    assert column.read("  ") is None
    assert column.show(None, EN) == ""


def test_unknown_kind():
    with pytest.raises(UnknownKind, match="colour"):
        Column("x", "colour")


def test_title_is_made_from_the_field():
    assert Column("unit_price").title == "Unit price"
    assert Column("unit_price", title="Price").title == "Price"


def test_numbers_are_aligned_to_the_right():
    assert Column("x", "whole").fit("7", 3) == "  7"
    assert Column("x").fit("a", 3) == "a  "


def test_what_is_too_long_is_cut():
    assert Column("x", width=5).fit("cucumber", 5) == "cucu~"
