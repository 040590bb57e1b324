"""A run folder that is read and never written, while another process may be writing to it.

Whatever keeps a page from being shown (no folder, another form, a busy file) is one sentence.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import zstandard
from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from eval.opening import connect, marks, reader
from eval.schema import SCHEMA, TEXTS

WAIT = 2.0
"""Seconds that a page waits for a busy file. Readers of a WAL file hardly ever do."""

_LOCKS = Path("/proc/locks")


class UnreadableError(Exception):
    """A run, or something in it, cannot be shown; the message is one sentence for a person."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> None:
        super().__init__(message)
        self.status = status


class RunFiles:
    """The two files of one run folder, opened for reading at each question."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records = reader(folder / "run.db", wait=WAIT, pool=NullPool)
        self._texts = reader(folder / "texts.db", wait=WAIT, pool=NullPool)

    @property
    def identity(self) -> tuple[int, int]:
        """What tells this run from another that is put in its place. Raises UnreadableError."""
        try:
            stat = (self.folder / "run.db").stat()
        except OSError:
            raise UnreadableError(
                f"{self.folder} holds no run any more: it was moved or removed."
            ) from None
        return stat.st_dev, stat.st_ino

    @contextlib.contextmanager
    def records(self) -> Iterator[Connection]:
        """Give a connection that sees the records as they are at one moment.

        Raises UnreadableError, also for what goes wrong while it is used.
        """
        assert self.identity
        with self._told(), self._records.connect() as connection:
            (form,) = connection.exec_driver_sql("PRAGMA user_version").one()
            if form not in (0, SCHEMA):
                raise UnreadableError(
                    f"{self.folder} was written by another version of ksolve (form {form}, this "
                    f"one reads {SCHEMA}): look at it with that version.",
                    HTTPStatus.CONFLICT,
                )
            connection.exec_driver_sql("BEGIN")
            yield connection

    def pulse(self) -> sqlite3.Connection:
        """Return a connection of one's own, for `data_version`. Raises UnreadableError."""
        try:
            return connect(self.folder / "run.db", wait=WAIT)
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def data_version(self, pulse: sqlite3.Connection) -> tuple[int, ...]:
        """Return numbers that change when another connection has written.

        Raises UnreadableError.
        """
        try:
            (version,) = pulse.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise self._broken(error) from error
        return int(version), *marks(self.folder / "run.db")

    def text(self, digest: str) -> str:
        """Return a large text by its digest. Raises UnreadableError."""
        with self._told(), self._texts.connect() as connection:
            row = connection.execute(
                select(TEXTS.c.zstd).where(TEXTS.c.digest == digest)
            ).one_or_none()
        if row is None:
            raise UnreadableError(f"{self.folder}/texts.db lacks a text that run.db speaks of.")
        return zstandard.decompress(row[0]).decode("utf-8", "surrogatepass")

    def is_drawn_into(self) -> bool:
        """Whether a ksolve that is alive draws into this run.

        The kernel's list of locks is read. Trying the lock would do too, but a ksolve that starts
        at that very moment would take the run for one that is being drawn into.
        """
        try:
            inode = (self.folder / "lock").stat().st_ino
            held = _LOCKS.read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        return any(
            f":{inode} " in line and " FLOCK " in line and " WRITE " in line
            for line in held.splitlines()
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Make a sentence of what a database says."""
        try:
            yield
        except DatabaseError as error:
            raise self._broken(error.orig or error) from error

    def _broken(self, error: BaseException) -> UnreadableError:
        reason = str(error)
        if "locked" in reason or "busy" in reason:
            return UnreadableError(
                f"{self.folder} is busy: reload the page in a moment.",
                HTTPStatus.SERVICE_UNAVAILABLE,
            )
        if "no such table" in reason:
            return UnreadableError(f"{self.folder} holds no run yet.")
        return UnreadableError(
            f"{self.folder} cannot be read: {reason}.", HTTPStatus.INTERNAL_SERVER_ERROR
        )
