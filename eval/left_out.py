"""The tasks that a session cannot have, since their image is missing: what stays pending, and why.

The others go on. A failure is recorded for every sample that was to be judged, and for the first
of each solver that was to be drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.backend import Usage
from eval.plan import Plan
from eval.sample import Failure, SampleKey, Stage
from eval.store import Store
from sandbox.sandbox import SandboxError


def record_left_out(plan: Plan, store: Store, why: Mapping[str, SandboxError]) -> list[Failure]:
    """Record, and return, what stays pending of a plan; `why` is by the ids of tasks. Blocks."""
    failures = [
        Failure(key=key, stage=stage, message=str(why[key.task_id]), cost=0.0, usage=Usage())
        for key, stage in _pending(plan, store, why)
    ]
    for failure in failures:
        store.add_failure(failure)
    return failures


def _pending(
    plan: Plan, store: Store, why: Mapping[str, SandboxError]
) -> Iterator[tuple[SampleKey, Stage]]:
    for key in store.unverified():
        if key.task_id in why:
            yield key, "verify"
    done = store.solved() if plan.stops_at_solve else set()
    for solver in plan.solvers:
        drawn = store.drawn(solver.model.name, solver.name)
        for task_id in why.keys() - done:
            wanted = range(plan.samples_of(solver))
            index = next((i for i in wanted if i not in drawn.get(task_id, ())), None)
            if index is not None:
                key = SampleKey(
                    task_id=task_id,
                    model=solver.model.name,
                    strategy=solver.name,
                    index=index,
                )
                yield key, "sample"
