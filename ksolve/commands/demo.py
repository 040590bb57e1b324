"""`ksolve demo`: set everything up and compare two local models on the starter suite."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import platformdirs
import psutil
import typer

from agent.backend import Sampling
from agent.oneshot import Oneshot
from eval.plan import Plan, Solver
from eval.store import open_run
from ksolve.commands.doctor import set_up
from ksolve.commands.report import write_page
from ksolve.commands.run import sweep_and_report
from ksolve.figures.drawn import figures
from ksolve.findings import findings, read_run
from ksolve.options import WORKERS, models_of
from ksolve.progress import Stages
from ksolve.screen import screen
from ksolve.session import Session
from ksolve.setup import parts
from tasks.load import load_tasks

SMALL, LARGE = "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"
PRICE = "hour=0.10"
"""An assumed rent, in dollars, of a machine like this: two cores and 16 GB for an hour."""

TASKS = (
    "ksolve__calendry-1",
    "ksolve__calendry-2",
    "ksolve__calendry-3",
    "ksolve__flowstate-1",
    "ksolve__formula-1",
    "ksolve__ledger-1",
    "ksolve__ledger-3",
    "ksolve__lrustore-1",
    "ksolve__lrustore-2",
    "ksolve__numkit-2",
    "ksolve__numkit-4",
    "ksolve__pathrouter-1",
    "ksolve__pathrouter-2",
    "ksolve__planekit-2",
    "ksolve__planekit-4",
    "ksolve__pricekit-2",
    "ksolve__seqtools-1",
    "ksolve__seqtools-2",
    "ksolve__textfold-1",
    "ksolve__wordkit-1",
)
"""Issues of twelve repositories of the starter suite, of which each model solves some and neither
all: some that the small one solves at times, some that only the large one does, some that are too
hard for both."""

SAMPLES = 8
SHORT_TASKS = ("ksolve__calendry-1", "ksolve__flowstate-1", "ksolve__wordkit-1")
SHORT_SAMPLES = 4
MAX_TOKENS = 200


def demo(
    *,
    short: Annotated[
        bool, typer.Option("--short", help="The small model, few tasks and samples.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; by default a new one in the cache.")
    ] = None,
) -> None:
    """Set up what is missing, then sample two local models on the starter suite and compare them.

    [bold]Example[/bold]

        ksolve demo
    """
    from agent.local.served import server_memory_needed

    started = time.monotonic()
    console = screen()
    names = [SMALL] if short else [SMALL, LARGE]
    available = psutil.virtual_memory().available
    if len(names) > 1 and available < server_memory_needed(LARGE):
        names = [SMALL]
        console.print(f"Memory for {LARGE} is short, so {SMALL} goes alone.")
    console.print("1 of 3: what this machine needs", style="bold")
    for part in parts(["engine", "base-image", "server", *names]):
        set_up(part, console)
    console.print(f"  everything stands ({time.monotonic() - started:.0f} s)")

    tasks = load_tasks("starter", ids=SHORT_TASKS if short else TASKS)
    samples = SHORT_SAMPLES if short else SAMPLES
    console.print(
        f"2 of 3: {len(tasks)} issues x {len(names)} models x {samples} samples", style="bold"
    )
    stages = Stages()
    models = models_of([f"vllm:{name}" for name in names], [PRICE], progress=stages)
    sampling = Sampling(max_tokens=MAX_TOKENS, seed=0)
    strategy = Oneshot()
    plan = Plan(
        tasks=tasks,
        solvers=[Solver(model=one, strategy=strategy, sampling=sampling) for one in models],
        samples=samples,
    )
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = out or platformdirs.user_cache_path("ksolve") / "demo" / stamp
    session = Session(console=console, workers=WORKERS, stages=stages)
    console.print("3 of 3: sampling and verifying, then the result", style="bold")
    code = sweep_and_report(plan, folder, session, source="starter")
    page = folder / "report.html"
    with open_run(folder) as store:
        of = findings([read_run(store)])
        write_page(of, figures(of), page)
    console.print(
        f"The run is in {folder} (`ksolve report` shows it again) and its page in {page}; "
        f"{time.monotonic() - started:.0f} s in all."
    )
    raise typer.Exit(code)
