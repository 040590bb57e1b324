"""`ksolve export`: a run as SWE-bench predictions, with all that was said, or as tables."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eval.configuration import prediction_names, strategies
from eval.cost import count
from eval.predictions import Prediction, write_predictions
from eval.sample import SampleKey
from eval.store import Store, open_run
from eval.trajectories import TrajectoryForm, to_atif, to_mini_swe_agent, to_record
from eval.whole import whole
from ksolve import __version__
from ksolve.errors import InputError
from ksolve.exports import pairs as training_pairs
from ksolve.exports import write, write_tables
from ksolve.options import ParametersOption, refuse_unwritable
from ksolve.prices import parameters_of
from ksolve.results import models_in
from ksolve.screen import put

Pick = Literal["all", "first", "solved"]

_ENDINGS: Mapping[TrajectoryForm, str] = {"mini-swe-agent": ".traj.json", "atif": ".atif.json"}
_NAME_CHARACTERS = 100
_TRAJECTORY = ("trajectory", "trajectories")


def export(
    *,
    run: Annotated[Path, typer.Argument(help="The folder that `ksolve run --out` wrote.")],
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="The .jsonl file of predictions to write; of several solvers of a model each is "
            "named MODEL__SOLVER."
        ),
    ] = None,
    trajectories: Annotated[
        TrajectoryForm | None,
        typer.Option(
            help="jsonl: one sample a line; mini-swe-agent: a .traj.json a sample; atif: a file "
            "of Harbor's Agent Trajectory Interchange Format a sample."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where trajectories go: a file of jsonl, else a folder."),
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option(
            help="Where samples, verdicts and curves go as Parquet: a folder for all of them; a "
            ".parquet file for the one of its name, samples where the name is none's."
        ),
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="The same as JSON lines: a folder, or a .jsonl file.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="A file of prompts, patches and verdicts to train on, as .parquet or .jsonl."
        ),
    ] = None,
    pick: Annotated[
        Pick,
        typer.Option(
            help="Of predictions, trajectories and pairs. all: every sample; first: sample 0 of "
            "each task and solver; solved: one resolved sample where there is one, else sample 0 "
            "(looks at the verdicts)."
        ),
    ] = "all",
    parameters: ParametersOption = None,
) -> None:
    """Write the samples of a run in forms that other tools read.

    [bold]Examples[/bold]

        ksolve export runs/a --predictions preds.jsonl --pick first

        ksolve export runs/a --trajectories atif --out trajectories/

        ksolve export runs/a --parquet tables/

        ksolve export runs/a --jsonl curves.jsonl

        ksolve export runs/a --pairs pairs.jsonl --pick solved
    """
    if (trajectories is None) != (out is None):
        raise InputError("Give --trajectories and --out together: the form and where it goes.")
    if not any((predictions, trajectories, parquet, jsonl, pairs)):
        raise InputError(
            "Say what to write: --predictions FILE, --trajectories FORM --out PATH, "
            "--parquet PATH, --jsonl PATH or --pairs FILE."
        )
    refuse_unwritable(predictions, endings=[".jsonl"])
    refuse_unwritable(pairs, endings=[".parquet", ".jsonl"])
    refuse_unwritable(parquet, or_folder=True, endings=[".parquet"])
    refuse_unwritable(jsonl, or_folder=True, endings=[".jsonl"])
    if trajectories == "jsonl":
        refuse_unwritable(out, endings=[".jsonl"])
    else:
        refuse_unwritable(out, or_folder=True)
    with open_run(run) as store:
        if predictions is not None:
            written = write_predictions(predictions, _predictions(store, pick))
            put(f"{count(written, 'prediction')} written to {predictions}.")
        if trajectories is not None and out is not None:
            put(_write(store, _picked(store, pick), trajectories, out))
        sizes = parameters_of(parameters, models_in([store]))
        for where, ending in ((parquet, ".parquet"), (jsonl, ".jsonl")):
            for file, rows in write_tables(store, where, ending, sizes).items() if where else ():
                put(f"{count(rows, 'row')} written to {file}.")
        if pairs is not None:
            written = write(training_pairs(store, _picker(store, pick)), pairs)
            put(f"{count(written, 'pair')} written to {pairs}.")


def _predictions(store: Store, pick: Pick) -> Iterator[Prediction]:
    names = prediction_names(store.config() or {})
    for key in _picked(store, pick):
        model = names.get((key.model, key.strategy), key.model)
        yield Prediction(task_id=key.task_id, model=model, patch=store.patch(key))


def _picked(store: Store, pick: Pick) -> Iterator[SampleKey]:
    is_picked = _picker(store, pick)
    for row in store.rows():
        key = SampleKey(
            task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index
        )
        if is_picked(key):
            yield key


def _picker(store: Store, pick: Pick) -> Callable[[SampleKey], bool]:
    """Return what says whether a sample is among those asked for."""
    solved: dict[tuple[str, str, str], int] = {}
    if pick == "solved":
        for row in store.rows():
            if row.outcome == "resolved":
                solved.setdefault((row.model, row.strategy, row.task_id), row.index)

    def is_picked(key: SampleKey) -> bool:
        chosen = solved.get((key.model, key.strategy, key.task_id), 0)
        return pick == "all" or key.index == chosen

    return is_picked


def _write(store: Store, keys: Iterable[SampleKey], form: TrajectoryForm, out: Path) -> str:
    """Write every sample, each file whole or not at all; return what is said of it."""
    strategy_of = strategies(store.config() or {})

    def converted(key: SampleKey) -> dict[str, Any] | None:
        drawn_by = strategy_of.get((key.model, key.strategy), key.strategy)
        return _converted(store, key, form, drawn_by)

    if form == "jsonl":
        written = _write_lines(out, map(converted, keys))
        return f"{count(written, *_TRAJECTORY)} written to {out}."
    written = empty = 0
    for key in keys:
        told = converted(key)
        if told is None:
            empty += 1
            continue
        place = out / _file_name(key.task_id) / _file_name(f"{key.strategy}-{key.model}")
        place.mkdir(parents=True, exist_ok=True)
        _write_lines(place / f"{key.index}{_ENDINGS[form]}", [told])
        written += 1
    rest = f" Without one on record, and no file: {count(empty, 'sample')}." if empty else ""
    return f"{count(written, *_TRAJECTORY)} written to {out}.{rest}"


def _converted(
    store: Store, key: SampleKey, form: TrajectoryForm, drawn_by: str
) -> dict[str, Any] | None:
    """Return a sample in a form; None where that cannot hold one without turns."""
    sample, verdict = store.sample(key), store.judged(key)
    match form:
        case "jsonl":
            return to_record(sample, verdict, drawn_by=drawn_by)
        case _ if not sample.proposal.trajectory:
            return None
        case "mini-swe-agent":
            return to_mini_swe_agent(sample, verdict, version=__version__, drawn_by=drawn_by)
        case "atif":
            return to_atif(sample, verdict, version=__version__, drawn_by=drawn_by)


def _write_lines(path: Path, rows: Iterable[object]) -> int:
    written = 0
    with whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            written += 1
    return written


def _file_name(name: str) -> str:
    """Return what a file can be called after a name; unlike names stay unlike."""
    plain = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII).lstrip(".")[:_NAME_CHARACTERS]
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
