"""The cache itself: a limited number of items, each of which may expire."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from lrustore.policy import LruPolicy, Policy
from lrustore.stats import Stats


@dataclass
class Item:
    """A value, how long it may live (seconds), and the moment when it expires."""

    value: Any
    ttl: float | None
    expires_at: float | None


class Cache:
    """Holds up to `capacity` items; `clock` tells the time in seconds."""

    def __init__(
        self,
        capacity: int,
        *,
        ttl: float | None = None,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.ttl = ttl
        self.policy = LruPolicy() if policy is None else policy
        self.clock = clock
        self.stats = Stats()
        self._items: dict[Hashable, Item] = {}

    def set(self, key: Hashable, value: Any, ttl: float | None = None) -> None:
        """Keep a value; when the cache is full, another item has to go."""
        ttl = self.ttl if ttl is None else ttl
        expires_at = None if ttl is None else self.clock() + ttl
        if key in self._items:
            self.policy.used(key)
        else:
            if len(self._items) >= self.capacity:
                self._evict()
            self.policy.added(key)
        self._items[key] = Item(value, ttl, expires_at)

    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return the value of a key, or `default` when it is missing or expired."""
        item = self._items.get(key)
        if item is not None and self._is_expired(item):
            self.delete(key)
            self.stats.expirations += 1
            item = None
        if item is None:
            self.stats.misses += 1
            return default
        self.stats.hits += 1
        self.policy.used(key)
        return item.value

    def delete(self, key: Hashable) -> bool:
        """Forget a key; tell whether it was there."""
        if key not in self._items:
            return False
        del self._items[key]
        self.policy.removed(key)
        return True

    def items(self) -> Iterator[tuple[Hashable, Item]]:
        """Yield what has not expired, the next to be evicted first."""
        for key in list(self.policy):
            if not self._is_expired(self._items[key]):
                yield key, self._items[key]

    def __contains__(self, key: Hashable) -> bool:
        return key in self._items and not self._is_expired(self._items[key])

    def __len__(self) -> int:
        return len(self._items)

    def _is_expired(self, item: Item) -> bool:
        return item.expires_at is not None and self.clock() >= item.expires_at

    def _evict(self) -> None:
        self.delete(self.policy.victim())
        self.stats.evictions += 1
