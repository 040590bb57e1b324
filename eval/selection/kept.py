"""What choosing found out, kept with its run: every answer, every run, and each method's word.

`selection.db` in the run's folder. A method's word on an issue is kept under the samples that it
was said of, so that a pool that has grown is another one. No verdict is in it, and nothing else
needs it: where it is deleted, choosing begins anew. Methods block: call them in a thread.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import zstandard
from sqlalchemy import (
    Column,
    Engine,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from agent.backend import Usage
from eval.opening import SchemaError, open_database, open_to_read, sentence
from eval.selection.candidates import Candidates, Effort, Floats, Ints, Scored, chances
from eval.selection.evidence import Evidence, Known
from eval.store import StoreError

FILE = "selection.db"

METHODS = 1
"""Rises when a method says other things of the same samples, so that old words are not mixed in."""

_TABLES = MetaData()
_EVIDENCE = Table(
    "evidence",
    _TABLES,
    Column("question", String, primary_key=True),
    # Digest.
    Column("zstd", LargeBinary, nullable=False),
)
_WORDS = Table(
    "words",
    _TABLES,
    Column("way", String),
    # Its key.
    Column("task_id", String),
    Column("samples", String),
    # Digest of their keys.
    Column("zstd", LargeBinary, nullable=False),
    PrimaryKeyConstraint("way", "task_id", "samples"),
)
_FORM = 1
# Of the file.


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How is chosen, and among whose samples."""

    method: str
    solvers: tuple[tuple[str, str], ...]
    # Model and strategy of each, in the order of the run.
    settings: Mapping[str, Any] = field(default_factory=dict)
    # Of the method, as JSON has them: who judges, say.

    @property
    def key(self) -> str:
        """What is equal for equal ways, and only there."""
        return json.dumps({"methods": METHODS, **dataclasses.asdict(self)}, sort_keys=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """What a method said of one issue; every array has one entry a candidate."""

    way: Way
    task_id: str
    arm: Ints
    # Position in `way.solvers`.
    index: Ints
    scores: Floats
    chances: Floats
    # With which each is chosen.
    groups: Ints
    """Equal numbers do the same."""
    effort: Effort


class Kept:
    """The file of one run, made when there is something to keep in it.

    With `to_read` it is not made, and what is to be kept is let go.
    """

    def __init__(self, folder: Path, *, to_read: bool = False) -> None:
        """Open it, where it is. Raises StoreError."""
        self._folder = folder
        self._to_read = to_read
        self._lock = threading.Lock()
        # Of the making: what is to be kept comes from many threads.
        self._db = self._opened() if (folder / FILE).is_file() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._db is not None:
            self._db.dispose()

    def evidence(self) -> Evidence:
        """Return what is known of the run's issues, for one of them."""
        return Evidence(self._find, self._keep_evidence)

    def said(self, way: Way, pool: Sequence[Candidates]) -> dict[str, Scored]:
        """Return what was said of just these candidates before, by task id. Raises StoreError."""
        columns = (_WORDS.c.task_id, _WORDS.c.samples, _WORDS.c.zstd)
        rows = self._read(select(*columns).where(_WORDS.c.way == way.key))
        words = {(task_id, samples): data for task_id, samples, data in rows}
        found = {one.task_id: words.get((one.task_id, _samples(one))) for one in pool}
        return {
            task_id: _scored(_unpacked(data)) for task_id, data in found.items() if data is not None
        }

    def keep(self, way: Way, candidates: Candidates, scored: Scored) -> None:
        """Keep what a method says of one issue, in the place of what it said. Raises StoreError."""
        arms = {solver: number for number, solver in enumerate(way.solvers)}
        groups = candidates.behaviour if scored.groups is None else scored.groups
        said = {
            "arm": [arms[one.model, one.strategy] for one in candidates.candidates],
            "index": [one.index for one in candidates.candidates],
            "scores": scored.scores.tolist(),
            "groups": groups.tolist(),
            "chances": chances(scored.scores, candidates.has_patch).tolist(),
            "effort": dataclasses.asdict(scored.effort),
        }
        key = {"way": way.key, "task_id": candidates.task_id, "samples": _samples(candidates)}
        self._write(_WORDS, {**key, "zstd": _packed(said)})

    def words(self) -> list[Word]:
        """Return all that the methods of this version said. Raises StoreError."""
        columns = (_WORDS.c.way, _WORDS.c.task_id, _WORDS.c.zstd)
        found = []
        for key, task_id, data in self._read(select(*columns).order_by(*_WORDS.primary_key)):
            way = _way(key)
            if way is None:
                continue
            said = _unpacked(data)
            scored = _scored(said)
            found.append(
                Word(
                    way=way,
                    task_id=task_id,
                    arm=np.array(said["arm"], dtype=np.int64),
                    index=np.array(said["index"], dtype=np.int64),
                    scores=scored.scores,
                    chances=np.array(said["chances"], dtype=np.float64),
                    groups=np.array(said["groups"], dtype=np.int64),
                    effort=scored.effort,
                )
            )
        return found

    def _find(self, question: str) -> Known | None:
        query = select(_EVIDENCE.c.zstd).where(_EVIDENCE.c.question == question)
        rows = self._read(query)
        return _unpacked(rows[0][0]) if rows else None

    def _keep_evidence(self, question: str, known: Known) -> None:
        self._write(_EVIDENCE, {"question": question, "zstd": _packed(known)})

    def _opened(self) -> Engine | None:
        path = self._folder / FILE
        try:
            if self._to_read:
                return open_to_read(path, form=_FORM)
            return open_database(path, _TABLES, form=_FORM)
        except SchemaError:
            raise StoreError(
                f"{path} was written by another version of ksolve: delete it, and choose again."
            ) from None
        except (OSError, DatabaseError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        return StoreError(
            f"{sentence(self._folder, error)} Only {FILE} is concerned; where it is broken, delete "
            "it and choose again."
        )

    def _read(self, query: Any) -> Sequence[Any]:
        if self._db is None:
            return ()
        try:
            with self._db.connect() as connection:
                return connection.execute(query).all()
        except DatabaseError as error:
            raise self._unusable(error) from error

    def _write(self, table: Table, row: dict[str, Any]) -> None:
        if self._to_read:
            return
        with self._lock:
            db = self._db = self._db or self._opened()
        assert db is not None  # only one that is read may be none
        statement = insert(table).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns), set_={"zstd": row["zstd"]}
        )
        try:
            with db.begin() as connection:
                connection.execute(statement)
        except DatabaseError as error:
            raise self._unusable(error) from error


