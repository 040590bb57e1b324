"""The tables of a run folder and how its two SQLite files are opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    create_engine,
    event,
)

from agent.backend import USAGE

SCHEMA = 2
"""Of both files; a run folder of another number is refused rather than misread."""

RECORDS = MetaData()
TEXTS_SCHEMA = MetaData()

RUNS = Table("run", RECORDS, Column("digest", String, primary_key=True), Column("config", Text))
SAMPLES = Table(
    "samples",
    RECORDS,
    Column("task_id", String),
    Column("model", String),
    Column("strategy", String),
    Column("index", Integer),
    Column("patch", String, nullable=False),
    # Digest of the text as the model gave it.
    Column("patch_digest", String, nullable=False),
    # Digest of the normalised patch.
    Column("stop", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("seed", Integer),
    Column("temperature", Float),
    Column("strategy_version", String, nullable=False),
    Column("variant", String, nullable=False),
    # Which of its prompts; "" where there is but one.
    Column("prompt_digest", String, nullable=False),
    Column("trajectory", String, nullable=False),
    *(
        Column(f"usage_{name}", Float if "seconds" in name else Integer, nullable=False)
        for name in USAGE
    ),
    Column("seconds", Float, nullable=False),
    Column("cost", Float),
    # US dollars, NULL when the price is unknown.
    Column("verdict_key", String, index=True),
    # NULL while the verdict is owed.
    PrimaryKeyConstraint("model", "strategy", "task_id", "index"),
)
VERDICTS = Table(
    "verdicts",
    RECORDS,
    Column("key", String, primary_key=True),
    Column("outcome", String, nullable=False),
    Column("missing", Text, nullable=False),
    Column("exit_code", Integer),
    Column("note", Text, nullable=False),
    Column("log", String, nullable=False),
    Column("seconds", Float, nullable=False),
)
FAILURES = Table(
    "failures",
    RECORDS,
    Column("id", Integer, primary_key=True),
    Column("task_id", String, nullable=False),
    Column("model", String, nullable=False),
    Column("strategy", String, nullable=False),
    Column("index", Integer, nullable=False),
    Column("stage", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("cost", Float),
    # US dollars that its attempts were or may have been billed, NULL when unknown.
)
TEXTS = Table(
    "texts",
    TEXTS_SCHEMA,
    Column("digest", String, primary_key=True),
    Column("zstd", LargeBinary, nullable=False),
)


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
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.close()

    with engine.connect() as connection:
        (version,) = connection.exec_driver_sql("PRAGMA user_version").one()
        if version not in (0, form):
            raise SchemaError(
                f"{path} was written by another version of ksolve (form {version}, this one "
                f"reads {form}): use that version, or another --out."
            )
        if not version:
            connection.exec_driver_sql(f"PRAGMA user_version={form}")
            connection.commit()
    schema.create_all(engine)
    return engine


def sentence(folder: Path, error: Exception) -> str:
    """Return what a person is told of an error of a database in a run folder."""
    reason = str(getattr(error, "orig", None) or error)
    if "full" in reason or "No space" in reason:
        return f"The disk that holds {folder} is full: free some space and run the command again."
    return f"The run folder {folder} cannot be used: {reason}."
