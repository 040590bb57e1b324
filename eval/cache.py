"""Verdicts and baselines that every run on this machine shares, in one SQLite file.

A verdict is found by its key (`eval.verdict.verdict_key`), which names all that it depends on, so
that it never has to be forgotten; the file may be deleted at any time. Nothing in it is needed to
read a run: a run keeps its own copy of its verdicts. Methods block: call them in a thread.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import platformdirs
import zstandard
from pydantic import TypeAdapter
from sqlalchemy import Column, Engine, LargeBinary, MetaData, String, Table, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from eval.baseline import Baseline
from eval.opening import SchemaError, open_database
from eval.suspicions.suspicion import suspicion_of
from eval.verdict import Verdict

_TABLES = MetaData()
_VERDICTS = Table(
    "verdicts", _TABLES, Column("key", String, primary_key=True), Column("zstd", LargeBinary)
)
_BASELINES = Table(
    "baselines", _TABLES, Column("key", String, primary_key=True), Column("zstd", LargeBinary)
)
_FORM = 1
# Of the file; what is in it is kept under VERIFIER_VERSION besides.


class VerdictCache:
    """The file, by default the user's own. A file that cannot be used holds nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or platformdirs.user_cache_path("ksolve") / "verdicts.db"
        self._db: Engine | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = open_database(self.path, _TABLES, form=_FORM)
        except (OSError, DatabaseError, SchemaError):
            return

    def verdict(self, key: str) -> Verdict | None:
        """Return the verdict kept under a key, with its log."""
        found = self._get(_VERDICTS, key)
        if found is None:
            return None
        # Verdicts of earlier versions have none.
        suspicions = map(suspicion_of, found.pop("suspicions", ()))
        return Verdict(**_tuples(found), suspicions=tuple(suspicions))

    def add_verdict(self, key: str, verdict: Verdict) -> None:
        """Keep a verdict in the place of what was there."""
        self._put(_VERDICTS, key, dataclasses.asdict(verdict))

    def baseline(self, key: str) -> Baseline | None:
        """Return the baseline kept under a key."""
        found = self._get(_BASELINES, key)
        if found is None:
            return None
        archives = {name: base64.b64decode(found[name]) for name in _ARCHIVES}
        return _BASELINE.validate_python({**found, **archives})

    def add_baseline(self, key: str, baseline: Baseline) -> None:
        """Keep a baseline in the place of what was there."""
        archives = {name: base64.b64encode(getattr(baseline, name)).decode() for name in _ARCHIVES}
        fields = _BASELINE.dump_python(baseline, mode="json", exclude=set(_ARCHIVES))
        self._put(_BASELINES, key, {**fields, **archives})

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.dispose()

    def _get(self, table: Table, key: str) -> dict[str, Any] | None:
        if self._db is None:
            return None
        try:
            with self._db.connect() as connection:
                row = connection.execute(select(table.c.zstd).where(table.c.key == key)).first()
        except DatabaseError:
            return None
        return None if row is None else json.loads(zstandard.decompress(row[0]))

    def _put(self, table: Table, key: str, fields: dict[str, Any]) -> None:
        if self._db is None:
            return
        data = zstandard.compress(json.dumps(fields).encode("utf-8", "surrogatepass"))
        statement = insert(table).values(key=key, zstd=data)
        statement = statement.on_conflict_do_update(index_elements=["key"], set_={"zstd": data})
        try:
            with self._db.begin() as connection:
                connection.execute(statement)
        except DatabaseError:
            # A full disk costs time here, never a verdict: the run's own store complains.
            return


_BASELINE = TypeAdapter(Baseline)
# Its fields that are no text.
_ARCHIVES = ("tree", "outside", "settings")


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples."""
    return {
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in fields.items()
    }
