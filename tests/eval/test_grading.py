"""Grading a log: SWE-bench's rules, on real logs and on the cases that go wrong."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from swebench.harness.grading import get_eval_report
from swebench.harness.utils import make_test_spec

from eval.grading import EXPLAINED, evaluation_script, explain_missing, grade, grade_output
from tasks.load import load_tasks
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

START, END = "+ : '>>>>> Start Test Output'", "+ : '>>>>> End Test Output'"
F, P = "t.py::f", "t.py::p"


def task(**changes: object) -> Task:
    oracle = Oracle(
        eval_script=": '>>>>> Start Test Output'\npytest -rA\n: '>>>>> End Test Output'\n",
        fail_to_pass=(F,),
        pass_to_pass=(P,),
        log_parser="parse_log_pytest",
    )
    issue = Issue(id="t", statement="s", repo="r", base_commit="c", image="i")
    return Task(issue=issue, oracle=dataclasses.replace(oracle, **changes))  # type: ignore[arg-type] # any field


def log(*lines: str, status: int | None = 0) -> str:
    told = "" if status is None else f">>>>> Test Exit Code: {status}"
    return "\n".join([START, *lines, END, told, ""])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What the tests printed, and what SWE-bench's rules make of it."""

    lines: tuple[str, ...]
    status: int | None = 0
    f2p: tuple[str, ...] = (F,)
    p2p: tuple[str, ...] = (P,)
    log_parser: str = "parse_log_pytest"
    eval_type: str = "pass_and_fail"
    missing_f2p: tuple[str, ...] = ()
    missing_p2p: tuple[str, ...] = ()
    evidence: bool = True

    @property
    def task(self) -> Task:
        return task(
            fail_to_pass=self.f2p,
            pass_to_pass=self.p2p,
            log_parser=self.log_parser,
            eval_type=self.eval_type,
        )


def django(*lines: str, **changes: Any) -> Case:
    names = {"f2p": ("test_f (app.T)",), "p2p": ("A docstring, with blanks",)}
    return Case(lines=lines, log_parser="parse_log_django", **{**names, **changes})


def silent(*lines: str, **changes: Any) -> Case:
    """A suite whose parser records failures only."""
    return Case(lines=lines, log_parser="parse_log_marked", eval_type="fail_only", **changes)


