"""From the log of an evaluation to the tests that are missing, by SWE-bench's rules (5.0.2).

The parsers and the grading of tests are swebench's own (`harness/grading.py`). What is added here
is the task that has no parser, only the exit status of one command. Nothing here defends
against a candidate that forges its log; `eval.verify` does.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.task import END_MARKER, EXIT_CODE_PARSER, START_MARKER, Task

EXPLAINED = 3
"""Tests whose absence is explained, of those that are missing."""

_LOOKED_AT = 200
"""Missing tests that are searched in the log for something to explain."""

_PASSING = re.compile(r"\b(?:PASSED|PASS|XPASS|passed|ok|OK)\b|✓|✔")
"""What a line says of a test that passed, to a person who reads it."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Grade:
    """Which of the expected tests did not come out as they must."""

    missing_fail_to_pass: tuple[str, ...]
    missing_pass_to_pass: tuple[str, ...]
    evidence: bool
    # Whether the log shows that the tests ran at all.

    @property
    def resolved(self) -> bool:
        """Every expected test passed, and the log shows it."""
        return self.evidence and not self.missing_fail_to_pass and not self.missing_pass_to_pass


def evaluation_script(task: Task) -> str:
    """Return the bash script that the verifier runs, made to record the tests' exit status."""
    script: str = _test_spec(task).eval_script
    return script


def grade(task: Task, log: str) -> Grade:
    """Grade what `evaluation_script` printed (stdout and stderr in the order of writing)."""
    from swebench.harness.constants import EvalType
    from swebench.harness.grading import get_eval_tests_report, get_logs_eval, parse_test_exit_code

    oracle = task.oracle
    if oracle.log_parser == EXIT_CODE_PARSER:
        status = parse_test_exit_code(log)
        missing = () if status == 0 else oracle.fail_to_pass
        return Grade(
            missing_fail_to_pass=missing,
            missing_pass_to_pass=(),
            evidence=status is not None,
        )
    with tempfile.NamedTemporaryFile("w", suffix=".log", encoding="utf-8") as file:
        # swebench reads logs from files only.
        file.write(log)
        file.flush()
        try:
            statuses, found = get_logs_eval(_test_spec(task), file.name)
        except Exception:  # noqa: BLE001  a parser may raise anything on such a log
            statuses, found = {}, False
    if not found:
        return Grade(
            missing_fail_to_pass=oracle.fail_to_pass,
            missing_pass_to_pass=oracle.pass_to_pass,
            evidence=False,
        )
    expected = {"FAIL_TO_PASS": oracle.fail_to_pass, "PASS_TO_PASS": oracle.pass_to_pass}
    report = get_eval_tests_report(statuses, expected, eval_type=EvalType(oracle.eval_type))
    return Grade(
        missing_fail_to_pass=tuple(report["FAIL_TO_PASS"]["failure"]),
        missing_pass_to_pass=tuple(report["PASS_TO_PASS"]["failure"]),
        evidence=True,
    )


def statuses(task: Task, log: str) -> dict[str, str]:
    """Return what a log says of each test by name, as SWE-bench's parsers call it."""
    from swebench.harness.grading import get_logs_eval

    if task.oracle.log_parser == EXIT_CODE_PARSER:
        return {}
    with tempfile.NamedTemporaryFile("w", suffix=".log", encoding="utf-8") as file:
        file.write(log)
        file.flush()
        found, _ = get_logs_eval(_test_spec(task), file.name)
    return dict(found)


def grade_output(task: Task, output: str, exit_code: int | None) -> Grade:
    """Grade what the tests alone printed, and the exit status of their last command.

    Without an exit status the tests did not come to their end, and there is no evidence.
    """
    from swebench.harness.constants import END_TEST_OUTPUT, START_TEST_OUTPUT, TEST_EXIT_CODE

    if exit_code is None:
        return grade(task, "")
    # The status stands first: of several, swebench takes the first.
    return grade(
        task,
        f"{TEST_EXIT_CODE}: {exit_code}\n{START_TEST_OUTPUT}\n{output}\n{END_TEST_OUTPUT}\n",
    )


