"""What a task asks for is read once, at the edge, and no task can ask for more than is usual."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tasks.load import tasks_digest
from tasks.resources import size
from tasks.rows import DatasetError, tasks_from_rows
from tasks.task import Resources, Task

MakeRow = Callable[..., dict[str, Any]]

ASKED = {
    "memory": "4g",
    "cpus": 2,
    "processes": 1024,
    "disk": "512m",
    "network": True,
    "capabilities": ["setuid", "CAP_SETGID"],
}


def task_of(row: dict[str, Any]) -> Task:
    [task] = tasks_from_rows("x", [("line 1", row)])
    return task


@pytest.mark.parametrize("written", [ASKED, json.dumps(ASKED)])
def test_a_row_says_what_its_sandboxes_may_use(row: MakeRow, written: object) -> None:
    task = task_of(row(resources=written))
    assert task.issue.resources == Resources(
        memory_bytes=4 << 30,
        cpus=2.0,
        pids=1024,
        disk_bytes=512 << 20,
        network=True,
        capabilities=("SETGID", "SETUID"),
    )
    assert task.issue.network


@pytest.mark.parametrize("written", [None, "", {}, "{}"])
def test_a_row_that_says_nothing_has_what_is_usual(row: MakeRow, written: object) -> None:
    assert task_of(row(resources=written)).issue.resources == Resources()


@pytest.mark.parametrize(
    "written",
    [
        {"memory": "much"},
        {"memory": "1k"},
        {"memory": True},
        {"cpus": 0},
        {"cpus": "nan"},
        {"processes": 0},
        {"processes": 1.5},
        {"network": "yes"},
        {"gpus": 1},
        # Either would let a task of a stranger out of its container.
        {"capabilities": ["SYS_ADMIN"]},
        {"capabilities": ["ALL"]},
        {"capabilities": ["--privileged"]},
        [1],
        "4g",
        7,
    ],
)
def test_what_no_task_may_ask_for_is_refused(row: MakeRow, written: object) -> None:
    with pytest.raises(DatasetError, match="resources: expected an object"):
        task_of(row(resources=written))


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("4g", 4 << 30),
        ("4GB", 4 << 30),
        ("4 GiB", 4 << 30),
        ("1.5g", 3 << 29),
        ("16384k", 1 << 24),
        (1 << 24, 1 << 24),
        ("16777216", 1 << 24),
    ],
)
def test_sizes_are_read_as_docker_reads_them(written: object, number: int) -> None:
    assert size(written) == number


def test_a_run_of_before_is_of_the_same_tasks(row: MakeRow) -> None:
    """A digest that was recorded before tasks had resources: such runs go on."""
    plain, asking = task_of(row()), task_of(row(resources=ASKED))
    recorded = "8f845b23b332ea35b211aefd322d53727d97d4ce8b0c0050b9a902de863c761e"
    assert tasks_digest([plain]) == tasks_digest([task_of(row(resources={}))]) == recorded
    assert tasks_digest([asking]) != recorded
