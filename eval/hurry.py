"""Whether FAIL_TO_PASS may be run first, and the rest left out when one of them fails.

A patch that fails a FAIL_TO_PASS is unresolved whatever else it does; but a test may depend on
those that ran before it. So the shorter way is taken only for a task on which it was shown to
give the same answer, for its gold patch and for its base.
"""

from __future__ import annotations

from dataclasses import replace

from eval.baseline import Baseline
from eval.verify import evaluate
from sandbox.sandbox import Limits, SandboxHost
from tasks.task import Task


async def proved(
    task: Task, baseline: Baseline, sandboxes: SandboxHost, limits: Limits | None = None
) -> Baseline:
    """Return the baseline, which allows the shorter way if it proved right.

    Raises SandboxError.
    """
    oracle = task.oracle
    if not baseline.witnessed or oracle.gold_patch is None:
        return replace(baseline, hurry=False)
    trial = replace(baseline, hurry=True)
    gold = await evaluate(task, oracle.gold_patch, sandboxes, limits, baseline=trial)
    base = await evaluate(task, "", sandboxes, limits, baseline=trial)
    same = gold.outcome == "resolved" and set(base.missing_fail_to_pass) == {*oracle.fail_to_pass}
    return replace(baseline, hurry=same)
