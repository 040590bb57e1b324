"""One run, kept up with: a look costs next to nothing while nothing changes.

SQLite's `data_version` says whether another process has written; what is new is then counted and
added to what was counted before. The whole run is counted once, at the first look.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from ksolve.view import queries
from ksolve.view.rundb import RunFiles, UnreadableError
from ksolve.view.standing import ForeignSampleError, Standing, Tally

PACE = 600.0
"""Seconds of the past that the time left is estimated from."""

_ENOUGH = 5
# Verdicts that a pace stands on, at least.


@dataclass(slots=True)
class _Followed:
    """What is known of one file, so that only what is new has to be asked."""

    identity: tuple[int, int]
    pulse: sqlite3.Connection
    version: int = -1
    # That `standing` was counted at.
    standing: Standing | None = None
    tally: Tally | None = None
    last_row: int = 0
    owed: set[int] = field(default_factory=set)
    # Rows of samples that were counted as owed.
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
        is_old = seen.standing is None or version != seen.version
        # A ksolve may begin and end without a word in the file.
        if is_old or (seen.standing and (seen.standing.state == "drawing") != is_drawn_into):
            seen.standing = self._count(seen, is_drawn_into=is_drawn_into)
            seen.version = version
        assert seen.standing is not None
        return seen.standing

    def _count(self, seen: _Followed, *, is_drawn_into: bool) -> Standing:
        with self.files.records() as connection:
            config = queries.config_of(connection)
            if config is None:
                raise UnreadableError(f"{self.files.folder} holds no run yet.")
            tally, seen.tally = seen.tally, None
            # Kept only when all is counted: after an error everything is counted anew.
            if tally is None or not tally.is_of(config):
                tally, seen.last_row, seen.owed = Tally(config), 0, set()
            owed, last = queries.owed(connection), queries.last_row(connection)
            if settled := seen.owed - owed:
                tally.settle(queries.settled(connection, settled))
            if last > seen.last_row:
                tally.add(queries.counts(connection, above=seen.last_row))
            seen.tally, seen.last_row, seen.owed = tally, last, owed
            failed_costs = queries.failed_costs(connection)
            failures = queries.failures(connection)
        return tally.standing(
            config=config,
            failed_costs=failed_costs,
            failures=len(failures),
            is_drawn_into=is_drawn_into,
            pace=_pace(seen.verdicts, tally.judged) if is_drawn_into else None,
        )


def _pace(verdicts: deque[tuple[float, int]], judged: int) -> float | None:
    """Return verdicts a second over the last minutes; None while there are too few to tell.

    When a sample came is not on record, so this is what was seen from here.
    """
    now = time.monotonic()
    verdicts.append((now, judged))
    while now - verdicts[0][0] > PACE:
        verdicts.popleft()
    since, before = verdicts[0]
    if judged - before < _ENOUGH or now <= since:
        return None
    return (judged - before) / (now - since)
