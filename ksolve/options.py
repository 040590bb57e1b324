"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.models import PATIENCE, Model, resolve
from agent.price import Price, parse_price
from ksolve.errors import InputError

TASKS_OPTION: Any = typer.Option(
    help="`starter`; a SWE-bench dataset (lite, verified, full, multilingual, a hub name); "
    "a .jsonl, .json or .parquet file of its rows; or a task-repo folder. Rows of the older "
    "form need KSOLVE_TASK_REPO, a task-repo folder that holds their ids."
)
TasksOption = Annotated[str, TASKS_OPTION]
MODEL_OPTION: Any = typer.Option(
    help="openai:NAME, deepseek:NAME, vllm:PATH-OR-NAME, http://HOST:PORT/v1#NAME, ... "
    "(see `ksolve models`); repeat it to compare."
)
ModelOption = Annotated[list[str], MODEL_OPTION]
TemperatureOption = Annotated[float, typer.Option(min=0.0, max=2.0)]
TopPOption = Annotated[float, typer.Option(min=0.0, max=1.0)]
MaxTokensOption = Annotated[int, typer.Option(min=1, help="Output tokens of one answer, at most.")]
SeedOption = Annotated[
    int,
    typer.Option(
        help="Sample i is drawn with this seed + i, request j of an agent with 1000 times that + j."
    ),
]
BudgetOption = Annotated[
    float | None, typer.Option(min=0.0, help="US dollars that the run may cost in all.")
]
PriceOption = Annotated[
    list[str] | None,
    typer.Option(
        help='"hour=0.10" or "in=0.25,cached=0.025,out=2" for every model, or '
        '"MODEL hour=0.10" for one; overrides the price list.'
    ),
]
InFlightOption = Annotated[
    int | None, typer.Option(min=1, help="Requests under way at once, per model.")
]
WORKERS = os.cpu_count() or 2
"""Verification is work for the processor: one container a core."""

WorkersOption = Annotated[int, typer.Option(min=1, help="Containers that verify at once.")]
FreshOption = Annotated[
    bool,
    typer.Option("--fresh", help="Judge even what another run on this machine has judged already."),
]
ExactOption = Annotated[
    bool,
    typer.Option(
        "--exact",
        help="Run every test of every patch, also where `ksolve tasks validate` proved that "
        "FAIL_TO_PASS alone decides.",
    ),
]
FlakyRunsOption = Annotated[
    int,
    typer.Option(
        min=1, help="Runs behind a verdict on a task that is known to be flaky; most decide."
    ),
]
IdsOption = Annotated[
    list[str] | None, typer.Option("--id", help="Only this task; repeat it for more.")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first so many tasks.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def models_of(
    specs: Sequence[str],
    prices: Sequence[str],
    *,
    in_flight: int | None = None,
    patience: float = PATIENCE,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Model]:
    """Turn `--model` and `--price` into models; raises InputError and what these raise."""
    doubled = sorted({spec for spec in specs if specs.count(spec) > 1})
    if doubled:
        raise InputError(f"--model {doubled[0]} is given twice: name each model once.")
    for_all: Price | None = None
    for_one: dict[str, Price] = {}
    for text in prices:
        name, space, price = text.strip().rpartition(" ")
        if not space:
            for_all = parse_price(price)
        elif name.strip() in specs:
            for_one[name.strip()] = parse_price(price)
        else:
            raise InputError(f"--price {text!r} names a model that no --model names.")
    return [
        resolve(
            spec,
            price=for_one.get(spec, for_all),
            in_flight=in_flight,
            patience=patience,
            progress=progress,
        )
        for spec in specs
    ]


def refuse_unwritable(
    *files: Path | None, or_folder: bool = False, endings: Sequence[str] = ()
) -> None:
    """Raise InputError for a file that cannot be written, before any work is done for it.

    Where any `endings` are given a name ends in one of them: another, or none, would not say what
    is in the file. A folder to be made has none, and what is a pipe or a device may have any.
    """
    for file in files:
        if file is None:
            continue
        if file.is_dir():
            if not or_folder:
                raise InputError(f"{file} is a folder: give a file.")
            continue
        if not file.parent.is_dir() and not (or_folder and not file.suffix):
            raise InputError(f"There is no folder {file.parent}: make it, or give another file.")
        if file.parent.is_dir() and not os.access(file.parent, os.W_OK):
            raise InputError(f"Nothing may be written in {file.parent}: give another file.")
        tell = {*endings, ""} if or_folder else {*endings}
        if endings and file.suffix not in tell and (file.is_file() or not file.exists()):
            folder = ", or a folder" if or_folder else ""
            form = f" as {file.suffix}" if file.suffix else ", since its name does not say its form"
            raise InputError(
                f"{file} is not written{form}: give a file that ends in "
                f"{' or '.join(endings)}{folder}."
            )