def can_keep(folder: Path) -> bool:
    """Whether something can be kept with the run in this folder."""
    file = folder / FILE
    return os.access(file if file.exists() else folder, os.W_OK) and os.access(folder, os.W_OK)


def words_of(folder: Path) -> list[Word]:
    """Return what is kept with a run, nothing where nobody chose yet. Raises StoreError."""
    with Kept(folder, to_read=True) as kept:
        return kept.words()


def _way(key: str) -> Way | None:
    """Read a way; None for one of another version."""
    fields = json.loads(key)
    if fields.pop("methods") != METHODS:
        return None
    solvers = tuple((model, strategy) for model, strategy in fields.pop("solvers"))
    return Way(solvers=solvers, **fields)


def _samples(candidates: Candidates) -> str:
    keys = [(one.model, one.strategy, one.index) for one in candidates.candidates]
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest()


def _scored(said: Mapping[str, Any]) -> Scored:
    effort = dict(said["effort"])
    usage = Usage(**effort.pop("usage"))
    return Scored(
        scores=np.array(said["scores"], dtype=np.float64),
        effort=Effort(usage=usage, **effort),
        groups=np.array(said["groups"], dtype=np.int64),
    )


def _packed(plain: Mapping[str, Any]) -> bytes:
    return zstandard.compress(json.dumps(plain).encode("utf-8", "surrogatepass"))


def _unpacked(data: bytes) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(zstandard.decompress(data))
    return plain
