"""One thing that goes through a flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowstate.errors import GuardRefused, InvalidEvent, NothingToUndo
from flowstate.flow import Flow, Transition
from flowstate.history import Entry, History

Listener = Callable[[Entry], None]


class Machine:
    """A state, the data that guards look at, and a history."""

    def __init__(
        self,
        flow: Flow,
        data: Mapping[str, object] | None = None,
        history_limit: int | None = None,
    ) -> None:
        self.flow = flow
        self.state = flow.initial
        self.data: dict[str, object] = dict(data or {})
        self.history = History(history_limit)
        self._listeners: list[Listener] = []

    def on_change(self, listener: Listener) -> None:
        """Call `listener` with the entry of every later step."""
        self._listeners.append(listener)

    def can(self, event: str) -> bool:
        """Whether `send` would succeed now."""
        return any(t.allows(self.data) for t in self.flow.candidates(event, self.state))

    def _choose(self, event: str) -> Transition:
        """The first transition whose guard agrees."""
        candidates = self.flow.candidates(event, self.state)
        if not candidates:
            raise InvalidEvent(event, self.state)
        for transition in candidates:
            if transition.allows(self.data):
                return transition
        raise GuardRefused(event, self.state)

    def send(self, event: str) -> str:
        """Take the event's transition and return the new state.

        Raises InvalidEvent or GuardRefused; the machine is then unchanged.
        """
        transition = self._choose(event)
        entry = Entry(event, self.state, transition.target)
        self.state = transition.target
        self.history.record(entry)
        for listener in self._listeners:
            listener(entry)
        return self.state

    def undo(self) -> str:
        """Go back one step; the guards are not asked. Raises NothingToUndo."""
        if not self.history:
            raise NothingToUndo("there is no step to take back")
        self.state = self.history.pop().source
        return self.state
