"""`ksolve export`: the samples of a run as SWE-bench predictions, or with all that was said."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eval.predictions import Prediction, write_predictions
from eval.sample import SampleKey
from eval.store import Store, open_run
from eval.trajectories import TrajectoryForm, to_atif, to_mini_swe_agent, to_record
from ksolve import __version__
from ksolve.errors import InputError

Pick = Literal["all", "first", "solved"]

_ENDINGS: Mapping[TrajectoryForm, str] = {"mini-swe-agent": ".traj.json", "atif": ".atif.json"}
_NAME_CHARACTERS = 100


def export(
    *,
    run: Annotated[Path, typer.Argument(help="The folder that `ksolve run --out` wrote.")],
    predictions: Annotated[
        Path | None, typer.Option(help="The .jsonl file of predictions to write.")
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
    pick: Annotated[
        Pick,
        typer.Option(
            help="all: every sample; first: sample 0 of each task and model; solved: one resolved "
            "sample where there is one, else sample 0 (looks at the verdicts)."
        ),
    ] = "all",
) -> None:
    """Write the samples of a run in forms that other tools read.

    [bold]Examples[/bold]

        ksolve export runs/a --predictions preds.jsonl --pick first

        ksolve export runs/a --trajectories atif --out trajectories/
    """
    if (trajectories is None) != (out is None):
        raise InputError("Give --trajectories and --out together: the form and where it goes.")
    if predictions is None and trajectories is None:
        raise InputError(
            "Say what to write: --predictions FILE, or --trajectories FORM --out PATH."
        )
    with open_run(run) as store:
        if predictions is not None:
            count = write_predictions(predictions, _predictions(store, pick))
            typer.echo(f"{count} predictions written to {predictions}.")
        if trajectories is not None and out is not None:
            typer.echo(_write(store, _picked(store, pick), trajectories, out))


def _predictions(store: Store, pick: Pick) -> Iterator[Prediction]:
    for key in _picked(store, pick):
        yield Prediction(task_id=key.task_id, model=key.model, patch=store.patch(key))


def _picked(store: Store, pick: Pick) -> Iterator[SampleKey]:
    solved: dict[tuple[str, str, str], int] = {}
    if pick == "solved":
        for row in store.rows():
            if row.outcome == "resolved":
                solved.setdefault((row.model, row.strategy, row.task_id), row.index)
    for row in store.rows():
        chosen = solved.get((row.model, row.strategy, row.task_id), 0)
        if pick == "all" or row.index == chosen:
            yield SampleKey(
                task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index
            )


def _write(store: Store, keys: Iterable[SampleKey], form: TrajectoryForm, out: Path) -> str:
    """Write every sample, each file whole or not at all; return what is said of it."""
    if form == "jsonl":
        count = _write_lines(out, (_converted(store, key, form) for key in keys))
        return f"{count} trajectories written to {out}."
    count = empty = 0
    for key in keys:
        told = _converted(store, key, form)
        if told is None:
            empty += 1
            continue
        place = out / _file_name(key.task_id) / _file_name(f"{key.strategy}-{key.model}")
        place.mkdir(parents=True, exist_ok=True)
        _write_lines(place / f"{key.index}{_ENDINGS[form]}", [told])
        count += 1
    rest = f" {empty} samples have none on record, and no file." if empty else ""
    return f"{count} trajectories written to {out}.{rest}"


def _converted(store: Store, key: SampleKey, form: TrajectoryForm) -> dict[str, Any] | None:
    """Return a sample in a form; None where that cannot hold one without turns."""
    sample, verdict = store.sample(key), store.judged(key)
    match form:
        case "jsonl":
            return to_record(sample, verdict)
        case _ if not sample.proposal.trajectory:
            return None
        case "mini-swe-agent":
            return to_mini_swe_agent(sample, verdict, version=__version__)
        case "atif":
            return to_atif(sample, verdict, version=__version__)


def _write_lines(path: Path, rows: Iterable[object]) -> int:
    if path.is_dir():
        raise InputError(f"{path} is a folder: give a file to --out.")
    count = 0
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            count += 1
    partial.replace(path)
    return count


def _file_name(name: str) -> str:
    """Return what a file can be called after a name; unlike names stay unlike."""
    plain = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII).lstrip(".")[:_NAME_CHARACTERS]
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
