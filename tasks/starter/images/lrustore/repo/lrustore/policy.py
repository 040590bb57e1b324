"""Eviction policies: which key has to go when a cache is full."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Protocol


class Policy(Protocol):
    """Told of everything that happens to the keys of a cache."""

    def added(self, key: Hashable) -> None:
        """Take note of a new key."""

    def used(self, key: Hashable) -> None:
        """Take note that a key was read or overwritten."""

    def removed(self, key: Hashable) -> None:
        """Forget a key."""

    def victim(self) -> Hashable:
        """Return the key that has to go next."""

    def __iter__(self) -> Iterator[Hashable]:
        """Yield all keys, the next victim first."""


class FifoPolicy:
    """The key that was added first goes first."""

    def __init__(self) -> None:
        self._order: OrderedDict[Hashable, None] = OrderedDict()

    def added(self, key: Hashable) -> None:
        self._order[key] = None

    def used(self, key: Hashable) -> None:
        """Do nothing: use does not change the order."""

    def removed(self, key: Hashable) -> None:
        del self._order[key]

    def victim(self) -> Hashable:
        return next(iter(self))

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._order)


class LruPolicy(FifoPolicy):
    """The key that was not used for the longest time goes first."""

    def used(self, key: Hashable) -> None:
        self._order.move_to_end(key)


class LfuPolicy(FifoPolicy):
    """The key that was used least often goes first; among equals the oldest."""

    def __init__(self) -> None:
        super().__init__()
        self._uses: dict[Hashable, int] = {}

    def added(self, key: Hashable) -> None:
        super().added(key)
        self._uses[key] = 0

    def used(self, key: Hashable) -> None:
        self._uses[key] += 1

    def removed(self, key: Hashable) -> None:
        super().removed(key)
        del self._uses[key]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(sorted(self._order, key=self._uses.__getitem__))
