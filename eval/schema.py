"""The tables of a run folder, of which `eval.opening` opens the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from sqlalchemy import (
    Column,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from agent.backend import USAGE

SCHEMA = 3
"""Of both files; a run folder of another number is refused rather than misread."""


class AnyText(Text):
    """A text for people, which may repeat what a model or a patch said: half a character, too."""

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002
        """Write out what no database can hold."""
        return lambda value: value and value.encode(errors="backslashreplace").decode()


Ending = Literal["complete", "budget", "gave up", "failed"]
"""Of a session: nothing is left to draw; money is short; what is left is not worth its cost; some
could not be drawn or judged."""


def _usage(*, nullable: bool) -> Iterator[Column[Any]]:
    for name in USAGE:
        kind = Float if "seconds" in name or name in {"billed", "billed_at_list"} else Integer
        yield Column(f"usage_{name}", kind, nullable=nullable)


RECORDS = MetaData()
TEXTS_SCHEMA = MetaData()

RUNS = Table("run", RECORDS, Column("digest", String, primary_key=True), Column("config", Text))
SESSIONS = Table(
    "sessions",
    RECORDS,
    Column("id", Integer, primary_key=True),
    Column("ended", String),
    # An `Ending`; NULL while it goes on, and for ever where it was killed.
)
"""Runs of earlier versions have none."""

PROFILES = Table(
    "profiles",
    RECORDS,
    Column("model", String, primary_key=True),
    Column("profile", Text, nullable=False),
)
"""What was seen of each model, as `EndpointBackend.memory` tells it."""

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
    Column("note", AnyText, nullable=False),
    Column("seed", Integer),
    Column("temperature", Float),
    # JSON of the settings that really were in its last request.
    Column("sent", Text, nullable=False),
    Column("strategy_version", String, nullable=False),
    Column("variant", String, nullable=False),
    # Which of its prompts; "" where there is but one.
    Column("prompt_digest", String, nullable=False),
    Column("trajectory", String, nullable=False),
    *_usage(nullable=False),
    Column("seconds", Float, nullable=False),
    Column("cost", Float),
    # US dollars, NULL when the price is unknown.
    Column("verdict_key", String, index=True),
    # NULL while the verdict is pending.
    PrimaryKeyConstraint("model", "strategy", "task_id", "index"),
)
VERDICTS = Table(
    "verdicts",
    RECORDS,
    Column("key", String, primary_key=True),
    Column("outcome", String, nullable=False),
    Column("missing", Text, nullable=False),
    Column("exit_code", Integer),
    Column("note", AnyText, nullable=False),
    Column("log", String, nullable=False),
    Column("seconds", Float, nullable=False),
)
SUSPICIONS = Table(
    "suspicions",
    RECORDS,
    Column("verdict_key", String, primary_key=True),
    # How many of them count.
    Column("strong", Integer, nullable=False),
    # JSON: a list of what `eval.suspicions.suspicion.Suspicion` holds.
    Column("found", Text, nullable=False),
)
"""Of verdicts whose patches are suspicious. Runs of earlier versions have no such table."""

FAILURES = Table(
    "failures",
    RECORDS,
    Column("id", Integer, primary_key=True),
    Column("task_id", String, nullable=False),
    Column("model", String, nullable=False),
    Column("strategy", String, nullable=False),
    Column("index", Integer, nullable=False),
    Column("stage", String, nullable=False),
    Column("message", AnyText, nullable=False),
    Column("cost", Float),
    # US dollars that its attempts were or may have been billed, NULL when unknown.
    *_usage(nullable=True),
)
"""Runs of earlier versions have no usage, and where they are gone on with, NULL."""

TEXTS = Table(
    "texts",
    TEXTS_SCHEMA,
    Column("digest", String, primary_key=True),
    Column("zstd", LargeBinary, nullable=False),
)
