"""The suspicions of a run in its table, which runs of earlier versions do not have.

`Store.ask` answers what is asked here of a connection.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, inspect, select
from sqlalchemy.dialects.sqlite import insert

from eval.sample import Judged, SampleKey
from eval.schema import SAMPLES, SUSPICIONS, VERDICTS
from eval.suspicions.suspicion import Suspicion, suspicion_of

INSERT = insert(SUSPICIONS).on_conflict_do_nothing()
"""Keeps `rows`."""


def rows(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """Return the rows of verdicts whose patches are suspicious."""
    return [
        {
            "verdict_key": one.verdict_key,
            "strong": sum(suspicion.is_strong for suspicion in one.verdict.suspicions),
            "found": json.dumps([dataclasses.asdict(each) for each in one.verdict.suspicions]),
        }
        for one in judged
        if one.verdict.suspicions
    ]


def under(
    connection: Connection, of_verdicts: Collection[str] | None = None
) -> dict[str, tuple[Suspicion, ...]]:
    """Return what was found, by the keys of verdicts: of some, or of all."""
    if not _is_there(connection):
        return {}
    of = SUSPICIONS.c
    query = select(of.verdict_key, of.found)
    if of_verdicts is not None:
        query = query.where(of.verdict_key.in_(of_verdicts))
    return {key: _read(found) for key, found in connection.execute(query)}


def keys(connection: Connection) -> frozenset[str]:
    """Return the keys of the verdicts that have suspicions which count."""
    if not _is_there(connection):
        return frozenset()
    query = select(SUSPICIONS.c.verdict_key).where(SUSPICIONS.c.strong > 0)
    return frozenset(key for (key,) in connection.execute(query))


def samples(connection: Connection) -> dict[SampleKey, tuple[Suspicion, ...]]:
    """Return the resolved samples whose suspicions count, in order, and what was found."""
    if not _is_there(connection):
        return {}
    of = SAMPLES.c
    names = ("task_id", "model", "strategy", "index")
    query = (
        select(*(of[name] for name in names), SUSPICIONS.c.found)
        .join(VERDICTS, of.verdict_key == VERDICTS.c.key)
        .join(SUSPICIONS, of.verdict_key == SUSPICIONS.c.verdict_key)
        .where(VERDICTS.c.outcome == "resolved", SUSPICIONS.c.strong > 0)
        .order_by(*(of[name] for name in names))
    )
    return {
        SampleKey(**dict(zip(names, row, strict=True))): _read(found)
        for *row, found in connection.execute(query)
    }


def _read(found: str) -> tuple[Suspicion, ...]:
    return tuple(map(suspicion_of, json.loads(found)))


def _is_there(connection: Connection) -> bool:
    return inspect(connection).has_table(SUSPICIONS.name)