RULES = {
    "all pass": Case(lines=(f"PASSED {F}", f"PASSED {P}")),
    "nothing but FAIL_TO_PASS is expected": Case(lines=(f"PASSED {F}",), p2p=()),
    "failed FAIL_TO_PASS": Case(
        lines=(f"FAILED {F} - assert 1", f"PASSED {P}"), status=1, missing_f2p=(F,)
    ),
    "broken PASS_TO_PASS": Case(lines=(f"PASSED {F}", f"FAILED {P}"), status=1, missing_p2p=(P,)),
    "failure of a test that nobody expects": Case(
        lines=(f"PASSED {F}", f"PASSED {P}", "FAILED t.py::other"), status=1
    ),
    "one of several FAIL_TO_PASS fails": Case(
        lines=(f"PASSED {F}", f"FAILED {F}2", f"PASSED {P}"),
        f2p=(F, f"{F}2"),
        status=1,
        missing_f2p=(f"{F}2",),
    ),
    "absent test is missing": Case(lines=(f"PASSED {F}",), missing_p2p=(P,)),
    "skipped FAIL_TO_PASS is no pass": Case(
        lines=(f"SKIPPED {F}", f"PASSED {P}"), missing_f2p=(F,)
    ),
    "skipped PASS_TO_PASS is no regression": Case(lines=(f"PASSED {F}", f"SKIPPED {P}")),
    "a count of skips is no test": Case(
        lines=(f"PASSED {F}", f"PASSED {P}", "SKIPPED [1] t.py:3: no network"),
        f2p=(F, "[1]"),
        missing_f2p=("[1]",),
    ),
    "xfail counts as pass": Case(lines=(f"XFAIL {F} - known", f"XFAIL {P}")),
    "xpass does not count": Case(
        lines=(f"XPASS {F}", f"XPASS {P}", "PASSED t.py::other"),
        missing_f2p=(F,),
        missing_p2p=(P,),
    ),
    "error in set-up": Case(lines=(f"PASSED {F}", f"ERROR {P}"), status=1, missing_p2p=(P,)),
    "error in collection": Case(
        lines=("ERROR t.py - ImportError: no", "!!! Interrupted: 1 error during collection !!!"),
        status=2,
        missing_f2p=(F,),
        missing_p2p=(P,),
    ),
    "pass that errs afterwards": Case(
        lines=(f"PASSED {F}", f"PASSED {P}", f"ERROR {P} - teardown"), status=1, missing_p2p=(P,)
    ),
    "the last of two lines about a test counts": Case(
        lines=(f"FAILED {F}", f"PASSED {F}", f"PASSED {P}", f"FAILED {P}"),
        status=1,
        missing_p2p=(P,),
    ),
    "test expected twice": Case(
        lines=(f"FAILED {F}", f"PASSED {P}"), f2p=(F, F), p2p=(P, P), status=1, missing_f2p=(F, F)
    ),
    "test expected to fail and to pass": Case(
        lines=(f"FAILED {F}",), p2p=(F,), status=1, missing_f2p=(F,), missing_p2p=(F,)
    ),
    "truncated id, all candidates pass": Case(
        lines=(f"PASSED {F}[log(a)]", f"XFAIL {F}[log(b)]", f"PASSED {P}"), f2p=(f"{F}[log(",)
    ),
    "truncated id, all candidates fail": Case(
        lines=(f"FAILED {F}[log(a)]", f"ERROR {F}[log(b)]", f"PASSED {P}"),
        f2p=(f"{F}[log(",),
        status=1,
        missing_f2p=(f"{F}[log(",),
    ),
    "truncated id, candidates disagree": Case(
        lines=(f"PASSED {F}[log(a)]", f"FAILED {F}[log(b)]", f"PASSED {P}"),
        f2p=(f"{F}[log(",),
        status=1,
        missing_f2p=(f"{F}[log(",),
    ),
    "truncated id, no candidate": Case(
        lines=(f"PASSED {F}[exp(a)]", f"PASSED {P}"),
        f2p=(f"{F}[log(",),
        missing_f2p=(f"{F}[log(",),
    ),
    "truncated id of a skipped PASS_TO_PASS": Case(
        lines=(f"PASSED {F}", f"SKIPPED {P}[log(a)]"), p2p=(f"{P}[log(",)
    ),
    "truncated id that is there as it is": Case(
        lines=(f"PASSED {F}[log(", f"FAILED {F}[log(b)]", f"PASSED {P}"),
        f2p=(f"{F}[log(",),
        status=1,
    ),
    "whole id is no prefix": Case(
        lines=(f"PASSED {F}[a]b", f"PASSED {F}2", f"PASSED {P}"),
        f2p=(F, f"{F}[a]"),
        missing_f2p=(F, f"{F}[a]"),
    ),
    "blank in a parameter cuts the id": Case(
        lines=(f"PASSED {F}[1 - 2]", f"PASSED {P}[a b]"),
        f2p=(f"{F}[1",),
        p2p=(f"{P}[a b]",),
        missing_p2p=(f"{P}[a b]",),
    ),
    "blank in a parameter of a failure": Case(
        lines=(f"FAILED {F}[1 - 2] - assert", f"PASSED {P}"),
        f2p=(f"{F}[1",),
        status=1,
        missing_f2p=(f"{F}[1",),
    ),
    "names with blanks": django("test_f (app.T) ... ok", "A docstring, with blanks ... ok"),
    "names with blanks, failing": django(
        "test_f (app.T) ... FAIL",
        "A docstring, with blanks ... skipped 'no reason'",
        status=1,
        missing_f2p=("test_f (app.T)",),
    ),
    "results after the end of the output": Case(
        lines=("no result here", END, f"PASSED {F}", f"PASSED {P}")
    ),
    "a second block is not read": Case(
        lines=(f"FAILED {F}", f"PASSED {P}", END, START, f"PASSED {F}"),
        status=1,
        missing_f2p=(F,),
    ),
    "no exit status was recorded": Case(lines=(f"PASSED {F}", f"PASSED {P}"), status=None),
    "exit status that belies a log of passes": Case(
        lines=(f"PASSED {F}", f"PASSED {P}"), status=3, evidence=False
    ),
    "exit status that belies a log of skips": Case(
        lines=(f"SKIPPED {F}", f"SKIPPED {P}"), status=3, evidence=False
    ),
    "empty output": Case(lines=(), evidence=False),
    "no tests ran": Case(
        lines=("collected 0 items", "no tests ran in 0.01s"), status=5, evidence=False
    ),
    "tests that say they timed out": Case(
        lines=(f"PASSED {F}", f"PASSED {P}", ">>>>> Tests Timed Out"), evidence=False
    ),
    "failures only, and none": silent("3 specs, 0 failures"),
    "failures only, one of them expected to pass": silent(
        f"1) {F}", "3 specs, 1 failure", status=1, missing_f2p=(F,)
    ),
    "failures only, another one": silent("1) t.py::other", "3 specs, 1 failure", status=1),
    "failures only, and the suite never started": silent(
        "Executed 0 of 0 ERROR", status=1, evidence=False
    ),
    "failures only, and no browser": silent("Failed to launch Chrome", status=1, evidence=False),
    "failures only, of a suite that crashed after its count": silent(
        "3 specs, 0 failures", status=1
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, tmp_path: Path) -> None:
    case = RULES[rule]
    text = log(*case.lines, status=case.status)
    missing_f2p = case.missing_f2p if case.evidence else case.f2p
    missing_p2p = case.missing_p2p if case.evidence else case.p2p
    assert report_of_the_reference(case.task, text, tmp_path) == {
        "applied": case.evidence,
        "resolved": case.evidence and not case.missing_f2p and not case.missing_p2p,
        "failed": (case.missing_f2p, case.missing_p2p) if case.evidence else None,
    }
    result = grade(case.task, text)
    assert result.evidence == case.evidence
    assert result.missing_fail_to_pass == missing_f2p
    assert result.missing_pass_to_pass == missing_p2p
    assert result.resolved == (case.evidence and not missing_f2p and not missing_p2p)
    if case.status is not None and END not in case.lines:
        assert grade_output(case.task, "\n".join(case.lines), case.status) == result


def report_of_the_reference(one: Task, text: str, folder: Path) -> dict[str, object]:
    path = folder / "log.txt"
    path.write_text(text)
    spec = make_test_spec(
        {
            "instance_id": one.id,
            "image": "i",
            "repo": "r",
            "version": "",
            "FAIL_TO_PASS": list(one.oracle.fail_to_pass),
            "PASS_TO_PASS": list(one.oracle.pass_to_pass),
            "log_parser": one.oracle.log_parser,
            "eval_type": one.oracle.eval_type,
            "eval_script": one.oracle.eval_script,
        }
    )
    prediction = {"instance_id": one.id, "model_name_or_path": "m", "model_patch": "x"}
    report = get_eval_report(spec, prediction, path, include_tests_status=True)[one.id]
    status = report.get("tests_status")
    names = ("FAIL_TO_PASS", "PASS_TO_PASS")
    return {
        "applied": report["patch_successfully_applied"],
        "resolved": report["resolved"],
        "failed": status and tuple(tuple(status[name]["failure"]) for name in names),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no markers at all",
        f"PASSED {F}\nPASSED {P}\n",
        f"{START}\nPASSED {F}\nPASSED {P}\n",
        f"PASSED {F}\nPASSED {P}\n{END}\n",
        f"{log(f'PASSED {F}', f'PASSED {P}')}>>>>> Reset Failed\n",
    ],
    ids=["empty", "no markers", "results, no markers", "cut off", "no start", "reset failed"],
)
def test_without_evidence_that_the_suite_ran_nothing_is_resolved(text: str, tmp_path: Path) -> None:
    theirs = report_of_the_reference(task(), text, tmp_path)
    assert theirs == {"applied": False, "resolved": False, "failed": None}
    result = grade(task(), text)
    assert not result.evidence
    assert not result.resolved
    assert result.missing_fail_to_pass == (F,)


