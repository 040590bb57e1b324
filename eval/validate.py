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

Run = Callable[[str], Coroutine[None, None, Verdict]]
"""Runs the oracle's tests over a patch, always anew; "" is the base. Raises SandboxError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What the runs of one task showed, on its base and under its gold patch."""

    task_id: str
    problems: tuple[str, ...]
    # One sentence each; empty when the task is valid.
    base: Verdict
    gold: Verdict | None
    # Of several runs the majority; None when the task has no gold patch.
    observed: Mapping[Side, Observed]
    # By side that was run.

    @property
    def valid(self) -> bool:
        """Base fails every FAIL_TO_PASS and passes every PASS_TO_PASS, gold passes all.

        Of several runs, more than half must.
        """
        return not self.problems

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
    problems = _outvoted([_base_problems(oracle, verdict) for verdict in runs["base"]])
    if "gold" in runs:
        problems += _outvoted([_gold_problems(verdict) for verdict in runs["gold"]])
    else:
        problems.append("there is no gold patch")
    return Validation(
        task_id=task.id,
        problems=tuple(problems),
        base=majority(runs["base"]),
        gold=majority(runs["gold"]) if "gold" in runs else None,
        observed={side: observe(verdicts) for side, verdicts in runs.items()},
    )


def _outvoted(runs: Sequence[Sequence[str]]) -> list[str]:
    """Return the problems that any run had, or none where more than half of the runs had none."""
    sound = sum(not problems for problems in runs)
    return [] if sound * 2 > len(runs) else list(dict.fromkeys(chain.from_iterable(runs)))


def _base_problems(oracle: Oracle, base: Verdict) -> list[str]:
    if not tells_tests(base):
        return [_no_results(base, "the base")]
    passing = set(oracle.fail_to_pass) - set(base.missing_fail_to_pass)
    problems = [f"{name} passes already on the base" for name in sorted(passing)]
    return problems + [f"{name} fails on the base" for name in base.missing_pass_to_pass]


def _gold_problems(gold: Verdict) -> list[str]:
    if not tells_tests(gold):
        return [_no_results(gold, "the gold patch")]
    missing = (*gold.missing_fail_to_pass, *gold.missing_pass_to_pass)
    return [f"{name} fails under the gold patch" for name in missing]


def _no_results(verdict: Verdict, what: str) -> str:
    if verdict.outcome == "not_applied":
        return f"{what} does not apply"
    return f"{what}: {verdict.note or verdict.outcome}"
