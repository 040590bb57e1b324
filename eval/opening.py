"""How the SQLite files of ksolve are opened: to be written, or only to be read.

Reading changes no record and leaves no file behind but the index (`-shm`) of a log whose own is
gone, works where nothing may be written, and finds what a killed run left in its log (`-wal`).
Nothing here knows what is in the tables.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, Pool, QueuePool, create_engine, event, inspect
from sqlalchemy.schema import CreateColumn

from eval.schema import SCHEMA

WAIT = 30.0
"""Seconds that one waits for a busy file; readers hardly ever do."""


class SchemaError(Exception):
    """A file was written by another version of ksolve."""


def open_database(path: Path, schema: MetaData, *, form: int = SCHEMA) -> Engine:
    """Open or make one file of that form. Raises SchemaError, and DatabaseError of SQLAlchemy."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # Enough against the death of the process; a power cut may take the last moments.
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA busy_timeout={WAIT * 1000:.0f}")
        cursor.close()

    version = _version(engine, path, form)
    if not version:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA user_version={form}")
    schema.create_all(engine)
    _add_columns(engine, schema)
    return engine


def open_to_read(path: Path, *, form: int = SCHEMA) -> Engine | None:
    """Open a file that is there, as `reader` does; None where nothing is in it.

    Raises as `open_database` does.
    """
    engine = reader(path)
    return engine if _version(engine, path, form) else None


def reader(path: Path, *, wait: float = WAIT, pool: type[Pool] = QueuePool) -> Engine:
    """Return an engine that only reads; nothing is opened before it is asked."""
    return create_engine("sqlite://", creator=lambda: connect(path, wait=wait), poolclass=pool)


def connect(path: Path, *, wait: float = WAIT) -> sqlite3.Connection:
    """Open a file for reading only, while others may write to it; raises sqlite3.Error."""
    log, index = (path.with_name(path.name + ending) for ending in ("-wal", "-shm"))
    settings = []
    if _size_and_time(log)[0]:
        how = "mode=ro"
        if not _is_writable(path) and not index.exists():
            # The log needs an index, which can be held in memory: nobody else has one, so nobody
            # writes, and no locks are needed.
            how += "&vfs=unix-none"
            settings = ["locking_mode=EXCLUSIVE"]
    elif _is_writable(path):
        # SQLite makes a log even to read. Opened so, it takes it away again at the end.
        how = "mode=rw"
        settings = ["query_only=1"]
    else:
        how = "mode=ro&immutable=1"
    uri = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(uri, uri=True, timeout=wait, check_same_thread=False)
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")
    return connection


def sentence(folder: Path, error: Exception) -> str:
    """Return what a person is told of an error of a database in a run folder."""
    reason = str(getattr(error, "orig", None) or error)
    if "full" in reason or "No space" in reason:
        return f"The disk that holds {folder} is full: free some space and run the command again."
    return f"The run folder {folder} cannot be used: {reason}."


def marks(path: Path) -> tuple[int, ...]:
    """Return what changes with a file, whoever changes it.

    A connection's own `data_version` knows only of what is written through SQLite, and of nothing
    where the file was taken to stay as it is.
    """
    return (*_size_and_time(path), *_size_and_time(path.with_name(f"{path.name}-wal")))


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _is_writable(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)


def _add_columns(engine: Engine, schema: MetaData) -> None:
    """Add what the tables of an earlier version lack; it is NULL in the rows that are there."""
    inspector = inspect(engine)
    for table in schema.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        lacking = [column for column in table.columns if column.name not in there]
        with engine.begin() as connection:
            for column in lacking:
                form = CreateColumn(column).compile(engine)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {form}")


def _version(engine: Engine, path: Path, form: int) -> int:
    with engine.connect() as connection:
        (version,) = connection.exec_driver_sql("PRAGMA user_version").one()
    if version not in (0, form):
        raise SchemaError(
            f"{path} was written by another version of ksolve (form {version}, this one "
            f"reads {form}): read it, or go on with it, by that version."
        )
    return int(version)
