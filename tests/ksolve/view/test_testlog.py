"""The parts of a log that speak of a test are found as pytest and unittest write them."""

from __future__ import annotations

from ksolve.view.testlog import excerpts
from tests.ksolve.view.made import LOG

UNITTEST = """\
test_area (shapes.TestBox) ... FAIL
======================================================================
FAIL: test_area (shapes.TestBox)
----------------------------------------------------------------------
AssertionError: 5 != 6

======================================================================
ERROR: test_name (shapes.TestBox)
Says what it tests.
----------------------------------------------------------------------
KeyError: 'x'

----------------------------------------------------------------------
Ran 2 tests in 0.001s
"""


def found(log: str, *tests: str) -> list[str]:
    return [one.text for one in excerpts(log, tests)]


def test_the_part_of_each_test_is_cut_out() -> None:
    area, name = found(
        LOG, "tests/test_box.py::TestBox::test_area", "tests/test_box.py::test_name[x]"
    )
    assert area.endswith("E   assert 5 == 6")
    assert name == "E   KeyError: 'x'"
    area, name = found(UNITTEST, "test_area (shapes.TestBox)", "test_name (shapes.TestBox)")
    assert area.endswith("AssertionError: 5 != 6")
    assert "KeyError" in name
    assert "Ran 2" not in name


def test_a_test_without_a_part_is_told_by_the_lines_that_name_it() -> None:
    assert found("a\nERROR tests/x.py::test_y - boom\nb", "tests/x.py::test_y") == [
        "ERROR tests/x.py::test_y - boom"
    ]


def test_a_test_that_the_log_does_not_name_stays_in_the_list() -> None:
    assert found("nothing", *(f"t.py::test_{number}" for number in range(100))) == [""] * 100


def test_an_old_log_in_colour_is_read_like_any_other() -> None:
    coloured = LOG.replace("E   ", "\x1b[31mE   \x1b[0m").replace("\n", "\r\n")
    assert found(coloured, "tests/test_box.py::test_name[x]") == ["E   KeyError: 'x'"]
