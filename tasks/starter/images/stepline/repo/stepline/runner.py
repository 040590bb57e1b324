"""Runs plans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stepline.actions import action_named
from stepline.errors import StepFailed
from stepline.fingerprint import fingerprint
from stepline.graph import levels, order
from stepline.plan import Plan, Step
from stepline.store import Store


@dataclass
class Outcome:
    """The result of each step of a run, and which were run and which used again."""

    values: dict[str, Any] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)


class Runner:
    """Runs steps, and remembers their results from one run to the next."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = Store() if store is None else store

    def run(self, plan: Plan, targets: Iterable[str] | None = None) -> Outcome:
        """Run the targets, or everything, and whatever they need.

        A result that is still good is used again. Raises StepFailed, UnknownAction,
        UnknownStep or CycleFound.
        """
        outcome = Outcome()
        keys: dict[str, str] = {}
        wanted = [step.name for step in plan] if targets is None else targets
        for step in order(plan, wanted):
            key = fingerprint(step, [keys[name] for name in step.needs])
            keys[step.name] = key
            kept = self.store.get(key)
            if kept is not None:
                outcome.values[step.name] = kept.value
                outcome.reused.append(step.name)
                continue
            value = self._result(step, [outcome.values[name] for name in step.needs])
            self.store.put(key, value, step.keep)
            outcome.values[step.name] = value
            outcome.ran.append(step.name)
        return outcome

    def preview(self, plan: Plan, targets: Iterable[str] | None = None) -> str:
        """What a run would do, a line for steps that could run at the same time."""
        wanted = [step.name for step in plan] if targets is None else targets
        lines = [", ".join(level) for level in levels(order(plan, wanted))]
        return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))

    def _result(self, step: Step, inputs: list[Any]) -> Any:
        function = action_named(step.action)
        try:
            return function(inputs, **step.options)
        except Exception as error:
            raise StepFailed(step.name, error) from error
