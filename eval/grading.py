"""From the log of an evaluation to the tests that are missing, by SWE-bench's rules (5.0.2).

The parsers and the grading of tests are swebench's own (`harness/grading.py`). What is added here
is the task that has no parser, only the exit status of one command. Nothing here defends
against a candidate that forges its log; `eval.verify` does.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

from tasks.task import EXIT_CODE_PARSER, Task


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
        statuses, found = get_logs_eval(_test_spec(task), file.name)
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