def explain_missing(task: Task, log: str, missing: Sequence[str] | None = None) -> tuple[str, ...]:
    """Say why tests that look passed in a log did not count, a sentence each; at most `EXPLAINED`.

    `log` is what `evaluation_script` or the tests alone printed. `missing` are tests that a `Grade`
    of it names, by default those of `grade`. A test that the log says nothing of is not explained.
    """
    if task.oracle.log_parser == EXIT_CODE_PARSER:
        return ()
    if missing is None:
        found = grade(task, log)
        missing = (*found.missing_fail_to_pass, *found.missing_pass_to_pass)
    reader = _LogReader(task, log)
    sentences = (reader.why_not(name) for name in dict.fromkeys(missing[:_LOOKED_AT]))
    return tuple([one for one in sentences if one][:EXPLAINED])


class _LogReader:
    """A log as its parser reads it, and as a person does."""

    def __init__(self, task: Task, log: str) -> None:
        from swebench.harness.log_parsers import PARSER_REGISTRY

        self.name = task.oracle.log_parser
        self._parser = PARSER_REGISTRY[self.name]
        self._spec = _test_spec(task)
        marked = START_MARKER in log and END_MARKER in log
        inside = log.split(START_MARKER)[1].partition(END_MARKER)[0] if marked else log
        self._outside = _lines_of_passes(log) if marked else []
        self._inside = _lines_of_passes(inside)
        self._read = self._statuses(inside)
        # As swebench does where nothing stands between the markers.
        if marked and not self._read:
            self._inside, self._read = self._outside, self._statuses(log)

    def why_not(self, name: str) -> str:
        """Return a sentence, "" where the log does not look as if the test had passed."""
        if name in self._read:
            return self._overruled(name)
        if name.count("[") > name.count("]"):
            return self._ambiguous(name)
        if (line := _line_with(name, self._inside)) is not None:
            return f"{name} looks passed in the log, but {self.name} {self._reads(name, line)}"
        if _line_with(name, self._outside) is not None:
            return f"{name} looks passed in the log, but outside of what the tests printed"
        return ""

    def _reads(self, name: str, line: str) -> str:
        """Say what the parser makes of a line that is not about a test of this name to it."""
        read = self._statuses(line)
        if other := next((one for one in read if name.startswith(one)), None):
            return f"cuts its name to {other}"
        if read:
            return f"reads its name as {next(iter(read))}"
        if name in self._statuses(_COLOUR.sub("", line)):
            return "does not read coloured lines"
        return f"finds no result in {line.strip()!r:.120}"

    def _overruled(self, name: str) -> str:
        status = self._read[name]
        line = _line_with(name, self._inside)
        if line is None or self._statuses(line).get(name) not in {"PASSED", "XFAIL"}:
            return ""
        return f"{name} looks passed in the log, but is {status} in another line"

    def _ambiguous(self, name: str) -> str:
        """Say which tests an id may be that was cut when the dataset was made."""
        statuses = {one: status for one, status in self._read.items() if one.startswith(name)}
        passed = [one for one, status in statuses.items() if status in {"PASSED", "XFAIL"}]
        failed = [one for one in statuses if one not in passed]
        if not passed or not failed:
            return ""
        return (
            f"{name} is cut in the dataset, and of the tests that begin so {passed[0]} passed and "
            f"{failed[0]} did not"
        )

    def _statuses(self, text: str) -> Mapping[str, str]:
        try:
            read: Mapping[str, str] = self._parser(text, self._spec)
        except Exception:  # noqa: BLE001  a line alone may be less than a parser counts on
            return {}
        return read


def _lines_of_passes(text: str) -> list[str]:
    return [line for line in text.split("\n") if _PASSING.search(_COLOUR.sub("", line))]


def _line_with(name: str, lines: Iterable[str]) -> str | None:
    """Return the last line that names a test as a whole, not as a part of another's name."""
    found = None
    for line in lines:
        if name not in line:
            continue
        plain = _COLOUR.sub("", line)
        before, _, after = plain.partition(name)
        if before[-1:].strip() == "" and after[:1].strip() == "":
            found = line
    return found


def _test_spec(task: Task) -> Any:
    from swebench.harness.utils import make_test_spec

    oracle = task.oracle
    return make_test_spec(
        {
            "instance_id": task.id,
            "image": task.issue.image,
            "repo": task.issue.repo,
            "version": oracle.version,
            "FAIL_TO_PASS": list(oracle.fail_to_pass),
            "PASS_TO_PASS": list(oracle.pass_to_pass),
            "log_parser": oracle.log_parser,
            "eval_type": oracle.eval_type,
            "eval_script": oracle.eval_script,
        }
    )
