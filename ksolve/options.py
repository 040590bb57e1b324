"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from agent.models import Model, ModelOptions, resolve
from agent.prompts import ContextKind
from ksolve.errors import InputError, console
from ksolve.prices import prices_of
from tasks.load import load_tasks
from tasks.resources import SIZE, capability_names, size
from tasks.rows import SHOWN, SKIP_INVALID, Problem
from tasks.task import Resources, Task

TASKS_OPTION: Any = typer.Option(
    help="`starter`; a SWE-bench dataset (lite, verified, full, multilingual, a hub name); "
    "a .jsonl, .json or .parquet file of its rows; or a task-repo folder. Rows of the older "
    "form need KSOLVE_SWEBENCH4, a Python or folder with swebench 4.x, or KSOLVE_TASK_REPO, a "
    "task-repo folder that holds their ids."
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
        help="Decides (0) the seed of every request, another for each sample, issue, model and "
        "strategy, and in `run` the random order in which issues are drawn."
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
AllocateOption = Annotated[
    Literal["uniform", "adaptive"] | None,
    typer.Option(
        help="uniform (default): --samples of every model for every task; adaptive: up to as "
        "many, each where it most likely solves another task for its cost."
    ),
]
PriorFromOption = Annotated[
    list[Path] | None,
    typer.Option(
        resolve_path=True,
        help="A former run's folder, for adaptive allocation: what its verdicts say of solvers of "
        "the same model and strategy is known from the start; repeat it for more.",
    ),
]
PriceOption = Annotated[
    list[str] | None,
    typer.Option(
        help='"hour=0.10" or "in=1,cached=0.1,cache_write=1.25,out=5" (cached and cache_write '
        'can be left out) for every model, or "MODEL hour=0.10" for one; overrides the price list.'
    ),
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        help="MODEL=N, the parameters of a model for costs in FLOPs, such as 7e9, 7B or 500M; of a "
        "mixture of experts the active ones. Repeat it for more."
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
MemoryOption = Annotated[
    str | None, typer.Option(help="Memory of one container, such as 512m or 8g: 2g.")
]
CpusOption = Annotated[
    float | None, typer.Option(min=0.01, help="Processors that one container may keep busy: 1.")
]
ProcessesOption = Annotated[
    int | None, typer.Option(min=1, help="Processes and threads in one container: 256.")
]
DiskOption = Annotated[
    str | None, typer.Option(help="What one container may write, such as 512m or 8g: 2g.")
]
NetworkOption = Annotated[
    bool | None,
    typer.Option(
        "--network/--no-network",
        help="Whether containers reach the network: by default those of tasks that ask for it.",
    ),
]
CapAddOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A Linux capability for root in containers, such as SETUID; repeat it for more."
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
SKIP_INVALID_OPTION: Any = typer.Option(
    SKIP_INVALID, help="Leave out the rows that cannot be used, and say which and why."
)
SkipInvalidOption = Annotated[bool, SKIP_INVALID_OPTION]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(help="Not this task; * and ? stand for others. Repeat it for more."),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Only so many tasks, taken at random: the same in every command, in `run` by its "
        "--seed, and among those of any larger limit.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def tasks_of(
    source: str,
    *,
    ids: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    skip_invalid: bool = False,
) -> list[Task]:
    """Load tasks, and say on standard error which rows were left out. Raises DatasetError."""
    left_out: list[Problem] = []
    tasks = load_tasks(
        source,
        ids=ids or (),
        exclude=exclude or (),
        limit=limit,
        seed=seed,
        on_invalid=left_out.append if skip_invalid else None,
    )
    if left_out:
        count = len({problem.place for problem in left_out})
        console.print(
            Text("warning: ", style="bold yellow")
            + Text(f"{count} {'row' if count == 1 else 'rows'} of {source} left out:")
        )
        for problem in left_out[:SHOWN]:
            console.print(Text(f"  {problem}"))
        if len(left_out) > SHOWN:
            console.print(Text(f"  and {len(left_out) - SHOWN} more"))
    return tasks


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


def resources_of(
    *,
    memory: str | None = None,
    cpus: float | None = None,
    processes: int | None = None,
    disk: str | None = None,
    network: bool | None = None,
    cap_add: Sequence[str] | None = None,
) -> Resources:
    """Read what containers may use, which wins over what tasks ask for. Raises InputError."""
    return Resources(
        memory_bytes=_size("--memory", memory),
        cpus=cpus,
        pids=processes,
        disk_bytes=_size("--disk", disk),
        network=network,
        capabilities=_capabilities(cap_add or ()),
    )


def kept_resources(resources: Resources) -> dict[str, Any]:
    """Return what a run says of its containers, as a part of its configuration; {} for nothing."""
    said = {name: value for name, value in dataclasses.asdict(resources).items() if value}
    if resources.network is not None:
        said["network"] = resources.network
    if resources.capabilities:
        said["capabilities"] = list(resources.capabilities)
    return {"resources": said} if said else {}


def resources_in(config: Mapping[str, Any]) -> Resources:
    """Return what the configuration of a run says of its containers."""
    said = dict(config.get("resources", {}))
    return Resources(**said | {"capabilities": tuple(said.get("capabilities", ()))})


def _size(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else size(text)
    except ValueError:
        raise InputError(f"{option} takes {SIZE}, not {text!r}.") from None


def _capabilities(names: Sequence[str]) -> tuple[str, ...]:
    try:
        return capability_names(names)
    except ValueError:
        raise InputError(
            f"--cap-add takes the names of Linux capabilities, such as SYS_PTRACE, not "
            f"{', '.join(names)!r}."
        ) from None


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
