"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.models import Model, ModelOptions, resolve
from agent.price import Price, parse_price
from agent.prompts import ContextKind
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
TemperatureOption = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=2.0, help="0.8, where the model takes one; given here, it must take it."
    ),
]
TopPOption = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="0.95, where the model takes one.")
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Output tokens of one answer, at most, thinking included; by default as many as suit "
        "the model.",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="Sample i is drawn with this seed + i (0), request j of an agent with 1000 times "
        "that + j."
    ),
]
EffortOption = Annotated[
    str | None,
    typer.Option(
        "--reasoning-effort",
        help="How much a model thinks: low, medium, high, or another word of its provider.",
    ),
]
ExtraBodyOption = Annotated[
    str | None,
    typer.Option(help="JSON of further fields for every request, such as '{\"top_k\": 20}'."),
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        help="'NAME: VALUE', sent with every request; $NAME stands for a variable of the "
        "environment. Repeat it for more."
    ),
]
WindowOption = Annotated[
    int | None,
    typer.Option(
        "--context-window",
        min=1_024,
        help="Tokens of prompt and answer together, where the endpoint does not tell.",
    ),
]
ServeOption = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=VALUE, an option of vLLM for vllm: models, such as tensor_parallel_size=2; "
        "repeat it for more."
    ),
]
ContextOption = Annotated[
    ContextKind | None,
    typer.Option(
        help="How files are chosen for a prompt: bm25 (default), rank (the model is asked "
        "once an issue) or files (whole files)."
    ),
]
VariantOption = Annotated[
    str | None, typer.Option(help="The prompt of `loop`: plain or reproduce-first.")
]
DepthOption = Annotated[int | None, typer.Option(min=1, help="Edits in a row, of `monkeys`: 4.")]
StepsOption = Annotated[
    int | None, typer.Option(min=1, help="Requests of one sample, of an agent: 30.")
]
TokensOption = Annotated[
    int | None, typer.Option(min=1, help="Tokens of one sample, of an agent: 400000.")
]
SecondsOption = Annotated[
    float | None, typer.Option(min=1.0, help="Seconds of one sample, of an agent: 1800.")
]
CommandSecondsOption = Annotated[
    float | None, typer.Option(min=1.0, help="Seconds of one command of an agent: 60.")
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
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Count resolved samples whose patches look like reward hacking as unresolved.",
    ),
]
IdsOption = Annotated[
    list[str] | None, typer.Option("--id", help="Only this task; repeat it for more.")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first so many tasks.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def extra_body_of(text: str | None) -> dict[str, Any] | None:
    """Read `--extra-body`. Raises InputError."""
    if text is None:
        return None
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InputError(f"--extra-body {text!r} is no JSON ({error}): give an object.") from None
    if not isinstance(body, dict):
        raise InputError(f"--extra-body {text!r} is no object: write it as '{{\"name\": value}}'.")
    return body


def serve_of(texts: Sequence[str] | None) -> dict[str, Any] | None:
    """Read `--serve`. Raises ServeOptionError."""
    if not texts:
        return None
    from agent.local.serving import parse_serve

    return parse_serve(texts)


def headers_of(texts: Sequence[str] | None) -> dict[str, str]:
    """Read `--header`. Raises InputError."""
    headers = {}
    for text in texts or ():
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise InputError(
                f"The header {text!r} is not complete: write it as 'NAME: VALUE', where $NAME "
                "stands for a variable of the environment."
            )
        headers[name.strip()] = value.strip()
    return headers


def prices_of(specs: Collection[str], texts: Sequence[str]) -> Callable[[str], Price | None]:
    """Read `--price`; return what gives each model its own. Raises InputError, PriceError."""
    for_all: Price | None = None
    for_one: dict[str, Price] = {}
    for text in texts:
        name, space, price = text.strip().rpartition(" ")
        if not space:
            for_all = parse_price(price)
        elif name.strip() in specs:
            for_one[name.strip()] = parse_price(price)
        else:
            raise InputError(f"--price {text!r} names a model that no --model names.")
    return lambda spec: for_one.get(spec, for_all)


def models_of(
    specs: Sequence[str],
    prices: Sequence[str],
    options: ModelOptions | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Model]:
    """Turn names and `--price` into models; raises InputError and what these raise."""
    doubled = sorted({spec for spec in specs if specs.count(spec) > 1})
    if doubled:
        raise InputError(f"--model {doubled[0]} is given twice: name each model once.")
    price_of = prices_of(specs, prices)
    options = options or ModelOptions()
    return [
        resolve(spec, dataclasses.replace(options, price=price_of(spec)), progress=progress)
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
