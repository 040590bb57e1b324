"""`ksolve run`: tasks x models x samples -> a run folder; live progress; resumable."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from agent.backend import Sampling
from agent.oneshot import Oneshot
from eval.budget import Budget
from eval.store import Store
from eval.sweep import Plan, Solver, Sweep
from ksolve.errors import INFRASTRUCTURE, InputError, complain, exit_code
from ksolve.options import (
    WORKERS,
    BudgetOption,
    IdsOption,
    InFlightOption,
    JsonOption,
    LimitOption,
    MaxTokensOption,
    ModelOption,
    PriceOption,
    SamplesOption,
    SeedOption,
    TasksOption,
    TemperatureOption,
    TopPOption,
    WorkersOption,
    models_of,
)
from ksolve.prepare import ready_images
from ksolve.progress import Stages, SweepProgress
from ksolve.results import show, summary_of
from sandbox.docker import DockerHost
from tasks.load import load_tasks, tasks_digest

FREE = ("samples", "tasks", "budget", "prices")
"""Fields of the configuration that may change between two sessions of one run."""


def run(
    *,
    tasks: TasksOption,
    model: ModelOption,
    out: Annotated[Path, typer.Option(help="The run folder; made, or continued.")],
    samples: SamplesOption = 8,
    temperature: TemperatureOption = 0.8,
    top_p: TopPOption = 1.0,
    max_tokens: MaxTokensOption = 1024,
    seed: SeedOption = 0,
    budget: BudgetOption = None,
    price: PriceOption = None,
    in_flight: InFlightOption = None,
    workers: WorkersOption = WORKERS,
    ids: IdsOption = None,
    limit: LimitOption = None,
    json: JsonOption = False,
) -> None:
    """Sample patches for every task with every model, verify them, and report.

    The same command again continues a run that was stopped, and pays for nothing twice.

    [bold]Example[/bold]

        ksolve run --tasks starter --model deepseek:deepseek-chat --samples 8 --out runs/a
    """
    selected = load_tasks(tasks, ids=ids or (), limit=limit)
    stages = Stages()
    models = models_of(model, price or (), in_flight=in_flight, progress=stages)
    strategy = Oneshot()
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens, seed=seed)
    plan = Plan(
        tasks=selected,
        solvers=[Solver(model=one, strategy=strategy, sampling=sampling) for one in models],
        samples=samples,
    )
    console = Console(stderr=json)
    code = asyncio.run(
        sweep_and_report(
            plan,
            out,
            source=tasks,
            stages=stages,
            budget=budget,
            workers=workers,
            console=console,
            json=json,
        )
    )
    raise typer.Exit(code)


async def sweep_and_report(
    plan: Plan,
    out: Path,
    *,
    source: str,
    stages: Stages,
    budget: float | None,
    workers: int,
    console: Console,
    json: bool = False,
) -> int:
    """Draw what is owed, print the report, and return the exit code."""
    models = [solver.model for solver in plan.solvers]
    for model in models:
        if budget is not None and not model.price.known:
            raise InputError(
                f"The price of {model.name} is unknown, so --budget cannot be kept: "
                "give it with --price, or leave --budget out."
            )
    with Store(out) as store:
        store.begin(configuration(plan, source, budget), free=FREE)
        async with DockerHost(run_id=str(store.folder)) as host:
            await ready_images(host, plan.tasks, console)
            wanted = {model.name: len(plan.tasks) * plan.samples for model in models}
            with SweepProgress(console, store, tasks=len(plan.tasks), wanted=wanted) as progress:
                stages.listener = progress.stage
                sweep = Sweep(
                    plan,
                    store,
                    host,
                    budget=Budget(budget, spent=store.spent()),
                    workers=workers,
                    observer=progress,
                )
                await sweep.run()
        summary = summary_of(store)
        show(summary, json=json)
        if sweep.budget_spent:
            console.print(f"The budget of ${budget:.2f} is spent; a larger --budget goes on.")
        failures = store.failures()
    for error in sweep.unusable.values():
        complain(error)
    if sweep.unusable:
        return max(exit_code(error) or INFRASTRUCTURE for error in sweep.unusable.values())
    return INFRASTRUCTURE if failures else 0


def configuration(plan: Plan, source: str, budget: float | None) -> dict[str, Any]:
    """Return what makes a run this run, as JSON-able values."""
    solver = plan.solvers[0]
    # One strategy and one sampling serve every model of a run.
    models = [solver.model for solver in plan.solvers]
    return {
        "tasks": source,
        "tasks_digest": tasks_digest(plan.tasks),
        "task_ids": [task.id for task in plan.tasks],
        "models": [model.name for model in models],
        "prices": {model.name: str(model.price) for model in models},
        "strategy": solver.strategy.name,
        "strategy_version": solver.strategy.version,
        "samples": plan.samples,
        "temperature": solver.sampling.temperature,
        "top_p": solver.sampling.top_p,
        "max_tokens": solver.sampling.max_tokens,
        "seed": solver.sampling.seed,
        "budget": budget,
    }
