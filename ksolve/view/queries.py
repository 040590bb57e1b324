"""What the pages ask of a run's records: counts where there may be many samples, few rows else.

Samples are never deleted and get rising row numbers, so what is new is what lies above the last
number seen; a verdict changes the row of its sample in place.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    and_,
    func,
    inspect,
    literal_column,
    select,
)

from agent.backend import USAGE, Usage
from eval.sample import SampleKey
from eval.schema import RUNS, SAMPLES, SESSIONS, VERDICTS, Ending

_row: ColumnElement[int] = literal_column("samples.rowid", Integer)
_OUTCOMES = SAMPLES.outerjoin(VERDICTS, SAMPLES.c.verdict_key == VERDICTS.c.key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """Samples of one issue by one solver that have one outcome."""

    task_id: str
    model: str
    strategy: str
    outcome: str | None
    # None while the verdict is pending.
    samples: int
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    # US dollars, of those whose price is known.
    unpriced: int = 0
    # Samples whose price is not.


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One sample in a list."""

    index: int
    outcome: str | None
    stop: str
    usage: Usage
    seconds: float
    cost: float | None


def config_of(connection: Connection) -> dict[str, Any] | None:
    """Return the configuration of the run, None where there is none yet."""
    row = connection.execute(select(RUNS.c.config)).first()
    return None if row is None else json.loads(row[0])


def ended(connection: Connection) -> Ending | None:
    """Return why the latest session has ended, None where nothing is known of that."""
    if not inspect(connection).has_table(SESSIONS.name):
        return None
    latest = select(SESSIONS.c.ended).order_by(SESSIONS.c.id.desc())
    ending: Ending | None = connection.execute(latest).scalar()
    return ending


def last_row(connection: Connection) -> int:
    """Return the number of the newest sample's row, 0 where there is none."""
    return connection.execute(select(func.max(_row)).select_from(SAMPLES)).scalar() or 0


def counts(connection: Connection, *, above: int) -> list[Count]:
    """Count the samples whose row numbers are greater."""
    columns = SAMPLES.c
    group = (columns.task_id, columns.model, columns.strategy, VERDICTS.c.outcome)
    query = (
        select(
            *group,
            func.count(),
            func.sum(columns.usage_input_tokens),
            func.sum(columns.usage_cached_tokens),
            func.sum(columns.usage_output_tokens),
            func.coalesce(func.sum(columns.cost), 0.0),
            func.sum(columns.cost.is_(None)),
        )
        .select_from(_OUTCOMES)
        .where(_row > above)
        .group_by(*group)
    )
    names = [field.name for field in dataclasses.fields(Count)]
    return [Count(**dict(zip(names, row, strict=True))) for row in connection.execute(query)]


def pending(connection: Connection) -> set[int]:
    """Return the row numbers of the samples whose verdict is pending; an index has them."""
    query = select(_row).select_from(SAMPLES).where(SAMPLES.c.verdict_key.is_(None))
    return {row for (row,) in connection.execute(query)}


def settled(connection: Connection, rows: Collection[int]) -> list[Count]:
    """Count these samples by the outcomes that they have by now."""
    group = (SAMPLES.c.task_id, SAMPLES.c.model, SAMPLES.c.strategy, VERDICTS.c.outcome)
    value: ColumnElement[int] = literal_column("value", Integer)
    wanted = select(value).select_from(func.json_each(json.dumps(list(rows))))
    query = (
        select(*group, func.count()).select_from(_OUTCOMES).where(_row.in_(wanted)).group_by(*group)
    )
    return [
        Count(task_id=task, model=model, strategy=strategy, outcome=outcome, samples=samples)
        for task, model, strategy, outcome, samples in connection.execute(query)
    ]


def lines(
    connection: Connection,
    task_id: str,
    arm: tuple[str, str],
    *,
    outcome: str | None,
    skip: int,
    most: int,
) -> list[Line]:
    """List samples of an issue by one solver, in order; `outcome` is one, "pending" or None.

    The primary key begins with model and strategy, so only their rows are touched.
    """
    query = (
        select(SAMPLES, VERDICTS.c.outcome)
        .select_from(_OUTCOMES)
        .where(
            SAMPLES.c.model == arm[0],
            SAMPLES.c.strategy == arm[1],
            SAMPLES.c.task_id == task_id,
        )
        .order_by(SAMPLES.c.index)
        .limit(most)
        .offset(skip)
    )
    if outcome == "pending":
        query = query.where(VERDICTS.c.outcome.is_(None))
    elif outcome is not None:
        query = query.where(VERDICTS.c.outcome == outcome)
    return [
        Line(
            index=row["index"],
            outcome=row["outcome"],
            stop=row["stop"],
            usage=usage_of(row),
            seconds=row["seconds"],
            cost=row["cost"],
        )
        for row in connection.execute(query).mappings()
    ]


def neighbours(connection: Connection, key: SampleKey) -> tuple[int | None, int | None]:
    """Return the indices of the samples before and after one, of its issue and solver."""
    columns = SAMPLES.c
    ours = and_(
        columns.model == key.model,
        columns.strategy == key.strategy,
        columns.task_id == key.task_id,
    )
    before = select(func.max(columns.index)).where(ours, columns.index < key.index)
    after = select(func.min(columns.index)).where(ours, columns.index > key.index)
    return connection.execute(before).scalar(), connection.execute(after).scalar()


def usage_of(row: Any) -> Usage:
    """Return what a sample used."""
    return Usage(**{name: row[f"usage_{name}"] for name in USAGE})
