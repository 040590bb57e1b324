"""Validating a task, once and several times: what makes it valid, and what makes it flaky."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from itertools import cycle

import pytest

from eval.validate import Run, validate
from eval.verdict import Verdict
from sandbox.sandbox import SandboxError
from tasks.task import Issue, Oracle, Task

TASK = Task(
    issue=Issue(id="t", statement="s", repo="r", base_commit="c", image="i"),
    oracle=Oracle(
        eval_script="",
        fail_to_pass=("f",),
        pass_to_pass=("p",),
        log_parser="parse_log_pytest",
        gold_patch="gold",
    ),
)
BASE = Verdict(outcome="unresolved", missing_fail_to_pass=("f",))
GOLD = Verdict(outcome="resolved", seconds=1.0)
P_FAILS = Verdict(outcome="unresolved", missing_pass_to_pass=("p",), seconds=1.0)
BOTH_FAIL = Verdict(outcome="unresolved", missing_fail_to_pass=("f",), missing_pass_to_pass=("p",))
TIMED_OUT = Verdict(outcome="timeout", note="stopped after 5 s")
OUT_OF_MEMORY = dataclasses.replace(BOTH_FAIL, note="ended by its memory limit")
NOTHING_RAN = dataclasses.replace(BOTH_FAIL, note="the log shows no test run")
NOT_APPLIED = Verdict(outcome="not_applied", note="The patch does not fit the files.")


def runs(base: Sequence[Verdict], gold: Sequence[Verdict]) -> Run:
    """Answer runs of the base, and of the gold patch, with these in their order, over and over."""
    verdicts = {"": cycle(base), "gold": cycle(gold)}

    async def run(patch: str) -> Verdict:
        await asyncio.sleep(0)
        return next(verdicts[patch])

    return run


@pytest.mark.parametrize("repeat", [1, 3])
@pytest.mark.parametrize(
    ("base", "gold", "problems"),
    [
        (BASE, GOLD, ()),
        (GOLD, GOLD, ("f passes already on the base",)),
        (BOTH_FAIL, GOLD, ("p fails on the base",)),
        (BASE, P_FAILS, ("p fails under the gold patch",)),
        (TIMED_OUT, GOLD, ("the base: stopped after 5 s",)),
        (OUT_OF_MEMORY, GOLD, ("the base: ended by its memory limit",)),
        (BASE, OUT_OF_MEMORY, ("the gold patch: ended by its memory limit",)),
        (BASE, NOTHING_RAN, ("the gold patch: the log shows no test run",)),
        (BASE, NOT_APPLIED, ("the gold patch does not apply",)),
    ],
    ids=[
        "valid",
        "nothing-to-mend",
        "broken-base",
        "broken-gold",
        "base-times-out",
        "base-is-killed",
        "gold-is-killed",
        "nothing-ran",
        "gold-does-not-apply",
    ],
)
async def test_what_always_happens_is_judged_alike_however_often(
    base: Verdict, gold: Verdict, problems: tuple[str, ...], repeat: int
) -> None:
    found = await validate(TASK, runs([base], [gold]), repeat=repeat)
    assert found.problems == problems
    assert found.valid == (not problems)
    assert found.flaky == ()
    assert [seen.runs for seen in found.observed.values()] == [repeat, repeat]


async def test_a_task_that_fails_now_and_then_is_flaky_and_valid() -> None:
    found = await validate(TASK, runs([BASE], [P_FAILS, GOLD, GOLD, P_FAILS, GOLD]), repeat=5)
    assert found.valid
    assert found.flaky == ("p failed in 2 of 5 runs of the gold patch",)
    assert found.gold is not None
    assert (found.gold.outcome, found.gold.seconds) == ("resolved", 5.0)


@pytest.mark.parametrize(
    ("base", "gold", "problem"),
    [
        ([BASE], [P_FAILS, GOLD], "p fails under the gold patch"),
        ([GOLD, BASE, GOLD], [GOLD], "f passes already on the base"),
    ],
)
async def test_a_task_that_is_wrong_half_of_the_time_is_flaky_and_invalid(
    base: Sequence[Verdict], gold: Sequence[Verdict], problem: str
) -> None:
    found = await validate(TASK, runs(base, gold), repeat=6)
    assert found.problems == (problem,)
    assert len(found.flaky) == 1


async def test_a_run_that_times_out_now_and_then_makes_a_task_flaky() -> None:
    found = await validate(TASK, runs([BASE], [GOLD, TIMED_OUT, GOLD]), repeat=3)
    assert found.valid
    assert found.flaky == ("1 of 3 runs of the gold patch gave no results (stopped after 5 s)",)


async def test_a_fault_of_the_sandbox_is_no_finding_and_ends_the_other_runs() -> None:
    ended = 0

    async def run(patch: str) -> Verdict:
        nonlocal ended
        if patch:
            raise SandboxError("the daemon is gone")
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1
        return BASE

    with pytest.raises(SandboxError, match="the daemon is gone"):
        await validate(TASK, run, repeat=4)
    assert ended == 4


async def test_a_reason_names_a_few_tests_and_counts_the_others() -> None:
    """97 KB of names were printed, and no reason."""
    tests = tuple(f"tests/test_x.py::test_{number}" for number in range(2_000))
    oracle = dataclasses.replace(TASK.oracle, fail_to_pass=tests, pass_to_pass=("p",))
    task = dataclasses.replace(TASK, oracle=oracle)
    base = Verdict(outcome="unresolved", missing_pass_to_pass=("p",))
    found = await validate(task, runs([base], [GOLD]))
    assert len(found.problems) == 2_001
    first, second = [problem.reason for problem in found.found]
    assert first.startswith(
        "2,000 tests, each of which passes already on the base: tests/test_x.py"
    )
    assert first.endswith(" and 1,997 more")
    assert len(first) < 200
    assert second == "p fails on the base"
