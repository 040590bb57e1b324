"""What a run keeps: its configuration, samples, verdicts and failures, in one folder.

`run.db` holds the records and `texts.db` the large texts, compressed and stored once by digest;
both are SQLite in WAL mode through SQLAlchemy. A call returns when what it wrote is durable
against the death of the process. Methods block: call them in a thread.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from sqlite3 import DatabaseError as DriverError
from sqlite3 import OperationalError
from typing import Any, Self, TextIO, TypeVar

import zstandard
from sqlalchemy import Column, Connection, Engine, Select, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from agent.trajectory import Turn, from_json
from eval import reading, suspected
from eval.configuration import differences, without
from eval.failures import failed, failure_row, failures
from eval.opening import SchemaError, open_database, open_to_read, reader, sentence
from eval.rows import (
    SETTLE,
    THIS_SAMPLE,
    parameters,
    sample_of,
    sample_row,
    verdict_of,
    verdict_row,
)
from eval.sample import Failed, Failure, Judged, Sample, SampleKey
from eval.schema import (
    FAILURES,
    PROFILES,
    RECORDS,
    RUNS,
    SAMPLES,
    SESSIONS,
    TEXTS,
    TEXTS_SCHEMA,
    VERDICTS,
    Ending,
)
from eval.table import ForeignSampleError, SampleRow, SampleTable, tabulated
from eval.verdict import Verdict

Answer = TypeVar("Answer")

_PATCH = select(SAMPLES.c.patch).where(THIS_SAMPLE)
_VERDICTS = select(VERDICTS).where(VERDICTS.c.key.in_(bindparam("of", expanding=True)))

BATCH = 500
"""Rows that are in memory at one time; few enough to stay in the processor's cache."""


class StoreError(Exception):
    """The run folder cannot be read or written; the message is one sentence for a person."""


class NoRunError(StoreError):
    """The folder holds no run."""


class ForeignRunError(StoreError):
    """What the folder holds is not for this ksolve: another version's run, or a damaged one."""


class ConfigChangedError(StoreError):
    """The folder holds a run of another configuration."""


