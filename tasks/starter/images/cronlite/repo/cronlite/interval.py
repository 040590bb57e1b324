"""Fixed intervals, such as every 15 minutes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronlite.errors import IntervalError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Interval:
    """Due at `start` and then again after every `length`."""

    length: timedelta
    start: datetime

    def __post_init__(self) -> None:
        if self.length <= timedelta(0):
            raise IntervalError(f"an interval must be longer than {self.length}")

    @classmethod
    def parse(cls, text: str, start: datetime) -> Interval:
        """Read a length such as `90s`, `15m` or `1h30m`. Raises IntervalError."""
        if not re.fullmatch(r"(\d+[smhd])+", text):
            raise IntervalError(f"{text!r} is not a length such as 1h30m")
        seconds = sum(
            int(amount) * SECONDS[unit] for amount, unit in re.findall(r"(\d+)([smhd])", text)
        )
        return cls(timedelta(seconds=seconds), start)

    def next_run(self, after: datetime) -> datetime:
        """The first due moment later than `after`; runs that were missed are left out."""
        if after < self.start:
            return self.start
        missed = (after - self.start) // self.length
        return self.start + (missed + 1) * self.length
