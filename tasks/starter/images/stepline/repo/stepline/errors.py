"""Errors raised by stepline."""

from __future__ import annotations

from collections.abc import Iterable


class SteplineError(Exception):
    """Base class of everything that stepline raises."""


class BadPlan(SteplineError):
    """A plan cannot be read."""


class UnknownStep(SteplineError):
    """A plan has no such step."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no step {name!r}")
        self.name = name


class UnknownAction(SteplineError):
    """No action has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no action {name!r}")
        self.name = name


class CycleFound(SteplineError):
    """Steps wait for each other."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        super().__init__("these steps wait for each other: " + ", ".join(self.names))


class StepFailed(SteplineError):
    """The action of a step raised an exception, which is the cause of this one."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"step {name!r} failed: {error}")
        self.name = name