class Store:
    """The durable side of one run folder. One process writes at a time.

    With `to_read` nothing in the folder is made or changed, and nothing can be.
    """

    def __init__(self, folder: Path, *, to_read: bool = False) -> None:
        self.folder = folder = folder.resolve()
        records, self._texts = folder / "run.db", folder / "texts.db"
        try:
            if to_read:
                there = open_to_read(records)
                if there is None:
                    raise NoRunError(f"{folder} holds no run yet.")
                self._db, self._text_db = there, reader(self._texts)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                self._db = open_database(records, RECORDS)
                self._text_db = open_database(self._texts, TEXTS_SCHEMA)
        except SchemaError as error:
            raise ForeignRunError(str(error)) from None
        except (OSError, DatabaseError) as error:
            raise self._unusable(error) from error
        self._lock = threading.Lock()
        self._writer: TextIO | None = None
        # Held locked while this process draws into the run; the kernel lets go when it dies.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.dispose()
        self._text_db.dispose()
        if self._writer is not None:
            self._writer.close()

    def begin(self, config: Mapping[str, Any], *, free: Sequence[str] = ()) -> None:
        """Start this run or continue it; raises ConfigChangedError with the difference.

        `config` is JSON-able; the fields named in `free` may change between sessions.
        """
        self._writer = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"Another ksolve is drawing into {self.folder}: wait for it, or give another --out."
            ) from None
        before = self.config()
        if before is not None:
            changed = list(differences(without(before, free), without(config, free)))
            if changed:
                raise ConfigChangedError(
                    f"{self.folder} holds a run of another configuration "
                    f"({'; '.join(changed)}): give the same options, or another --out."
                )
        frozen = without(config, free)
        digest = hashlib.sha256(json.dumps(frozen, sort_keys=True).encode()).hexdigest()
        row = {"digest": digest, "config": json.dumps(config, sort_keys=True)}
        statement = insert(RUNS).on_conflict_do_update(
            index_elements=["digest"], set_={"config": row["config"]}
        )
        # What ended the session before does not end this one.
        self._write(self._db, (statement, [row]), (SESSIONS.insert(), [{"ended": None}]))

    def end(self, ending: Ending) -> None:
        """Keep why the session that began has ended; one that is killed keeps nothing."""
        latest = select(func.max(SESSIONS.c.id)).scalar_subquery()
        update = SESSIONS.update().where(SESSIONS.c.id == latest)
        self._write(self._db, (update, [{"ended": ending}]))

    def config(self) -> dict[str, Any] | None:
        """Return the configuration of the run, None in a new folder."""
        rows = self._read(select(RUNS.c.config))
        return json.loads(rows[0][0]) if rows else None

    def add_sample(self, sample: Sample) -> None:
        """Keep a sample; its verdict is pending from now on. The first one under a key stays."""
        self.add_samples([sample])

    def add_samples(self, samples: Sequence[Sample]) -> None:
        """Keep several at once."""
        if not samples:
            return
        texts: dict[str, bytes] = {}
        rows = [sample_row(sample, texts) for sample in samples]
        self._keep(texts)
        self._write(self._db, (insert(SAMPLES).on_conflict_do_nothing(), rows))

    def add_verdict(self, key: SampleKey, verdict_key: str, verdict: Verdict) -> None:
        """Keep a verdict under its key and settle the sample with it."""
        self.add_verdicts([Judged(key=key, verdict_key=verdict_key, verdict=verdict)])

    def add_verdicts(self, judged: Sequence[Judged]) -> None:
        """Keep several at once."""
        if not judged:
            return
        texts: dict[str, bytes] = {}
        new = {one.verdict_key: one for one in judged if not one.is_kept}
        rows = [verdict_row(one, texts) for one in new.values()]
        self._keep(texts)
        settled = [parameters(one.key) | {"by": one.verdict_key} for one in judged]
        self._write(
            self._db,
            (insert(VERDICTS).on_conflict_do_nothing(), rows),
            (suspected.INSERT, suspected.rows(new.values())),
            (SETTLE, settled),
        )

    def keep_profile(self, model: str, profile: str) -> None:
        """Keep what was learnt of a model, in the place of what was known before."""
        row = {"model": model, "profile": profile}
        kept = insert(PROFILES).on_conflict_do_update(index_elements=["model"], set_=row)
        self._write(self._db, (kept, [row]))

    def profiles(self) -> dict[str, str]:
        """Return what was learnt of each model."""
        return dict(self._read(select(PROFILES.c.model, PROFILES.c.profile)))

    def add_failure(self, failure: Failure) -> None:
        """Keep a failure, to be shown."""
        self._write(self._db, (FAILURES.insert(), [failure_row(failure)]))

    def verdict(self, verdict_key: str) -> Verdict | None:
        """Return the verdict kept under a key, without its log."""
        return self.verdicts([verdict_key]).get(verdict_key)

    def verdicts(self, verdict_keys: Collection[str]) -> dict[str, Verdict]:
        """Return those that are kept, by their keys, without their logs."""
        rows = self._read(_VERDICTS, {"of": list(verdict_keys)})
        found = self.ask(lambda connection: suspected.under(connection, verdict_keys))
        return {row.key: verdict_of(row._asdict(), found.get(row.key, ())) for row in rows}

    def judged(self, key: SampleKey) -> Verdict | None:
        """Return the verdict on a sample, with its log; None while it is pending."""
        name = self._field(key, SAMPLES.c.verdict_key)
        verdict = self.verdict(name) if name else None
        return verdict and dataclasses.replace(verdict, log=self.log(name))

    def drawn(self, model: str, strategy: str) -> dict[str, set[int]]:
        """Return the indices that are already sampled, by task id."""
        query = select(SAMPLES.c.task_id, SAMPLES.c.index).where(
            SAMPLES.c.model == model, SAMPLES.c.strategy == strategy
        )
        drawn: dict[str, set[int]] = {}
        for task_id, index in self._read(query):
            drawn.setdefault(task_id, set()).add(index)
        return drawn

    def solved(self) -> set[str]:
        """Return the ids of the tasks that some sample resolved."""
        query = select(SAMPLES.c.task_id).join(VERDICTS, SAMPLES.c.verdict_key == VERDICTS.c.key)
        return {task_id for (task_id,) in self._read(query.where(VERDICTS.c.outcome == "resolved"))}

    def unverified(self) -> list[SampleKey]:
        """Return the samples whose verdict is pending, in order."""
        query = select(SAMPLES.c.task_id, SAMPLES.c.model, SAMPLES.c.strategy, SAMPLES.c.index)
        rows = self._read(query.where(SAMPLES.c.verdict_key.is_(None)))
        return sorted(
            SampleKey(task_id=task, model=model, strategy=strategy, index=index)
            for task, model, strategy, index in rows
        )

    def sample(self, key: SampleKey) -> Sample:
        """Return a sample as it was given; raises KeyError."""
        rows = self._read(select(SAMPLES).where(THIS_SAMPLE), parameters(key))
        if not rows:
            raise KeyError(key)
        return sample_of(key, rows[0]._asdict(), self._text)

    def patch(self, key: SampleKey) -> str:
        """Return the patch of a sample, as the strategy gave it."""
        return self.patches([key])[key]

    def patches(self, keys: Collection[SampleKey]) -> dict[SampleKey, str]:
        """Return the patches of samples. Raises KeyError where one is not there."""
        rows = self._read(_PATCH, *map(parameters, keys)) if keys else []
        if len(rows) < len(keys):
            raise KeyError(*keys)
        texts = self.texts([digest for (digest,) in rows])
        return {key: texts[digest] for key, (digest,) in zip(keys, rows, strict=True)}

    def trajectory(self, key: SampleKey) -> tuple[Turn, ...]:
        """Return all that happened in a sample."""
        return from_json(self._text(self._field(key, SAMPLES.c.trajectory)))

    def texts(self, digests: Collection[str]) -> dict[str, str]:
        """Return some large texts by their digests. Raises StoreError where one is missing."""
        query = select(TEXTS.c.digest, TEXTS.c.zstd).where(TEXTS.c.digest.in_(set(digests)))
        rows = self._read(query, of=self._text_db) if self._texts.exists() else ()
        if len(rows) < len(set(digests)):
            raise ForeignRunError(
                f"{self.folder} lacks texts of its samples: a run is copied as a whole folder, "
                "texts.db with it."
            )
        unpack = zstandard.ZstdDecompressor().decompress
        return {digest: unpack(data).decode("utf-8", "surrogatepass") for digest, data in rows}

    def log(self, verdict_key: str) -> str:
        """Return the evaluation log behind a verdict."""
        rows = self._read(select(VERDICTS.c.log).where(VERDICTS.c.key == verdict_key))
        if not rows:
            raise KeyError(verdict_key)
        return self._text(rows[0][0])

    def spent(self) -> float:
        """Return what samples and failures cost, in US dollars; unknown prices count nothing."""
        sums = (self._read(select(func.sum(table.c.cost)))[0][0] for table in (SAMPLES, FAILURES))
        return sum(float(amount or 0.0) for amount in sums)

    def spent_by_issue(self) -> dict[str, float]:
        """Return the same by task id."""
        spent: dict[str, float] = {}
        for table in (SAMPLES, FAILURES):
            query = select(table.c.task_id, func.sum(table.c.cost)).group_by(table.c.task_id)
            for task_id, amount in self._read(query):
                spent[task_id] = spent.get(task_id, 0.0) + float(amount or 0.0)
        return spent

    def failed(self, without: Collection[str] = ()) -> dict[tuple[str, str], Failed]:
        """Return what failed draws used, by arm, but of tasks `without`."""
        return self.ask(lambda connection: failed(connection, without))

    def failures(self) -> list[Failure]:
        """Return the failures of samples that are still pending (or whose verdict is)."""
        return self.ask(failures)

    def table(self) -> SampleTable:
        """Return all samples of the run in columns.

        Raises StoreError where there is no run, or one that holds another's samples.
        """
        config = self.config()
        if config is None:
            raise NoRunError(f"{self.folder} holds no run yet.")
        if "arms" not in config:
            raise ForeignRunError(
                f"{self.folder} was written by another version of ksolve, which did not record who "
                "was to draw what: use that version."
            )
        arms = [(model, strategy) for model, strategy in config["arms"]]
        try:
            read = reading.columns(self.stream, self.ask(suspected.keys))
            return tabulated(read, tasks=config["task_ids"], arms=arms)
        except ForeignSampleError as error:
            raise ForeignRunError(f"{self.folder}: {error}") from None

    def stream(self, query: Select[Any]) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Answer a query over the tables of `eval.schema` in batches of rows.

        SQLAlchemy's own rows, of which it makes one at a time, take several times as long.
        """
        try:
            with self._db.connect() as connection:
                cursor = connection.execute(query).cursor
                while batch := cursor.fetchmany(BATCH):
                    yield batch
        except (DatabaseError, DriverError) as error:
            raise self._unusable(error) from error

    def rows(self, task_id: str | None = None) -> Iterator[SampleRow]:
        """Stream samples (of one task) and outcomes, ordered by model, strategy, task, index."""
        return reading.rows(self.stream, task_id)

    def _field(self, key: SampleKey, column: Column[Any]) -> str:
        rows = self._read(select(column).where(THIS_SAMPLE), parameters(key))
        if not rows:
            raise KeyError(key)
        return str(rows[0][0] or "")

    def _keep(self, texts: Mapping[str, bytes]) -> None:
        # One that is made for all: making it takes longer than to compress a text.
        compress = zstandard.ZstdCompressor().compress
        rows = [{"digest": digest, "zstd": compress(data)} for digest, data in texts.items()]
        self._write(self._text_db, (insert(TEXTS).on_conflict_do_nothing(), rows))

    def _text(self, digest: str) -> str:
        return self.texts([digest])[digest]

    def _read(self, query: Any, *values: Mapping[str, Any], of: Engine | None = None) -> list[Any]:
        """Return the rows of a query, executed with each of the values, or once without any."""
        try:
            with (of or self._db).connect() as connection:
                answers = (connection.execute(query, one).all() for one in values or (None,))
                return list(chain.from_iterable(answers))
        except DatabaseError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        """Return what is raised: a file that is damaged was given, all else is the machine's."""
        reason = getattr(error, "orig", error)
        is_damaged = isinstance(reason, DriverError) and not isinstance(reason, OperationalError)
        return (ForeignRunError if is_damaged else StoreError)(sentence(self.folder, error))

    def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """Answer a question to the records. Raises StoreError."""
        try:
            with self._db.connect() as connection:
                return question(connection)
        except DatabaseError as error:
            raise self._unusable(error) from error

    def _write(self, engine: Engine, *statements: tuple[Any, Sequence[dict[str, Any]]]) -> None:
        """Execute statements, each for all of its rows, in one transaction."""
        try:
            with self._lock, engine.begin() as connection:
                for statement, rows in statements:
                    if rows:
                        connection.execute(statement, rows)
        except DatabaseError as error:
            raise self._unusable(error) from error


def open_run(folder: Path) -> Store:
    """Open a run to read it, and nothing else; raises NoRunError when the folder holds none."""
    if not (folder / "run.db").is_file():
        raise NoRunError(f"{folder} holds no run: give the folder that `ksolve run --out` wrote.")
    return Store(folder, to_read=True)
