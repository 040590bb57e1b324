"""`ksolve show`: one sample as a transcript, or as JSON."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from eval.configuration import strategies
from eval.sample import SampleKey
from eval.store import Store, open_run
from eval.table import SampleRow
from eval.trajectories import to_record
from ksolve.errors import InputError
from ksolve.options import JsonOption
from ksolve.screen import put, screen
from ksolve.transcript import Transcript, one_line

NAMED = 8
"""Things that an error lists; of more it says how many."""


def show(
    *,
    run: Annotated[Path, typer.Argument(help="The folder that `ksolve run --out` wrote.")],
    sample: Annotated[
        str,
        typer.Argument(
            help="TASK/INDEX, or TASK alone for its first resolved sample, or its first one where "
            "none is resolved."
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="Its model, or a part of the name that no other has.")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="Its strategy, likewise.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Fold nothing; observations as they were, uncut.")
    ] = False,
    log: Annotated[
        bool, typer.Option("--log", help="The whole log of the tests in place of its end.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print what happened in one sample: turns, tool calls, patch, verdict and the tests' log.

    [bold]Example[/bold]

        ksolve show runs/a ksolve__ledger-1/3 --full
    """
    with open_run(run) as store:
        key, place = find(store, sample, model=model, strategy=strategy)
        record, verdict = store.sample(key), store.judged(key)
        strategy_of = strategies(store.config() or {})
    drawn_by = strategy_of.get((key.model, key.strategy), key.strategy)
    if json:
        told = to_record(record, verdict, drawn_by=drawn_by, log=True)
        put(jsonlib.dumps(told, indent=2))
        return
    screen().print(
        Transcript(
            sample=record,
            verdict=verdict,
            place=place,
            drawn_by=drawn_by,
            full=full,
            whole_log=log,
        )
    )


def find(
    store: Store, name: str, *, model: str | None = None, strategy: str | None = None
) -> tuple[SampleKey, str]:
    """Return the sample that is meant and which of how many it is; raises InputError."""
    task_id, index, rows = _of_task(store, name)
    arms = dict.fromkeys((row.model, row.strategy) for row in rows)
    models = _meant("model", model, [one for one, _ in arms])
    arms = {arm: None for arm in arms if arm[0] in models}
    strategies = _meant("strategy", strategy, [one for _, one in arms])
    left = [arm for arm in arms if arm[1] in strategies]
    if len(left) > 1:
        options = _listed(f"--model {one} --strategy {other}" for one, other in left)
        raise InputError(f"{one_line(task_id)} has samples of several, add one of: {options}.")
    drawn = [row for row in rows if (row.model, row.strategy) == left[0]]
    chosen = [row for row in drawn if row.index == index]
    if index is None:
        chosen = [row for row in drawn if row.outcome == "resolved"] or drawn
    if not chosen:
        indices = _listed(str(row.index) for row in drawn)
        why = _failure(store, task_id, left[0], index)
        raise InputError(f"{one_line(task_id)} has no sample {index}, but {indices}.{why}")
    resolved = sum(row.outcome == "resolved" for row in drawn)
    place = f"of {len(drawn):,} drawn, {resolved:,} resolved"
    return _key(chosen[0]), place


def _of_task(store: Store, name: str) -> tuple[str, int | None, list[SampleRow]]:
    """Return the task, the index and the task's samples; ids may have a slash of their own."""
    rows = list(store.rows(name))
    if rows:
        return name, None, rows
    task_id, slash, number = name.rpartition("/")
    rows = list(store.rows(task_id)) if slash and number.isdecimal() else []
    if rows:
        return task_id, int(number), rows
    known = dict.fromkeys(row.task_id for row in store.rows())
    if not known:
        raise InputError(f"{store.folder} holds no sample yet.")
    raise InputError(f"There is no sample of {one_line(name)}, but of {_listed(known)}.")


def _meant(what: str, part: str | None, names: Sequence[str]) -> set[str]:
    """Return the names that `part` is, or is a part of; all where nothing is asked for."""
    found = {one for one in names if one == part} or {one for one in names if (part or "") in one}
    if not found:
        known = _listed(dict.fromkeys(names))
        raise InputError(
            f"No {what} of these samples is called {one_line(part or '')}, but {known}."
        )
    return found


def _failure(store: Store, task_id: str, arm: tuple[str, str], index: int | None) -> str:
    told = [
        failure.message
        for failure in store.failures()
        if (failure.key.task_id, failure.key.index) == (task_id, index)
        and (failure.key.model, failure.key.strategy) == arm
    ]
    return f" It failed: {one_line(told[-1])}" if told else ""


def _listed(names: Iterable[str]) -> str:
    first = [one_line(name) for name in names]
    more = f" and {len(first) - NAMED:,} more" if len(first) > NAMED else ""
    return ", ".join(first[:NAMED]) + more


def _key(row: SampleRow) -> SampleKey:
    return SampleKey(task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index)
