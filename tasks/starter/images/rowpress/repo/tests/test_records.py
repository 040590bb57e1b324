from decimal import Decimal

import pytest

from rowpress import BadCell, Column, grouped, read_records, total

COLUMNS = [Column("team"), Column("hours", "whole"), Column("cost", "decimal")]
CSV = """\
team,hours,cost,note
Blue,3,10.50,
Blue,,2,late
Red,4,1.25,
"""


def test_rows_become_records():
    assert read_records(CSV, COLUMNS)[1] == {"team": "Blue", "hours": None, "cost": Decimal(2)}


def test_bad_cell_is_located():
    with pytest.raises(BadCell, match="row 2, hours"):
        read_records("team,hours,cost\nBlue,many,1\n", COLUMNS)


def test_missing_field_is_named():
    with pytest.raises(BadCell, match="cost: the field is missing"):
        read_records("team,hours\nBlue,1\n", COLUMNS)


def test_blank_cells_count_for_nothing():
    assert total(read_records(CSV, COLUMNS), "hours") == 7


def test_groups_have_subtotals():
    groups = grouped(read_records(CSV, COLUMNS), "team", ["cost"])
    assert [(group.key, group.totals["cost"]) for group in groups] == [
        ("Blue", Decimal("12.50")),
        ("Red", Decimal("1.25")),
    ]
