"""When a request is sent again, and after how long.

The server's Retry-After is obeyed where it sends one; else waits double, with jitter. What kind of
fault is worth another try is decided in `agent.endpoint.faults`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import tenacity

from agent.backend import BackendError
from agent.endpoint.usage import Tokens

LONGEST_WAIT = 60.0
ATTEMPTS_BILLED = 2
"""How many attempts of one request may be lost after they were sent, and so be billed in vain:
one request costs at most this many times what one attempt can cost."""


class TransientError(BackendError):
    """A fault that may heal by itself, so that the same request is worth sending again."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        unreached: bool = False,
        lost: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the server asked to wait."""
        self.unreached = unreached
        """Nothing was sent, because no connection came about."""
        self.lost = lost
        """Sent and perhaps worked on, but the answer never came whole; it may be billed."""
        self.at_least: Tokens | None = None
        """What it used by then, where that was told."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a response asks to wait (a number or an HTTP date), None if none."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


def retrying(
    *, first_wait: float, patience: Callable[[TransientError], float]
) -> tenacity.AsyncRetrying:
    """Build the retrying of one request; it raises the last error when it gives up.

    `patience` gives the seconds after the first failure within which a next attempt may begin;
    how long the attempts themselves take does not count against the first of them, so that a
    request that ran into its time limit is still sent once more.
    """
    jitter = tenacity.wait_random(0, first_wait)
    backoff = tenacity.wait_exponential(multiplier=first_wait, max=LONGEST_WAIT) + jitter
    first_failure = 0.0
    lost = 0

    def wait(state: tenacity.RetryCallState) -> float:
        # What the server asks for is the least: one that asks for nothing again and again would
        # be asked in a busy loop.
        asked = _error(state).retry_after or 0.0
        return max(asked + jitter(state), backoff(state))

    def stop(state: tenacity.RetryCallState) -> bool:
        nonlocal first_failure, lost
        error = _error(state)
        now = state.outcome_timestamp or 0.0
        if state.attempt_number == 1:
            first_failure = now
        lost += error.lost
        waited = now + state.upcoming_sleep - first_failure
        return lost >= ATTEMPTS_BILLED or waited > patience(error)

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(TransientError), wait=wait, stop=stop, reraise=True
    )


def _error(state: tenacity.RetryCallState) -> TransientError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, TransientError)
    return error
