"""Whether a task can tell right from wrong: its base must fail, its gold patch must pass.

Run several times, it also tells which tests change their mind. It keeps nothing; see `eval.flaky`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from eval.flaky import Observed, Side, majority, observe, tells_tests
from eval.sweep import first_error
from eval.verdict import Verdict
from tasks.task import Oracle, Task

# Tests that a reason names; the rest are counted.
_NAMED = 3

Run = Callable[[str], Coroutine[None, None, Verdict]]
"""Runs the oracle's tests over a patch, always anew; "" is the base. Raises SandboxError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that makes a task invalid, and the tests that show it."""

    what: str
    """What each of the tests does (`fails on the base`), or all of it where there are none."""
    tests: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each test, without its full stop."""
        return tuple(f"{test} {self.what}" for test in self.tests) or (self.what,)

    @property
    def reason(self) -> str:
        """One for all tests, of which but a few are named."""
        if len(self.tests) <= 1:
            return self.sentences[0]
        count = len(self.tests)
        more = f" and {count - _NAMED:,} more" if count > _NAMED else ""
        return f"{count:,} tests, each of which {self.what}: {', '.join(self.tests[:_NAMED])}{more}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What the runs of one task showed, on its base and under its gold patch."""

    task_id: str
    found: tuple[Problem, ...]
    """What is wrong; empty when the task is valid."""
    base: Verdict
    gold: Verdict | None
    """Of several runs the majority; None when the task has no gold patch."""
    observed: Mapping[Side, Observed]
    """By side that was run."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a sentence without its full stop for each test."""
        return tuple(sentence for problem in self.found for sentence in problem.sentences)

    @property
    def valid(self) -> bool:
        """Base fails every FAIL_TO_PASS and passes every PASS_TO_PASS, gold passes all.

        Of several runs, more than half must.
        """
        return not self.found

    @property
    def flaky(self) -> tuple[str, ...]:
        """What changed its mind between the runs, one sentence without its full stop for each."""
        return tuple(text for side, seen in self.observed.items() for text in seen.sentences(side))


async def validate(task: Task, run: Run, *, repeat: int = 1) -> Validation:
    """Run the tests of one task on its base and under its gold patch, `repeat` times each.

    All runs are begun at once: `run` is what holds back more than there is room for. Raises
    SandboxError when one of them does, and ends the others.
    """
    oracle = task.oracle
    patches: dict[Side, str] = {"base": ""}
    if oracle.gold_patch is not None:
        patches["gold"] = oracle.gold_patch
    try:
        async with asyncio.TaskGroup() as group:
            under_way = {
                side: [group.create_task(run(patch)) for _ in range(repeat)]
                for side, patch in patches.items()
            }
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    runs = {side: [one.result() for one in several] for side, several in under_way.items()}
    found = _outvoted([_base_problems(oracle, verdict) for verdict in runs["base"]])
    if "gold" in runs:
        found += _outvoted([_gold_problems(verdict) for verdict in runs["gold"]])
    else:
        found.append(Problem(what="there is no gold patch"))
    return Validation(
        task_id=task.id,
        found=tuple(found),
        base=majority(runs["base"]),
        gold=majority(runs["gold"]) if "gold" in runs else None,
        observed={side: observe(verdicts) for side, verdicts in runs.items()},
    )


def _outvoted(runs: Sequence[Sequence[Problem]]) -> list[Problem]:
    """Return the problems that any run had, or none where more than half of the runs had none."""
    sound = sum(not problems for problems in runs)
    if sound * 2 > len(runs):
        return []
    tests: dict[str, dict[str, None]] = {}
    for problem in chain.from_iterable(runs):
        tests.setdefault(problem.what, {}).update(dict.fromkeys(problem.tests))
    return [Problem(what=what, tests=tuple(names)) for what, names in tests.items()]


def _base_problems(oracle: Oracle, base: Verdict) -> list[Problem]:
    if not tells_tests(base):
        return [_no_results(base, "the base")]
    passing = sorted(set(oracle.fail_to_pass) - set(base.missing_fail_to_pass))
    return [
        *_shown_by(passing, "passes already on the base"),
        *_shown_by(base.missing_pass_to_pass, "fails on the base"),
    ]


def _gold_problems(gold: Verdict) -> list[Problem]:
    if not tells_tests(gold):
        return [_no_results(gold, "the gold patch")]
    missing = (*gold.missing_fail_to_pass, *gold.missing_pass_to_pass)
    return _shown_by(missing, "fails under the gold patch")


def _shown_by(tests: Sequence[str], what: str) -> list[Problem]:
    return [Problem(what=what, tests=tuple(tests))] if tests else []


def _no_results(verdict: Verdict, what: str) -> Problem:
    if verdict.outcome == "not_applied":
        return Problem(what=f"{what} does not apply")
    return Problem(what=f"{what}: {verdict.note or verdict.outcome}")
