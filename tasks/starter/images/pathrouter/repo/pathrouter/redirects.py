"""Addresses that have moved."""

from __future__ import annotations

from pathrouter.errors import RedirectLoop

MAX_HOPS = 10


class RedirectMap:
    """Old paths and where they moved. A path may have moved several times."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}

    def add(self, source: str, target: str) -> None:
        """Say that `source` has moved to `target`."""
        if source == target:
            raise RedirectLoop(f"{source!r} cannot move to itself")
        self._targets[source] = target

    def __contains__(self, path: str) -> bool:
        return path in self._targets

    def __len__(self) -> int:
        return len(self._targets)

    def resolve(self, path: str) -> str:
        """Where a path is now, after all its moves; itself when it never moved."""
        seen = [path]
        while path in self._targets:
            path = self._targets[path]
            if path in seen or len(seen) > MAX_HOPS:
                raise RedirectLoop(" -> ".join([*seen, path]))
            seen.append(path)
        return path
