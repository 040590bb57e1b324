"""Errors raised by flowstate."""

from __future__ import annotations


class FlowError(Exception):
    """Base class of everything that flowstate raises."""


class InvalidEvent(FlowError):
    """The event leads nowhere from this state."""

    def __init__(self, event: str, state: str) -> None:
        super().__init__(f"event {event!r} leads nowhere from state {state!r}")
        self.event = event
        self.state = state


class GuardRefused(FlowError):
    """Transitions fit the event, but every guard refused."""

    def __init__(self, event: str, state: str) -> None:
        super().__init__(f"event {event!r} is refused in state {state!r}")
        self.event = event
        self.state = state


class NothingToUndo(FlowError):
    """The history is empty."""


class SnapshotError(FlowError):
    """Saved data does not fit the flow."""
