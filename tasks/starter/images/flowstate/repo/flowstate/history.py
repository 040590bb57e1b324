"""What happened to a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One step: the event, and the states before and after it."""

    event: str
    source: str
    target: str


class History:
    """The steps of a machine, oldest first; with a limit, only the latest are kept."""

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self.limit = limit
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def record(self, entry: Entry) -> None:
        """Add a step, and drop the oldest beyond the limit."""
        self._entries.append(entry)
        if self.limit is not None and len(self._entries) > self.limit:
            del self._entries[0]

    def latest(self, count: int = 1) -> list[Entry]:
        """The last `count` steps, oldest of them first."""
        return self._entries[-count:] if count > 0 else []

    def pop(self) -> Entry:
        """Remove and return the last step. Raises IndexError when there is none."""
        return self._entries.pop()

    def visited(self, state: str) -> bool:
        """Whether a state was ever left or entered."""
        return any(state in (entry.source, entry.target) for entry in self._entries)
