"""Counts what a cache did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Stats:
    """Counters of one cache since it was made or reset."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    expirations: int = 0

    @property
    def lookups(self) -> int:
        """How often the cache was asked for an item."""
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        """The share of lookups that found their item, from 0.0 to 1.0."""
        if self.lookups == 0:
            return 0.0
        return self.hits / self.lookups

    def reset(self) -> None:
        """Start counting from zero."""
        self.hits = self.misses = self.evictions = self.expirations = 0

    def summary(self) -> str:
        """Return one line for a log."""
        return (
            f"{self.lookups} lookups, {self.hit_rate:.0%} hits, "
            f"{self.evictions} evicted, {self.expirations} expired"
        )
