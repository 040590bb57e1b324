"""How long to wait before a failed job is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff: each wait is `factor` times the one before, up to `max_delay`."""

    max_attempts: int = 5
    # Tries in all, the first one included.
    base_delay: float = 1.0
    # Seconds before the first retry.
    factor: float = 2.0
    max_delay: float = 300.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError("max_attempts must be at least 1")
        if self.base_delay < 0 or self.factor < 1:
            raise ValueError("base_delay must not be negative, and factor at least 1")

    def should_retry(self, attempt: int) -> bool:
        """Whether another try follows after try number `attempt` (from 1) has failed."""
        return attempt < self.max_attempts

    def delay(self, attempt: int) -> float:
        """Seconds to wait after try number `attempt` (from 1) has failed."""
        if attempt < 1:
            raise ValueError(f"attempts are counted from 1, not {attempt}")
        return min(self.base_delay * self.factor ** (attempt - 1), self.max_delay)

    def delays(self) -> Iterator[float]:
        """All waits of a job that never succeeds, in their order."""
        attempt = 1
        while self.should_retry(attempt):
            yield self.delay(attempt)
            attempt += 1

    def total(self) -> float:
        """Seconds spent waiting when every try fails."""
        return sum(self.delays())
