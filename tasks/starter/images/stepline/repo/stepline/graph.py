"""In which order things come that depend on each other."""

from __future__ import annotations

from collections.abc import Iterable

from stepline.errors import CycleFound
from stepline.plan import Plan, Step


def order(plan: Plan, targets: Iterable[str]) -> list[Step]:
    """The targets and all they depend on, each after what it depends on.

    Raises CycleFound or UnknownStep.
    """
    ordered: dict[str, Step] = {}

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            raise CycleFound([*path[path.index(name) :], name])
        if name in ordered:
            return
        step = plan[name]
        for other in step.needs:
            visit(other, [*path, name])
        ordered[name] = step

    for target in targets:
        visit(target, [])
    return list(ordered.values())


def levels(steps: Iterable[Step]) -> list[list[str]]:
    """Names in levels: each depends on earlier levels only. Raises CycleFound."""
    waiting = {step.name: list(step.needs) for step in steps}
    found = []
    while waiting:
        level = sorted(name for name, needs in waiting.items() if not needs)
        if not level:
            raise CycleFound(sorted(waiting))
        for name in level:
            del waiting[name]
        for needs in waiting.values():
            needs[:] = [name for name in needs if name not in level]
        found.append(level)
    return found
