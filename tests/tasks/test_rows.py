from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tasks.rows import SHOWN, DatasetError, log_parsers, tasks_from_rows

MakeRow = Callable[..., dict[str, Any]]


def problems_of(*rows: object) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        tasks_from_rows("x.jsonl", [(f"line {n}", row) for n, row in enumerate(rows, start=1)])
    return [str(problem) for problem in caught.value.problems]


def test_what_the_solver_sees_and_what_the_verifier_sees_come_from_their_columns(
    row: MakeRow,
) -> None:
    [task] = tasks_from_rows(
        "x",
        [
            (
                "line 1",
                row(
                    hints_text="a hint",
                    test_command="pytest",
                    time_limit=9,
                    FAIL_TO_PASS='["a", "b"]',
                ),
            )
        ],
    )
    assert (task.id, task.issue.statement, task.issue.hints) == (
        "acme__anvil-7",
        "The anvil floats.",
        "a hint",
    )
    assert (task.issue.test_command, task.issue.network) == ("pytest", False)
    assert task.oracle.time_limit == 9
    assert (task.oracle.fail_to_pass, task.oracle.pass_to_pass) == (("a", "b"), ())
    assert (task.oracle.gold_patch, task.oracle.eval_type) == ("a gold patch", "pass_and_fail")


def test_columns_that_ksolve_does_not_read_may_hold_anything(row: MakeRow) -> None:
    [task] = tasks_from_rows("x", [("line 1", row(created_at=5, hints_text=None, patch=...))])
    assert (task.issue.hints, task.oracle.gold_patch) == ("", None)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("instance_id", ..., "expected an id of up to 200 letters"),
        ("instance_id", "../../etc", "got '../../etc'"),
        ("instance_id", "a b", "got 'a b'"),
        ("instance_id", "fine\n", r"got 'fine"),
        ("repo", None, "got null"),
        ("base_commit", 1234567, "expected a commit as text, got 1234567"),
        ("problem_statement", " \n", "expected the text of the issue"),
        ("problem_statement", "a lone surrogate \ud800", "expected the text of the issue"),
        ("image", "", "expected the reference of a container image"),
        ("image", "two words", "got 'two words'"),
        ("eval_script", "pytest", "'>>>>> Start Test Output'"),
        ("eval_script", "a\0b", "'>>>>> Start Test Output'"),
        ("FAIL_TO_PASS", [], "at least one test name"),
        ("FAIL_TO_PASS", "[]", "at least one test name"),
        ("FAIL_TO_PASS", "[", "got '['"),
        ("FAIL_TO_PASS", "[" * 100_000, "at least one test name"),
        ("PASS_TO_PASS", {"a": 1}, "got an object"),
        ("PASS_TO_PASS", [1, 2], "got 1"),
        ("log_parser", "parse_log_pytset", "a log parser that swebench 5.0.2 knows"),
        ("log_parser", "exit_code", "got 'exit_code'"),
        ("eval_type", "strict", "'pass_and_fail' or 'fail_only', got 'strict'"),
        ("version", 1.0, "a version as text, got 1.0"),
        ("test_patch", ..., "the patch to the tests as text, got nothing"),
        ("image_assets", '{"test_patch": [{"path": "a.png"}]}', "no binary test files"),
    ],
)
def test_a_malformed_column_is_named_with_what_was_expected(
    row: MakeRow, column: str, value: object, said: str
) -> None:
    [problem] = problems_of(row(**{column: value}))
    assert problem.startswith("line 1")
    assert f" {column}: " in problem
    assert said in problem


@pytest.mark.parametrize("assets", [None, "", "{}", {}, '{"test_patch": []}'])
def test_a_row_that_says_it_has_no_binary_test_files_is_well_formed(
    row: MakeRow, assets: object
) -> None:
    assert tasks_from_rows("x", [("line 1", row(image_assets=assets))])


def test_every_problem_of_every_row_is_told_at_once(row: MakeRow) -> None:
    bad = row(instance_id="b", repo=None, eval_type="x")
    assert len(problems_of(row(image=""), 5, bad, row(instance_id="fine"))) == 4


def test_an_id_used_twice_is_an_error_that_names_both_places(row: MakeRow) -> None:
    [problem] = problems_of(row(), row())
    assert problem.startswith("line 2 (acme__anvil-7): instance_id")
    assert "line 1" in problem


def test_many_problems_are_counted_rather_than_listed() -> None:
    with pytest.raises(DatasetError) as caught:
        tasks_from_rows("x", [(f"line {n}", n) for n in range(SHOWN + 7)])
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[-1].strip()) == (SHOWN + 2, "and 7 more")


def test_rows_of_the_older_form_are_named_as_such_in_one_sentence(row: MakeRow) -> None:
    old = [row(instance_id=f"i{n}", image=..., eval_script=...) for n in range(3)]
    with pytest.raises(DatasetError, match="older SWE-bench form") as caught:
        tasks_from_rows("x.jsonl", [(f"line {n}", one) for n, one in enumerate(old)])
    assert len(str(caught.value).splitlines()) == 1


def test_an_older_row_among_newer_ones_is_named_in_its_place(row: MakeRow) -> None:
    problems = problems_of(row(image=None, eval_script=None), row(instance_id="b", repo=""))
    assert "5.x form" in problems[0]
    assert "repo" in problems[1]


def test_no_rows_are_not_a_dataset() -> None:
    with pytest.raises(DatasetError, match="holds no tasks"):
        tasks_from_rows("x", [])


def test_the_log_parsers_are_those_that_grading_looks_up() -> None:
    from swebench.harness.log_parsers import PARSER_REGISTRY

    assert log_parsers() == PARSER_REGISTRY.keys()


def test_a_row_makes_what_the_reference_harness_makes_of_it(row: MakeRow) -> None:
    from swebench.harness.utils import make_test_spec

    columns = row(FAIL_TO_PASS=json.dumps(["a"]), PASS_TO_PASS=json.dumps(["b", "c"]))
    spec = make_test_spec(columns)
    [task] = tasks_from_rows("x", [("line 1", columns)])
    assert (*spec.FAIL_TO_PASS, *spec.PASS_TO_PASS) == (
        *task.oracle.fail_to_pass,
        *task.oracle.pass_to_pass,
    )
    assert (spec.image, spec.log_parser) == (task.issue.image, task.oracle.log_parser)
