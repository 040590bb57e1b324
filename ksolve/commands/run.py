"""`ksolve run`: tasks x models x samples -> a run folder; live progress; resumable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.backend import Sampling
from agent.models import Model
from agent.oneshot import Oneshot
from eval.flaky import FLAKY_RUNS, FlakyTasks
from eval.store import Store
from eval.sweep import Plan, Solver, Sweep
from ksolve.errors import INFRASTRUCTURE, InputError, complain, exit_code
from ksolve.options import (
    WORKERS,
    BudgetOption,
    ExactOption,
    FlakyRunsOption,
    FreshOption,
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
from ksolve.progress import Stages
from ksolve.results import show, summary_of
from ksolve.screen import screen
from ksolve.session import Judging, Session, sweep_on_docker
from tasks.load import load_tasks, tasks_digest

FREE = ("samples", "tasks", "budget", "prices", "flaky")
"""Fields of the configuration that may change between two sessions of one run."""


def run(
    *,
    tasks: TasksOption,
    model: ModelOption,
    out: Annotated[Path, typer.Option(help="The run folder; made, or continued.")],
    samples: SamplesOption = 8,
    temperature: TemperatureOption = 0.8,
    top_p: TopPOption = 0.95,
    max_tokens: MaxTokensOption = 1024,
    seed: SeedOption = 0,
    budget: BudgetOption = None,
    price: PriceOption = None,
    in_flight: InFlightOption = None,
    workers: WorkersOption = WORKERS,
    fresh: FreshOption = False,
    exact: ExactOption = False,
    flaky_runs: FlakyRunsOption = FLAKY_RUNS,
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
    session = Session(
        console=screen(stderr=json),
        workers=workers,
        budget=budget,
        stages=stages,
        judging=Judging(fresh=fresh, exact=exact, flaky_runs=flaky_runs),
    )
    raise typer.Exit(sweep_and_report(plan, out, session, source=tasks, json=json))


def sweep_and_report(
    plan: Plan, out: Path, session: Session, *, source: str, json: bool = False
) -> int:
    """Draw what is owed, print the report, and return the exit code."""
    models = [solver.model for solver in plan.solvers]
    refuse_unknown_prices(models, session.budget)
    wanted = {model.name: len(plan.tasks) * plan.samples for model in models}
    with Store(out) as store:
        store.begin(configuration(plan, source, session.budget), free=FREE)
        sweep = asyncio.run(sweep_on_docker(plan, store, session, wanted=wanted))
        show(summary_of(store), json=json)
        failures = store.failures()
    if sweep.budget_spent:
        session.console.print("The budget is spent; a larger --budget goes on from here.")
    return complain_of(sweep) or (INFRASTRUCTURE if failures else 0)


def complain_of(sweep: Sweep) -> int:
    """Say which models could not be sampled to the end; return the exit code, 0 if all could."""
    for error in sweep.unusable.values():
        complain(error)
    return max((exit_code(error) or 0 for error in sweep.unusable.values()), default=0)


def refuse_unknown_prices(models: Sequence[Model], budget: float | None) -> None:
    """A budget over a model without a price could not be kept. Raises InputError."""
    for model in models:
        if budget is not None and not model.price.known:
            raise InputError(
                f"The price of {model.name} is unknown, so --budget cannot be kept: "
                "give it with --price, or leave --budget out."
            )


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
        "flaky": sorted(FlakyTasks().load().flaky(plan.tasks)),
    }
