"""From a run folder to its figures: which issues count as flaky."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.flaky import FlakyTasks, Observed, Side
from eval.store import Store
from ksolve.results import summary_of
from tasks.load import tasks_digest
from tasks.task import Issue, Oracle, Task


def task(name: str) -> Task:
    issue = Issue(id=name, statement="s", repo="r", base_commit="c", image=name)
    oracle = Oracle(
        eval_script=name, fail_to_pass=("f",), pass_to_pass=(), log_parser="parse_log_pytest"
    )
    return Task(issue=issue, oracle=oracle)


TASKS = [task(name) for name in "abc"]


def config(**more: object) -> dict[str, object]:
    return {
        "tasks_digest": tasks_digest(TASKS),
        "task_ids": [one.id for one in TASKS],
        "arms": [["m", "s"]],
        "prices": {},
        "samples": [1],
        **more,
    }


@pytest.fixture
def known(tmp_path: Path) -> FlakyTasks:
    flaky = FlakyTasks(tmp_path / "flaky.db")
    changing: dict[Side, Observed] = {"base": Observed(runs=2, failed={"f": 1})}
    flaky.record(TASKS[1], "sha256:b", changing, dataset=tasks_digest(TASKS))
    return flaky


def test_what_was_found_of_the_dataset_counts_even_for_a_run_before_it(
    tmp_path: Path, known: FlakyTasks
) -> None:
    with Store(tmp_path / "run") as store:
        store.begin(config())
        assert summary_of(store, known).flaky == ("b",)
        assert summary_of(store, FlakyTasks(tmp_path / "none.db")).flaky == ()


def test_what_a_run_calls_flaky_counts_where_nothing_else_is_known(
    tmp_path: Path, known: FlakyTasks
) -> None:
    with Store(tmp_path / "run") as store:
        store.begin(config(flaky=["c"]))
        assert summary_of(store, FlakyTasks(tmp_path / "none.db")).flaky == ("c",)
        assert summary_of(store, known).flaky == ("b", "c")
