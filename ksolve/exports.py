"""What `ksolve export` writes as tables: samples, verdicts, curves, and pairs to train on.

Rows go from the store into a file as they come, so that a run of any size takes little memory. A
file appears whole or not at all. `docs/data.md` says what every column holds.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import ColumnElement, Integer, String, and_, case, select

from agent.backend import USAGE
from agent.trajectory import from_json
from eval.axes import AXES
from eval.configuration import strategies
from eval.sample import SampleKey
from eval.schema import SAMPLES, VERDICTS
from eval.store import Store
from eval.suspected import under
from eval.trajectories import is_drawn, valid
from eval.whole import whole
from ksolve.findings import RunRead, costs_of, read_run

Kind = Literal["text", "integer", "number", "truth", "texts", "messages"]
"""Of a column: a list of texts, and one of messages with `role` and `content`, among them."""

ROW_GROUP = 64 << 20
"""Bytes that a group of rows of a Parquet file has in memory, about."""

CONVERSATIONS = 100
"""Read at once for pairs: those of agents are long."""

COSTS = ("per_issue", "per_solve", "per_issue_until_solved", "per_solve_until_solved")
"""What the curves have of each axis of cost."""

ASIDES = frozenset({"ranking", "probe"})
"""Sources of turns that are no part of the conversation that gave the patch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Columns by name, and their rows in batches; a value may be None where it is unknown."""

    columns: Mapping[str, Kind]
    batches: Iterable[Sequence[tuple[Any, ...]]]


def samples(store: Store) -> Table:
    """Return all samples as they were drawn, with outcomes; texts are named by their digests."""
    columns = {
        **{name: SAMPLES.c[name] for name in ("task_id", "model", "strategy", "index")},
        "drawn_by": _drawn_by(store),
        "outcome": VERDICTS.c.outcome,
        "cost": SAMPLES.c.cost,
        **{name: SAMPLES.c[f"usage_{name}"] for name in USAGE if name != "seconds"},
        "request_seconds": SAMPLES.c.usage_seconds,
        "seconds": SAMPLES.c.seconds,
        "verify_seconds": VERDICTS.c.seconds,
        **{name: SAMPLES.c[name] for name in ("stop", "note", "temperature", "seed", "sent")},
        **{name: SAMPLES.c[name] for name in ("strategy_version", "variant", "prompt_digest")},
        **{name: SAMPLES.c[name] for name in ("patch_digest", "verdict_key")},
    }
    kinds: dict[str, Kind] = {
        name: "text"
        if isinstance(column.type, String)
        else "integer"
        if isinstance(column.type, Integer)
        else "number"
        for name, column in columns.items()
    }
    query = select(*columns.values()).outerjoin(VERDICTS, SAMPLES.c.verdict_key == VERDICTS.c.key)
    return Table(columns=kinds, batches=store.stream(query))


def _drawn_by(store: Store) -> ColumnElement[str]:
    """Return the strategy, also of a solver that is called otherwise."""
    of = SAMPLES.c
    otherwise = [
        (and_(of.model == model, of.strategy == name), strategy)
        for (model, name), strategy in strategies(store.config() or {}).items()
        if strategy != name
    ]
    return case(*otherwise, else_=of.strategy) if otherwise else of.strategy


def verdicts(store: Store) -> Table:
    """Return all verdicts: one serves all samples whose `verdict_key` is its own."""
    columns: dict[str, Kind] = {
        "verdict_key": "text",
        "outcome": "text",
        "missing_fail_to_pass": "texts",
        "missing_pass_to_pass": "texts",
        "exit_code": "integer",
        "note": "text",
        "seconds": "number",
        "suspicions": "texts",
    }
    found = store.ask(under)
    kept = VERDICTS.c
    query = select(kept.key, kept.outcome, kept.missing, kept.exit_code, kept.note, kept.seconds)
    return Table(
        columns=columns,
        batches=(
            [
                (
                    *(key, outcome, *json.loads(missing), exit_code, note, seconds),
                    [str(one) for one in found.get(key, ())],
                )
                for key, outcome, missing, exit_code, note, seconds in batch
            ]
            for batch in store.stream(query)
        ),
    )


def curves(store: Store, parameters: Mapping[str, float] = MappingProxyType({})) -> Table:
    """Return pass@k and costs of every arm, with and (where any are known) without flaky issues.

    `parameters` as in `read_run`.
    """
    columns: dict[str, Kind] = {
        "model": "text",
        "strategy": "text",
        "without_flaky": "truth",
        "k": "integer",
        "coverage": "number",
        "low": "number",
        "high": "number",
        "issues": "integer",
        "excluded": "integer",
        **{f"{axis}_{of}": "number" for axis in AXES for of in COSTS},
        "verify_seconds_per_issue": "number",
    }

    def batches() -> Iterator[Sequence[tuple[Any, ...]]]:
        for steady in (False, True):
            run = read_run(store, without_flaky=steady, parameters=parameters)
            if steady and not run.left_out:
                return
            for position, arm in enumerate(run.summary.solvers):
                costs = _costs(run, position)
                yield [
                    (arm.model, arm.strategy, steady, *dataclasses.astuple(at), *paid)
                    for at, paid in zip(arm.pass_at_k, costs, strict=True)
                ]

    return Table(columns=columns, batches=batches())


def _costs(run: RunRead, position: int) -> Iterator[tuple[float | None, ...]]:
    """Yield for each k of an arm what `COSTS` names, axis by axis, and its verification."""
    curves = [
        (costs_of(run, position, axis), costs_of(run, position, axis, stop=True)) for axis in AXES
    ]
    for i in range(len(curves[0][0])):
        at_k = [(every[i], until[i]) for every, until in curves]
        costs = (
            cost
            for every, until in at_k
            for cost in (every.per_issue, every.per_solve, until.per_issue, until.per_solve)
        )
        yield *costs, at_k[0][0].verify_seconds


def pairs(store: Store, picked: Callable[[SampleKey], bool]) -> Table:
    """Return prompt, patch and verdict of the picked samples that have one.

    The prompt is what the model was told before its first answer.
    """
    columns: dict[str, Kind] = {
        "task_id": "text",
        "model": "text",
        "strategy": "text",
        "index": "integer",
        "prompt": "messages",
        "patch": "text",
        "verdict": "text",
    }
    of = SAMPLES.c
    query = select(
        of.task_id, of.model, of.strategy, of.index, of.trajectory, of.patch, VERDICTS.c.outcome
    ).join(VERDICTS, of.verdict_key == VERDICTS.c.key)

    def batches() -> Iterator[Sequence[tuple[Any, ...]]]:
        for batch in store.stream(query):
            chosen = [row for row in batch if picked(_key(*row[:4]))]
            for start in range(0, len(chosen), CONVERSATIONS):
                some = chosen[start : start + CONVERSATIONS]
                texts = store.texts({digest for row in some for digest in row[4:6]})
                yield [
                    (*key, _prompt(texts[trajectory]), texts[patch], outcome)
                    for *key, trajectory, patch, outcome in some
                ]

    return Table(columns=columns, batches=batches())


def write_tables(
    store: Store,
    where: Path,
    ending: str,
    parameters: Mapping[str, float] = MappingProxyType({}),
) -> dict[Path, int]:
    """Write all tables of a run into a folder, or the one that the file is named for.

    A file of another name gets the samples. `parameters` as in `read_run`. Returns the rows of
    each file.
    """
    tables: dict[str, Callable[[Store], Table]] = {
        "samples": samples,
        "verdicts": verdicts,
        "curves": partial(curves, parameters=parameters),
    }
    if where.suffix == ending and not where.is_dir():
        table = tables.get(where.stem, samples)
        return {where: write(table(store), where)}
    where.mkdir(parents=True, exist_ok=True)
    files = {where / f"{name}{ending}": table for name, table in tables.items()}
    return {file: write(table(store), file) for file, table in files.items()}


def write(table: Table, path: Path) -> int:
    """Write a table as Parquet where the name ends so, else as JSON lines; return its rows."""
    with whole(path) as partial:
        if path.suffix == ".parquet":
            return _write_parquet(table, partial)
        return _write_lines(table, partial)


def _write_lines(table: Table, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for batch in table.batches:
            count += len(batch)
            for row in batch:
                named = dict(zip(table.columns, row, strict=True))
                line = json.dumps(named, allow_nan=False)
                if "\\ud" in line:
                    line = json.dumps(_valid(named), allow_nan=False)
                file.write(line + "\n")
    return count


def _write_parquet(table: Table, path: Path) -> int:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "truth": pa.bool_(),
        "texts": pa.list_(pa.string()),
        "messages": pa.list_(message),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in table.columns.items()])

    def array(values: Sequence[Any], form: Any) -> Any:
        try:
            return pa.array(values, form)
        except UnicodeEncodeError:
            return pa.array(_valid(list(values)), form)

    count = size = 0
    waiting: list[Any] = []
    with ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in filter(None, table.batches):
            columns = zip(*batch, strict=True)
            arrays = [array(*both) for both in zip(columns, schema.types, strict=True)]
            waiting.append(pa.record_batch(arrays, schema=schema))
            count += len(batch)
            size += waiting[-1].nbytes
            if size >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting.clear()
                size = 0
        writer.write_table(pa.Table.from_batches(waiting, schema))
    return count


def _valid(value: Any) -> Any:
    """Return a value whose texts any reader takes."""
    match value:
        case str():
            return valid(value)
        case list():
            return [_valid(one) for one in value]
        case dict():
            return {name: _valid(one) for name, one in value.items()}
        case _:
            return value


def _prompt(trajectory: str) -> list[dict[str, str]]:
    turns = (turn for turn in from_json(trajectory) if turn.source not in ASIDES)
    told = itertools.takewhile(lambda turn: not is_drawn(turn), turns)
    return [{"role": turn.message.role, "content": turn.message.content} for turn in told]


def _key(task_id: str, model: str, strategy: str, index: int) -> SampleKey:
    return SampleKey(task_id=task_id, model=model, strategy=strategy, index=index)