def test_tests_that_did_not_come_to_their_end_are_no_evidence() -> None:
    assert not grade_output(task(), f"PASSED {F}\nPASSED {P}", None).evidence


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


CUT, OPTION = f"{F}[a b]", f"{F}[/a/b]"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            Case(lines=(f"PASSED {CUT}", f"PASSED {P}"), f2p=(CUT,)),
            f"{CUT} looks passed in the log, but parse_log_pytest cuts its name to {F}[a",
        ),
        (
            Case(
                lines=(f"PASSED {OPTION}", f"PASSED {P}"),
                f2p=(OPTION,),
                log_parser="parse_log_pytest_options",
            ),
            (
                f"{OPTION} looks passed in the log, but parse_log_pytest_options reads its name as "
                f"{F}[/b]"
            ),
        ),
        (
            Case(lines=(f"PASSED {F}[x(a)]", f"FAILED {F}[x(b)]", f"PASSED {P}"), f2p=(f"{F}[x(",)),
            (
                f"{F}[x( is cut in the dataset, and of the tests that begin so {F}[x(a)] passed "
                f"and {F}[x(b)] did not"
            ),
        ),
        (
            Case(lines=(f"\x1b[32mPASSED\x1b[0m {F}", f"PASSED {P}")),
            f"{F} looks passed in the log, but parse_log_pytest does not read coloured lines",
        ),
        (
            Case(lines=(f"PASSED {F}", f"PASSED {P}", f"ERROR {P} - teardown")),
            f"{P} looks passed in the log, but is ERROR in another line",
        ),
        (
            Case(lines=(f"PASSED {P}", END, f"PASSED {F}")),
            f"{F} looks passed in the log, but outside of what the tests printed",
        ),
        (
            Case(lines=(f"{F} PASSED   [ 50%]", f"PASSED {P}")),
            (
                f"{F} looks passed in the log, but parse_log_pytest finds no result in "
                f"'{F} PASSED   [ 50%]'"
            ),
        ),
        # Nothing looks passed.
        (Case(lines=(f"FAILED {F} - assert", f"PASSED {P}")), ""),
        (Case(lines=(f"PASSED {F}2", f"PASSED {P}", f"PASSED x{F}")), ""),
        (Case(lines=(f"FAILED {CUT} - assert", f"PASSED {P}"), f2p=(CUT,)), ""),
        (Case(lines=(f"PASSED {F}", f"PASSED {P}")), ""),
        (django("test_f (app.T) ... FAIL"), ""),
        (silent(f"1) {F}", "3 specs, 1 failure"), ""),
    ],
)
def test_a_test_that_looks_passed_and_did_not_count_is_explained(case: Case, said: str) -> None:
    text = log(*case.lines, status=case.status)
    expected = (said,) if said else ()
    assert explain_missing(case.task, text) == expected
    missing = (*case.f2p, *case.p2p)
    if END not in case.lines:
        # What the tests alone printed, with the tests that a grade names.
        found = grade_output(case.task, "\n".join(case.lines), 0)
        named = (*found.missing_fail_to_pass, *found.missing_pass_to_pass)
        assert explain_missing(case.task, "\n".join(case.lines), named) == expected
        assert explain_missing(case.task, text, missing[:0]) == ()


def test_of_many_tests_that_look_passed_a_few_are_explained() -> None:
    names = tuple(f"{F}[{n} x]" for n in range(EXPLAINED + 4))
    case = Case(lines=tuple(f"PASSED {name}" for name in names), f2p=names, p2p=())
    assert len(explain_missing(case.task, log(*case.lines))) == EXPLAINED


def test_a_task_without_a_parser_has_nothing_to_explain() -> None:
    command = task(log_parser=EXIT_CODE_PARSER, fail_to_pass=("make check",), pass_to_pass=())
    assert explain_missing(command, log("PASSED make check", status=5)) == ()


def test_a_log_that_a_parser_fails_on_is_no_evidence() -> None:
    """swebench's harness counts such an instance as an error, which is not resolved either."""
    broken = log("<doctest>PASSED</doctest", "</doctest>")
    result = grade(task(log_parser="parse_log_doctest"), broken)
    assert not result.evidence
    assert result.missing_fail_to_pass == (F,)


def test_every_parser_can_be_asked_why() -> None:
    from swebench.harness.log_parsers import PARSER_REGISTRY

    for name in PARSER_REGISTRY:
        assert explain_missing(task(log_parser=name), log("collected 0 items")) == ()
