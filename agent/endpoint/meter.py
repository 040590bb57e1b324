"""How the busy time of one server is shared among the requests that it serves at once.

While n requests are in flight each accrues 1/n of the time that passes, so the shares of all
requests add up to exactly the time in which the server had something to do, however they overlap.
What each request really cost the accelerator is not known; equal shares are the convention.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Share:
    """One request's share of the busy time, in seconds; final when the request has left."""

    seconds: float = 0.0


class BusyMeter:
    """Shares a server's busy time equally among the requests in flight; O(1) a request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight = 0
        self._changed = 0.0
        self._accrued = 0.0
        # What a request in flight since the beginning of time would have accrued.

    @contextmanager
    def request(self) -> Iterator[Share]:
        """Count one request in flight for the length of the block."""
        share = Share()
        self._advance()
        self._in_flight += 1
        entered = self._accrued
        try:
            yield share
        finally:
            self._advance()
            self._in_flight -= 1
            share.seconds = self._accrued - entered

    def _advance(self) -> None:
        now = self._clock()
        if self._in_flight:
            self._accrued += (now - self._changed) / self._in_flight
        self._changed = now
