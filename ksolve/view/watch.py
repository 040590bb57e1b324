"""One run, kept up with: a look costs next to nothing while nothing changes.

SQLite's `data_version` says whether another process has written; what is new is then counted and
added to what was counted before. The whole run is counted once, at the first look.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from eval.failures import failed, failures
from ksolve.view import queries
from ksolve.view.rundb import RunFiles, UnreadableError
from ksolve.view.standing import ForeignSampleError, Standing, Tally

PACE = 600.0
"""Seconds of the past that the time left is estimated from."""

AGAIN = 15.0
"""Seconds after which it is estimated again, though nothing came."""

STALLED, GAPS = 60.0, 10
"""Seconds without a verdict after which there is no pace, or so many times the usual gap."""

_ENOUGH = 5
# Verdicts that a pace stands on, at least.


@dataclass(slots=True)
class _Followed:
    """What is known of one file, so that only what is new has to be asked."""

    identity: tuple[int, int]
    pulse: sqlite3.Connection
    origin: str = field(default_factory=lambda: secrets.token_hex(4))
    version: tuple[int, ...] = ()
    # That `standing` was counted at.
    counted: float = 0.0
    # When.
    standing: Standing | None = None
    tally: Tally | None = None
    last_row: int = 0
    pending: set[int] = field(default_factory=set)
    # Rows of samples that were counted as pending.
    verdicts: deque[tuple[float, int]] = field(default_factory=deque)
    # How many there were, and when.


class Watch:
    """The standing of one run. Methods block and may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.files = RunFiles(folder)
        self._lock = threading.Lock()
        self._followed: _Followed | None = None

    def close(self) -> None:
        """Let go of the file, unless somebody is looking."""
        if self._lock.acquire(blocking=False):
            self._forget()
            self._lock.release()

    def now(self) -> Standing:
        """Return how far the run is; the same object while nothing changes.

        Raises UnreadableError.
        """
        with self._lock:
            try:
                return self._look(self._follow())
            except ForeignSampleError as error:
                raise UnreadableError(
                    f"{self.files.folder} cannot be shown: {error}.", HTTPStatus.CONFLICT
                ) from error
            except (KeyError, TypeError, ValueError) as error:
                raise UnreadableError(
                    f"{self.files.folder} cannot be shown: its configuration is of another form.",
                    HTTPStatus.CONFLICT,
                ) from error

    def _follow(self) -> _Followed:
        identity = self.files.identity
        if self._followed is not None and self._followed.identity != identity:
            self._forget()
        if self._followed is None:
            self._followed = _Followed(identity=identity, pulse=self.files.pulse())
        return self._followed

    def _forget(self) -> None:
        if self._followed is not None:
            self._followed.pulse.close()
        self._followed = None

    def _look(self, seen: _Followed) -> Standing:
        is_drawn_into = self.files.is_drawn_into()
        # Asked before it is counted: what comes in between is counted at the next look, too.
        version = self.files.data_version(seen.pulse)
        now, at = time.monotonic(), seen.standing
        # A ksolve may begin and end without a word in the file, and a pace is soon out of date.
        if (
            at is None
            or version != seen.version
            or (at.state == "drawing") != is_drawn_into
            or (at.pace is not None and now - seen.counted > AGAIN)
        ):
            at = seen.standing = self._count(seen, is_drawn_into=is_drawn_into)
            seen.version, seen.counted = version, now
        return at

    def _count(self, seen: _Followed, *, is_drawn_into: bool) -> Standing:
        with self.files.records() as connection:
            config = queries.config_of(connection)
            if config is None:
                raise UnreadableError(f"{self.files.folder} holds no run yet.")
            tally, seen.tally = seen.tally, None
            # Kept only when all is counted: after an error everything is counted anew.
            pending, last = queries.pending(connection), queries.last_row(connection)
            if tally is not None and (not tally.is_of(config) or last < seen.last_row):
                tally, seen.origin = None, secrets.token_hex(4)
            if tally is None:
                tally, seen.last_row, seen.pending = Tally(config), 0, set()
                seen.verdicts.clear()
            if settled := seen.pending - pending:
                tally.settle(queries.settled(connection, settled))
            if last > seen.last_row:
                tally.add(queries.counts(connection, above=seen.last_row))
            seen.tally, seen.last_row, seen.pending = tally, last, pending
            failed_costs = {arm: of.cost for arm, of in failed(connection).items()}
            failed_now = failures(connection)
            ended = queries.ended(connection)
        if not is_drawn_into:
            # A pause is no part of a pace.
            seen.verdicts.clear()
        return tally.standing(
            origin=seen.origin,
            config=config,
            failed_costs=failed_costs,
            failures=len(failed_now),
            is_drawn_into=is_drawn_into,
            ended=ended,
            pace=pace(seen.verdicts, tally.judged, time.monotonic()) if is_drawn_into else None,
        )


def pace(verdicts: deque[tuple[float, int]], judged: int, now: float) -> float | None:
    """Return verdicts a second over the last minutes; None while there are too few to tell.

    `verdicts` is what was seen before, when and how many: when a sample came is not on record.
    What is seen `now` is added. Nor is there a pace where verdicts have ceased to come.
    """
    if not verdicts or judged != verdicts[-1][1]:
        verdicts.append((now, judged))
    while len(verdicts) > 1 and now - verdicts[0][0] > PACE:
        verdicts.popleft()
    since, before = verdicts[0]
    latest, _ = verdicts[-1]
    if judged - before < _ENOUGH or latest <= since:
        return None
    if now - latest > max(STALLED, GAPS * (latest - since) / (judged - before)):
        return None
    return (judged - before) / (now - since)
