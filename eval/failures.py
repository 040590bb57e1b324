"""The failures of a run in its tables: each of them, and what those of a solver used in all.

Runs of earlier versions recorded the cost of a failure and not what it used: that is unknown then.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, inspect, null, select

from agent.backend import USAGE, BackendError, Usage
from eval.rows import KEY
from eval.sample import Failed, Failure, SampleKey
from eval.schema import FAILURES, SAMPLES
from sandbox.sandbox import SandboxError

# Characters of the words of a defect.
_LONGEST_REASON = 500


def failure_row(failure: Failure) -> dict[str, Any]:
    """Return the row of a failure."""
    used = failure.usage and dataclasses.asdict(failure.usage)
    return {
        **dataclasses.asdict(failure.key),
        **{f"usage_{name}": used and used[name] for name in USAGE},
        **{name: getattr(failure, name) for name in ("stage", "message", "cost")},
    }


def failures(connection: Connection) -> list[Failure]:
    """Return the faults at samples that are still pending, or whose verdict is, in order."""
    columns = _columns(connection)
    query = (
        select(*columns.values())
        .select_from(FAILURES)
        .outerjoin(SAMPLES, and_(*(FAILURES.c[name] == SAMPLES.c[name] for name in KEY)))
        .where(SAMPLES.c.verdict_key.is_(None), FAILURES.c.stage != "broken off")
        .order_by(FAILURES.c.id)
    )
    rows = [dict(zip(columns, row, strict=True)) for row in connection.execute(query)]
    return [
        Failure(
            key=SampleKey(**{name: row[name] for name in KEY}),
            usage=None
            if row["usage_calls"] is None
            else Usage(**{name: row[f"usage_{name}"] for name in USAGE}),
            **{name: row[name] for name in ("stage", "message", "cost")},
        )
        for row in rows
    ]


def failed(connection: Connection, without: Collection[str] = ()) -> dict[tuple[str, str], Failed]:
    """Return what failed draws used by model and strategy, but for those at tasks `without`."""
    columns = _columns(connection)
    cost = FAILURES.c.cost
    # What was billed nothing used nothing that counts.
    is_unrecorded = and_(columns["usage_calls"].is_(None), cost.is_distinct_from(0.0))
    arm = (FAILURES.c.model, FAILURES.c.strategy)
    sums = [func.coalesce(func.sum(columns[f"usage_{name}"]), 0) for name in USAGE]
    query = (
        select(*arm, func.sum(cost), func.sum(cost.is_(None)), func.sum(is_unrecorded), *sums)
        .where(FAILURES.c.task_id.not_in(without))
        .group_by(*arm)
    )
    return {
        (model, strategy): Failed(
            cost=None if unpriced else total,
            usage=None if unrecorded else Usage(**dict(zip(USAGE, used, strict=True))),
        )
        for model, strategy, total, unpriced, unrecorded, *used in connection.execute(query)
    }


def _columns(connection: Connection) -> dict[str, ColumnElement[Any]]:
    """Return the columns by name, NULL for one that a file which is only read may lack."""
    there = {column["name"] for column in inspect(connection).get_columns(FAILURES.name)}
    return {
        column.name: column if column.name in there else null().label(column.name)
        for column in FAILURES.columns
    }


def told_of(error: Exception) -> str:
    """Return what is said of a failure: a defect, which nobody foresaw, is told with its place."""
    if isinstance(error, BackendError | SandboxError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    words = " ".join(str(error).split())[:_LONGEST_REASON]
    told = ": ".join(filter(None, [type(error).__name__, words]))
    return f"{told}{place}. This is a defect of ksolve: please report it."
