"""Flows: which events lead from which state to which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Guard = Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True)
class Transition:
    """One arrow of a flow."""

    event: str
    source: str
    target: str
    guard: Guard | None = None

    def allows(self, data: Mapping[str, object]) -> bool:
        """Whether the guard, if any, agrees."""
        return self.guard is None or bool(self.guard(data))


class Flow:
    """A set of transitions and the state in which everything starts."""

    def __init__(self, initial: str) -> None:
        self.initial = initial
        self._transitions: list[Transition] = []

    def add(
        self,
        event: str,
        source: str | Iterable[str],
        target: str,
        guard: Guard | None = None,
    ) -> None:
        """Let `event` lead from one source, or from several, to a target."""
        sources = [source] if isinstance(source, str) else list(source)
        for name in sources:
            self._transitions.append(Transition(event, name, target, guard))

    def candidates(self, event: str, state: str) -> list[Transition]:
        """The transitions of an event from a state, in the order they were added."""
        return [t for t in self._transitions if t.event == event and t.source == state]

    def events(self, state: str) -> list[str]:
        """The events that lead somewhere from a state, guards aside, each once."""
        return list(dict.fromkeys(t.event for t in self._transitions if t.source == state))

    @property
    def states(self) -> set[str]:
        """Every state that the flow mentions."""
        found = {self.initial}
        for transition in self._transitions:
            found |= {transition.source, transition.target}
        return found

    def reachable(self, state: str) -> set[str]:
        """The states that can follow a state, in any number of steps."""
        found: set[str] = set()
        frontier = [state]
        while frontier:
            current = frontier.pop()
            for transition in self._transitions:
                if transition.source == current and transition.target not in found:
                    found.add(transition.target)
                    frontier.append(transition.target)
        return found
