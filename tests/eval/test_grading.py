"""Grading a log: SWE-bench's rules, on real logs and on the cases that go wrong."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path

import pytest

from eval.grading import evaluation_script, grade
from tasks.load import load_tasks
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

START, END = "+ : '>>>>> Start Test Output'", "+ : '>>>>> End Test Output'"


def task(**changes: object) -> Task:
    oracle = Oracle(
        eval_script=": '>>>>> Start Test Output'\npytest -rA\n: '>>>>> End Test Output'\n",
        fail_to_pass=("t.py::f",),
        pass_to_pass=("t.py::p",),
        log_parser="parse_log_pytest",
    )
    issue = Issue(id="t", statement="s", repo="r", base_commit="c", image="i")
    return Task(issue=issue, oracle=dataclasses.replace(oracle, **changes))  # type: ignore[arg-type] # any field


def log(*lines: str, status: int = 0) -> str:
    return "\n".join([START, *lines, END, f">>>>> Test Exit Code: {status}", ""])


@pytest.mark.parametrize(
    ("lines", "status", "missing_f2p", "missing_p2p"),
    [
        (("PASSED t.py::f", "PASSED t.py::p"), 0, (), ()),
        (("FAILED t.py::f - assert 1", "PASSED t.py::p"), 1, ("t.py::f",), ()),
        (("PASSED t.py::f", "FAILED t.py::p"), 1, (), ("t.py::p",)),
        (("SKIPPED t.py::f", "PASSED t.py::p"), 0, ("t.py::f",), ()),
        (("PASSED t.py::f", "SKIPPED t.py::p"), 0, (), ()),
        (("XFAIL t.py::f", "PASSED t.py::p"), 0, (), ()),
        (("PASSED t.py::f", "ERROR t.py::p"), 1, (), ("t.py::p",)),
        (("PASSED t.py::f",), 0, (), ("t.py::p",)),
    ],
    ids=[
        "all-pass",
        "failed-f2p",
        "broken-p2p",
        "skipped-f2p-is-no-pass",
        "skipped-p2p-is-no-regression",
        "xfail-counts-as-pass",
        "error-in-collection",
        "absent-test-is-missing",
    ],
)
def test_rule(
    lines: tuple[str, ...], status: int, missing_f2p: tuple[str], missing_p2p: tuple[str]
) -> None:
    result = grade(task(), log(*lines, status=status))
    assert result.evidence
    assert result.missing_fail_to_pass == missing_f2p
    assert result.missing_pass_to_pass == missing_p2p
    assert result.resolved == (not missing_f2p and not missing_p2p)


@pytest.mark.parametrize(
    "text",
    ["", "no markers at all", f"{START}\nPASSED t.py::f\nPASSED t.py::p\n", log()],
    ids=["empty", "no-markers", "cut-off", "no-test-ran"],
)
def test_without_evidence_that_the_suite_ran_nothing_is_resolved(text: str) -> None:
    result = grade(task(), text)
    assert not result.evidence
    assert not result.resolved
    assert result.missing_fail_to_pass == ("t.py::f",)


def test_a_failing_exit_status_belies_a_log_of_passes() -> None:
    assert not grade(task(), log("PASSED t.py::f", "PASSED t.py::p", status=3)).resolved


def test_one_command_is_judged_by_its_exit_status() -> None:
    command = task(log_parser=EXIT_CODE_PARSER, fail_to_pass=("make check",), pass_to_pass=())
    assert grade(command, log("whatever")).resolved
    assert grade(command, log("whatever", status=5)).missing_fail_to_pass == ("make check",)
    assert not grade(command, f"{START}\nkilled").evidence


def test_the_script_records_the_exit_status_of_the_tests() -> None:
    script = evaluation_script(task())
    assert script.index("pytest -rA") < script.index("SWEBENCH_TEST_EXIT_CODE=$?")


@pytest.mark.shared_data
def test_real_logs_get_the_official_verdicts(shared_data: Path) -> None:
    folder = shared_data / "swebench-parity"
    tasks = {one.id: one for one in load_tasks(str(folder / "rows.jsonl"))}
    official = json.loads((folder / "verdicts.json").read_text())
    graded = 0
    for path in sorted(folder.glob("logs/*/*.txt.gz")):
        instance, name = path.parent.name, path.name.removesuffix(".txt.gz")
        text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        assert grade(tasks[instance], text).resolved == official[instance][name]["resolved"]
        graded += 1
    assert graded == 80
