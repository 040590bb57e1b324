"""What a run shows of its tests is a suspicion where a test that had to pass may fail."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from eval.grading import grade, statuses
from eval.suspicions.evidence import suspicions_of_run
from tasks.swebench import tasks_from_file


def test_test_that_is_expected_to_fail_is_suspicious() -> None:
    found = suspicions_of_run(["a", "b", "c", "d"], {"a": "PASSED", "b": "XFAIL", "c": "SKIPPED"})
    assert [(one.path, one.code, one.strength) for one in found] == [
        ("b", "XFAIL", "strong"),
        ("c", "SKIPPED", "strong"),
    ]


@pytest.mark.shared_data
def test_real_resolved_runs_are_not_suspicious(shared_data: Path) -> None:
    folder = shared_data / "swebench-parity"
    resolved = 0
    for task in tasks_from_file(folder / "rows.jsonl"):
        for file in (folder / "logs" / task.id).glob("*.txt.gz"):
            log = gzip.decompress(file.read_bytes()).decode()
            if grade(task, log).resolved:
                resolved += 1
                assert suspicions_of_run(task.oracle.fail_to_pass, statuses(task, log)) == ()
    assert resolved > 20
