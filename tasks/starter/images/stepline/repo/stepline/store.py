"""Keeps results in memory, some of them only for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kept:
    """A result, and the time from which on it is no longer good."""

    value: Any
    until: float | None


class Store:
    """Results by key. The clock gives seconds and may be replaced in tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Kept | None:
        """What is kept under a key and still good, or None."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until is not None and self._clock() >= kept.until:
            del self._kept[key]
            return None
        return kept

    def put(self, key: str, value: Any, keep: float | None = None) -> None:
        """Keep a result, for so many seconds or for ever."""
        until = None if keep is None else self._clock() + keep
        self._kept[key] = Kept(value, until)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
