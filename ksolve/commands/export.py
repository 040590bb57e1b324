"""`ksolve export`: the samples of a run as SWE-bench predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from eval.predictions import Prediction, write_predictions
from eval.sample import SampleKey
from eval.store import Store, open_run

Pick = Literal["all", "first", "solved"]


def export(
    *,
    run: Annotated[Path, typer.Argument(help="The folder that `ksolve run --out` wrote.")],
    predictions: Annotated[Path, typer.Option(help="The .jsonl file to write.")],
    pick: Annotated[
        Pick,
        typer.Option(
            help="all: every sample; first: sample 0 of each task and model; solved: one resolved "
            "sample where there is one, else sample 0 (looks at the verdicts)."
        ),
    ] = "all",
) -> None:
    """Write the patches of a run in the form that SWE-bench tooling reads.

    [bold]Example[/bold]

        ksolve export runs/a --predictions preds.jsonl --pick first
    """
    with open_run(run) as store:
        count = write_predictions(predictions, _picked(store, pick))
    typer.echo(f"{count} predictions written to {predictions}.")


def _picked(store: Store, pick: Pick) -> Iterator[Prediction]:
    solved: dict[tuple[str, str, str], int] = {}
    if pick == "solved":
        for row in store.rows():
            if row.outcome == "resolved":
                solved.setdefault((row.model, row.strategy, row.task_id), row.index)
    for row in store.rows():
        chosen = solved.get((row.model, row.strategy, row.task_id), 0)
        if pick == "all" or row.index == chosen:
            key = SampleKey(
                task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index
            )
            yield Prediction(task_id=row.task_id, model=row.model, patch=store.patch(key))
