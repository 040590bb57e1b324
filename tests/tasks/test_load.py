from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.load import load_tasks, tasks_digest
from tasks.rows import DatasetError, Problem
from tasks.taskrepo import starter_path

MakeRow = Callable[..., dict[str, Any]]


@pytest.fixture
def five(tmp_path: Path, row: MakeRow) -> str:
    path = tmp_path / "five.jsonl"
    path.write_text("\n".join(json.dumps(row(instance_id=f"anvil-{n}")) for n in range(5)))
    return str(path)


def test_ids_choose_in_the_order_of_the_source_and_a_limit_among_them(five: str) -> None:
    chosen = [task.id for task in load_tasks(five, ids=["anvil-4", "anvil-1", "anvil-3"])]
    assert chosen == ["anvil-1", "anvil-3", "anvil-4"]
    fewer = [task.id for task in load_tasks(five, ids=chosen, limit=2)]
    assert len(fewer) == 2
    assert fewer == [one for one in chosen if one in fewer]


def test_a_limit_takes_random_tasks_and_a_larger_one_the_same_and_more(
    tmp_path: Path, row: MakeRow
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(json.dumps(row(instance_id=f"anvil-{n:02}")) for n in range(40)))
    every = [task.id for task in load_tasks(str(path))]
    before: set[str] = set()
    for limit in (5, 10, 20, 40, 80):
        taken = [task.id for task in load_tasks(str(path), limit=limit)]
        assert len(taken) == min(limit, 40)
        assert taken == [one for one in every if one in taken]
        assert before < set(taken) or limit == 80
        before = set(taken)
    halves = [{task.id for task in load_tasks(str(path), limit=20, seed=s)} for s in range(3)]
    assert len({frozenset(half) for half in halves}) == 3
    # Of the first 20 rows, each holds about a half.
    assert all(4 < len(half & set(every[:20])) < 16 for half in halves)


def test_unknown_ids_are_an_error_that_names_near_ones(five: str) -> None:
    with pytest.raises(DatasetError, match="has no task anvli-3, x") as caught:
        load_tasks(five, ids=["anvli-3", "anvil-1", "x"])
    assert "near ones are anvil-" in str(caught.value)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(five: str, limit: int) -> None:
    with pytest.raises(DatasetError, match="at least 1"):
        load_tasks(five, limit=limit)


def test_a_source_that_is_nothing_known_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    for source, said in (
        ("litte", "no tasks called 'litte'"),
        (str(tmp_path), "The folder .* holds no tasks"),
        (str(tmp_path / "notes.txt"), "The file .* holds no tasks"),
        ("some/missing.jsonl", "cannot be read"),
    ):
        with pytest.raises(DatasetError, match=said):
            load_tasks(source)


def test_the_digest_ignores_order_and_sees_whatever_can_change_a_result(five: str) -> None:
    tasks = load_tasks(five)
    digest = tasks_digest(tasks)
    assert tasks_digest(tasks[::-1]) == digest
    first, *rest = tasks
    issue = dataclasses.replace(first.issue, hints="look here")
    oracle = dataclasses.replace(first.oracle, time_limit=1.0)
    gold = dataclasses.replace(first.oracle, gold_patch="another")
    assert tasks_digest([dataclasses.replace(first, issue=issue), *rest]) != digest
    assert tasks_digest([dataclasses.replace(first, oracle=oracle), *rest]) != digest
    assert tasks_digest([dataclasses.replace(first, oracle=gold), *rest]) == digest
    assert tasks_digest(rest) != digest


@pytest.fixture
def mixed(tmp_path: Path, row: MakeRow) -> str:
    """Two tasks, and between them a row of every kind that is none."""
    path = tmp_path / "mixed.jsonl"
    lines = [
        json.dumps(row(instance_id="first")),
        "{",
        "[1]",
        json.dumps(row(instance_id="broken", repo="", image="")),
        json.dumps(row(instance_id="moto", repo="getmoto/moto", image=..., eval_script=...)),
        json.dumps(row(instance_id="first")),
        json.dumps(row(instance_id="last")),
    ]
    path.write_text("\n".join(lines))
    return str(path)


def test_invalid_rows_are_all_told_with_the_option_that_leaves_them_out(mixed: str) -> None:
    with pytest.raises(DatasetError, match=r"\(5 of 7\) \(--skip-invalid leaves") as caught:
        load_tasks(mixed)
    assert [problem.place for problem in caught.value.problems] == [
        "line 2",
        "line 3",
        "line 4",
        "line 4",
        "line 5",
        "line 6",
    ]


def test_invalid_rows_are_left_out_where_somebody_is_told_of_each(mixed: str) -> None:
    left_out: list[Problem] = []
    tasks = load_tasks(mixed, on_invalid=left_out.append)
    assert [task.id for task in tasks] == ["first", "last"]
    assert {problem.place for problem in left_out} == {f"line {n}" for n in range(2, 7)}
    assert load_tasks(mixed, limit=2, on_invalid=left_out.append) == tasks
    assert load_tasks(mixed, ids=["last"], on_invalid=left_out.append) == tasks[1:]


def test_a_row_that_was_asked_for_is_not_left_out(mixed: str) -> None:
    left_out: list[Problem] = []
    with pytest.raises(DatasetError, match="asked for and cannot be used") as caught:
        load_tasks(mixed, ids=["last", "broken"], on_invalid=left_out.append)
    assert {problem.field for problem in caught.value.problems} == {"repo", "image"}


def test_a_source_of_invalid_rows_only_is_an_error_all_the_same(
    tmp_path: Path, row: MakeRow
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(row(repo="")))
    left_out: list[Problem] = []
    with pytest.raises(DatasetError, match=r"malformed \(1 of 1\):") as caught:
        load_tasks(str(path), on_invalid=left_out.append)
    assert not left_out
    assert "--skip-invalid" not in str(caught.value)


def test_an_invalid_folder_of_a_task_repo_is_left_out_too(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    shutil.copytree(starter_path(), repo)
    (repo / "tasks" / "ksolve__ledger-1" / "eval.sh").unlink()
    with pytest.raises(DatasetError, match=r"1 of \d+"):
        load_tasks(str(repo))
    left_out: list[Problem] = []
    tasks = load_tasks(str(repo), on_invalid=left_out.append)
    assert [problem.place for problem in left_out] == ["tasks/ksolve__ledger-1"]
    assert len(tasks) == len(load_tasks("starter")) - 1


def test_excluded_tasks_are_left_out_before_any_are_taken(five: str) -> None:
    left = load_tasks(five, exclude=["anvil-0", "*[13]"], limit=2)
    assert [task.id for task in left] == ["anvil-2", "anvil-4"]
    assert [task.id for task in load_tasks(five, ids=["anvil-1", "anvil-2"], exclude=["*-1"])] == [
        "anvil-2"
    ]


def test_a_pattern_that_excludes_nothing_or_all_is_an_error(five: str) -> None:
    with pytest.raises(DatasetError, match="has no task anvli-3; near ones are anvil-2, anvil-3"):
        load_tasks(five, exclude=["anvil-0", "anvli-3"])
    with pytest.raises(DatasetError, match="All 5 tasks"):
        load_tasks(five, exclude=["anvil-*"])
