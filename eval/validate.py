"""Whether a task can tell right from wrong: its base must fail, its gold patch must pass."""

from __future__ import annotations

from dataclasses import dataclass

from eval.verdict import Verdict
from eval.verify import evaluate
from sandbox.sandbox import Limits, SandboxHost
from tasks.task import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What the two runs of one task showed."""

    task_id: str
    problems: tuple[str, ...]
    # One sentence each; empty when the task is valid.
    base: Verdict
    gold: Verdict | None
    # None when the task has no gold patch.

    @property
    def valid(self) -> bool:
        """Base fails every FAIL_TO_PASS and passes every PASS_TO_PASS, gold passes all."""
        return not self.problems


async def validate(task: Task, sandboxes: SandboxHost, limits: Limits | None = None) -> Validation:
    """Run the tests of one task on its base and under its gold patch. Raises SandboxError."""
    oracle = task.oracle
    base = await evaluate(task, "", sandboxes, limits)
    problems = list(_ran(base, "the base"))
    if not problems:
        passing = set(oracle.fail_to_pass) - set(base.missing_fail_to_pass)
        problems += [f"{name} passes already on the base" for name in sorted(passing)]
        problems += [f"{name} fails on the base" for name in base.missing_pass_to_pass]
    gold = None
    if oracle.gold_patch is None:
        problems.append("there is no gold patch")
    else:
        gold = await evaluate(task, oracle.gold_patch, sandboxes, limits)
        problems += _ran(gold, "the gold patch")
        missing = (*gold.missing_fail_to_pass, *gold.missing_pass_to_pass)
        problems += [f"{name} fails under the gold patch" for name in missing]
    return Validation(task_id=task.id, problems=tuple(problems), base=base, gold=gold)


def _ran(verdict: Verdict, what: str) -> list[str]:
    if verdict.outcome == "not_applied":
        return [f"{what} does not apply"]
    if verdict.outcome == "timeout":
        return [f"{what}: {verdict.note}"]
    if verdict.outcome == "unresolved" and "no test run" in verdict.note:
        return [f"{what}: {verdict.note}"]
    return []
