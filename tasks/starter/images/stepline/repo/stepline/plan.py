"""Plans: steps by name, made in code or read from a table such as a TOML file holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepline.errors import BadPlan, UnknownStep
from stepline.units import seconds

KEYS = {"do", "needs", "with", "keep"}


@dataclass(frozen=True)
class Step:
    """One thing to do, with the results of other steps as its inputs."""

    name: str
    action: str
    needs: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    keep: float | None = None
    # Seconds for which a result is good; None is for ever.


class Plan:
    """Steps, each with a name of its own."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._steps: dict[str, Step] = {}
        for step in steps:
            self.add(step)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())

    def __getitem__(self, name: str) -> Step:
        try:
            return self._steps[name]
        except KeyError:
            raise UnknownStep(name) from None

    def add(self, step: Step) -> None:
        """Add a step. Raises BadPlan when its name is taken."""
        if step.name in self._steps:
            raise BadPlan(f"there are two steps named {step.name!r}")
        self._steps[step.name] = step


def load_plan(table: Mapping[str, Mapping[str, Any]]) -> Plan:
    """A plan from a table of steps. Raises BadPlan."""
    plan = Plan()
    for name, row in table.items():
        unknown = sorted(set(row) - KEYS)
        if unknown:
            raise BadPlan(f"step {name!r} has no setting {unknown[0]!r}")
        if "do" not in row:
            raise BadPlan(f"step {name!r} does not say what to do")
        try:
            keep = seconds(row["keep"]) if "keep" in row else None
        except ValueError as error:
            raise BadPlan(f"step {name!r}: {error}") from error
        needs, options = list(row.get("needs", [])), dict(row.get("with", {}))
        plan.add(Step(name, row["do"], needs, options, keep))
    return plan
