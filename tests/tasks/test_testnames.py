"""FAIL_TO_PASS and PASS_TO_PASS in the forms that datasets and their exports have them in."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from tasks.testnames import test_names as names_in

A, B = "tests/a.py::test_x[1, 2]", "tests/b.py::Case::test_y"
NODE = "suite > it's said twice"


@pytest.mark.parametrize(
    "value",
    [
        [A, B],
        (A, B),
        np.array([A, B]),
        np.array([A, B], dtype=object),
        pa.array([A, B]),
        json.dumps([A, B]),
        json.dumps(json.dumps([A, B])),
        repr([A, B]),
        repr((A, B)),
        f"['{A}', \"{B}\"]",
        f"[\"{A}\", '{B}',]",
        str(np.array([A, B])),
        str(np.array([A, B], dtype=object)),
        repr(np.array([A, B], dtype=object)),
        f"{A}\n{B}\n",
        f"{A}, {B}",
        f"{A},{B}",
        f"{A} {B}",
        {A: "PASSED", "c": "FAILED", B: "XFAIL", "d": "SKIPPED"},
        json.dumps({A: "PASSED", "c": "ERROR", B: "PASSED"}),
        {A: {"run": "PASS", "test": "FAIL", "fix": "PASS"}, B: {"fix": "PASS"}},
        {"name": [A, "c", B], "fix": ["PASS", "SKIP", "PASS"], "run": [], "test": []},
        [{"name": A, "status": "PASSED"}, {"name": "c", "status": "FAILED"}, {"name": B}],
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:30]}",
)
def test_every_form_of_two_tests_is_the_same_two_tests(value: object) -> None:
    assert names_in(value) == [A, B]


@pytest.mark.parametrize(
    "text",
    [A, "test_f (app.T)", "(app.T) test_f", "'quoted' name", NODE, "TestGo/sub_test", "f(a, b)"],
)
def test_the_text_of_one_name_is_that_name(text: str) -> None:
    assert names_in(text) == [text]
    assert names_in(json.dumps([text])) == [text]
    assert names_in(repr([text])) == [text]


@pytest.mark.parametrize("value", [None, "", "  ", "[]", "null", "None", "{}", {}, float("nan")])
def test_nothing_is_no_test(value: object) -> None:
    assert names_in(value) == []


@pytest.mark.parametrize(
    "value",
    [
        "[",
        f"['{A}'",
        # One docstring of a test, or three names.
        "A docstring, with blanks, and commas",
        "test_a, test_b",
        # What NumPy leaves out cannot be had back.
        str(np.array([f"test_{n}" for n in range(2000)])),
        # Python would read one name.
        "['a''b']",
        "['a' 'b', 'c']",
        {"a": 1},
        {"a": "whatever"},
        [{"status": "PASSED"}],
        5,
        True,
        "[" * 100_000,
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_may_be_read_in_two_ways_or_is_no_list_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  its text is not shown
        names_in(value)
