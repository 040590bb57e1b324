"""`ksolve run`: tasks x models x samples -> a run folder; live progress; resumable."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from agent.models import Model, ModelOptions, resolve
from eval.cost import money
from eval.flaky import FLAKY_RUNS, FlakyTasks
from eval.plan import Plan, Solver
from eval.store import Store
from eval.sweep import Sweep
from ksolve.commands.report import show
from ksolve.earlier import SEEDS, tell_of_earlier
from ksolve.errors import INFRASTRUCTURE, complain, exit_code
from ksolve.findings import findings, read_run
from ksolve.former import told_of_former_runs
from ksolve.options import (
    MODEL_OPTION,
    SKIP_INVALID_OPTION,
    TASKS_OPTION,
    WORKERS,
    AllocateOption,
    BudgetOption,
    CapAddOption,
    CommandSecondsOption,
    ContextOption,
    CpusOption,
    DepthOption,
    DiskOption,
    EffortOption,
    ExactOption,
    ExcludeOption,
    ExtraBodyOption,
    FlakyRunsOption,
    FreshOption,
    HeaderOption,
    IdsOption,
    InFlightOption,
    JsonOption,
    LimitOption,
    MaxTokensOption,
    MemoryOption,
    NetworkOption,
    ParametersOption,
    PriceOption,
    PriorFromOption,
    ProcessesOption,
    SecondsOption,
    SeedOption,
    ServeOption,
    StepsOption,
    StrictOption,
    TemperatureOption,
    TokensOption,
    TopPOption,
    VariantOption,
    WindowOption,
    WorkersOption,
    extra_body_of,
    headers_of,
    kept_resources,
    serve_of,
    tasks_of,
)
from ksolve.prices import parameters_of, prices_of, refuse_unknown_prices
from ksolve.progress import Stages
from ksolve.screen import screen
from ksolve.session import Judging, Session, check_served, sweep_on_docker
from ksolve.sweep_config import SolverConfig, Strategies, SweepConfig, as_toml
from ksolve.sweep_options import resolve_config
from tasks.load import lasting_source, tasks_digest
from tasks.task import Task

FREE = (
    *("samples", "tasks", "budgets", "prices", "parameters"),
    *("flaky", "allocate", "was_adaptive", "command", "seeds"),
)
"""Fields of the configuration that may change between two sessions of one run."""


def run(
    *,
    tasks: Annotated[str | None, TASKS_OPTION] = None,
    model: Annotated[list[str] | None, MODEL_OPTION] = None,
    out: Annotated[Path, typer.Option(help="The run folder; made, or continued.")],
    config: Annotated[
        Path | None,
        typer.Option(
            help=escape(
                "A TOML file of these options by their names, and [[solvers]] for mixtures; an "
                "option given besides wins. It holds none of --out, --workers, --fresh, --exact, "
                "--flaky-runs, --strict and --json, and [[solvers]] name their --model and "
                "--strategy."
            )
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="How a sample is drawn: oneshot (default), loop or monkeys; repeat it to compare."
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Samples per task, model and strategy: 8.")
    ] = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_tokens: MaxTokensOption = None,
    seed: SeedOption = None,
    reasoning_effort: EffortOption = None,
    extra_body: ExtraBodyOption = None,
    header: HeaderOption = None,
    context_window: WindowOption = None,
    serve: ServeOption = None,
    context: ContextOption = None,
    variant: VariantOption = None,
    depth: DepthOption = None,
    steps: StepsOption = None,
    tokens: TokensOption = None,
    seconds: SecondsOption = None,
    command_seconds: CommandSecondsOption = None,
    allocate: AllocateOption = None,
    prior_from: PriorFromOption = None,
    budget: BudgetOption = None,
    budget_per_issue: Annotated[
        float | None, typer.Option(min=0.0, help="US dollars that one issue may cost.")
    ] = None,
    budget_per_sample: Annotated[
        float | None, typer.Option(min=0.0, help="US dollars that one sample may cost.")
    ] = None,
    price: PriceOption = None,
    parameters: ParametersOption = None,
    in_flight: InFlightOption = None,
    workers: WorkersOption = WORKERS,
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    processes: ProcessesOption = None,
    disk: DiskOption = None,
    network: NetworkOption = None,
    cap_add: CapAddOption = None,
    fresh: FreshOption = False,
    exact: ExactOption = False,
    flaky_runs: FlakyRunsOption = FLAKY_RUNS,
    ids: IdsOption = None,
    exclude: ExcludeOption = None,
    limit: LimitOption = None,
    skip_invalid: Annotated[bool | None, SKIP_INVALID_OPTION] = None,
    strict: StrictOption = False,
    json: JsonOption = False,
) -> None:
    """Sample patches for every task with every model, verify them, and report.

    The same command again continues a run that was stopped, and draws no finished sample twice.
    The run folder keeps what was asked for as sweep.toml.

    [bold]Example[/bold]

        ksolve run --tasks starter --model deepseek:deepseek-v4-flash --samples 8 --out runs/a
    """
    asked = resolve_config(
        config,
        {
            "tasks": tasks,
            "model": model,
            "strategy": strategy,
            "samples": samples,
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
            "extra_body": extra_body_of(extra_body),
            "header": header,
            "context_window": context_window,
            "serve": serve_of(serve),
            "context": context,
            "variant": variant,
            "depth": depth,
            "steps": steps,
            "tokens": tokens,
            "seconds": seconds,
            "command_seconds": command_seconds,
            "allocate": allocate,
            "prior_from": [*map(str, prior_from or ())] or None,
            "budget": budget,
            "budget_per_issue": budget_per_issue,
            "budget_per_sample": budget_per_sample,
            "price": price,
            "parameters": parameters,
            "in_flight": in_flight,
            "memory": memory,
            "cpus": cpus,
            "processes": processes,
            "disk": disk,
            "network": network,
            "cap_add": cap_add,
            "id": ids,
            "exclude": exclude,
            "limit": limit,
            "skip_invalid": skip_invalid,
        },
    )
    selected = tasks_of(
        asked.tasks,
        ids=asked.id,
        exclude=asked.exclude,
        limit=asked.limit,
        seed=asked.seed,
        skip_invalid=asked.skip_invalid,
    )
    stages = Stages()
    plan = plan_of(asked, selected, stages)
    console = screen(stderr=json)
    plan = told_of_former_runs(plan, asked, out, console)
    session = Session(
        console=console,
        workers=workers,
        budget=asked.budget,
        budget_per_issue=asked.budget_per_issue,
        budget_per_sample=asked.budget_per_sample,
        stages=stages,
        resources=asked.resources,
        parameters=parameters_of(asked.parameters, {one.model: None for one in asked.solvers}),
        judging=Judging(fresh=fresh, exact=exact, flaky_runs=flaky_runs),
    )
    code = sweep_and_report(
        plan, out, session, source=asked.tasks, json=json, strict=strict, toml=as_toml(asked)
    )
    raise typer.Exit(code)


def plan_of(asked: SweepConfig, tasks: Sequence[Task], stages: Stages) -> Plan:
    """Return what is to be drawn; raises InputError and what models raise."""
    strategies, models = Strategies(), _Models(asked, stages)
    return Plan(
        tasks=tasks,
        solvers=[
            Solver(
                model=models.of(solver),
                strategy=strategies.of(solver),
                sampling=solver.sampling,
                label=solver.label,
                samples=solver.samples,
                settings=solver.used,
            )
            for solver in asked.solvers
        ],
        allocate=asked.allocate,
    )


class _Models:
    """Makes each model once, so that solvers of the same endpoint and server share it."""

    def __init__(self, asked: SweepConfig, stages: Stages) -> None:
        specs = [solver.model for solver in asked.solvers]
        self._price_of = prices_of(specs, asked.price)
        self._in_flight = asked.in_flight
        self._stages = stages
        self._made: dict[str, Model] = {}

    def of(self, solver: SolverConfig) -> Model:
        """Return the model of a solver. Raises what `resolve` does."""
        key = repr((solver.model, solver.header, solver.context_window, solver.serve))
        if key not in self._made:
            options = ModelOptions(
                price=self._price_of(solver.model),
                in_flight=self._in_flight,
                context_window=solver.context_window,
                headers=headers_of(solver.header),
                serve=solver.serve,
            )
            self._made[key] = resolve(solver.model, options, progress=self._stages)
        return self._made[key]


def sweep_and_report(
    plan: Plan,
    out: Path,
    session: Session,
    *,
    source: str,
    json: bool = False,
    strict: bool = False,
    toml: str | None = None,
) -> int:
    """Draw what is pending, print the report, and return the exit code.

    `toml` asks for the same and is kept beside the run, once that is known to be this one.
    """
    models = [solver.model for solver in plan.solvers]
    limits = {
        "--budget": session.budget,
        "--budget-per-issue": session.budget_per_issue,
        "--budget-per-sample": session.budget_per_sample,
    }
    refuse_unknown_prices(models, limits)
    wanted: Counter[str] = Counter()
    for solver in plan.solvers:
        wanted[solver.model.name] += len(plan.tasks) * plan.samples_of(solver)
    asyncio.run(check_served(plan))
    with Store(out) as store:
        before = store.config() or {}
        tell_of_earlier(before, session.console)
        was_adaptive = "adaptive" in (plan.allocate, before.get("allocate"))
        # What an adaptive session left unequal stays so, whatever the sessions after it do.
        store.begin(
            configuration(plan, source, list(limits.values()))
            | kept_resources(session.resources)
            | {"was_adaptive": was_adaptive or before.get("was_adaptive", False)}
            | {"parameters": {**before.get("parameters", {}), **session.parameters}},
            free=FREE,
        )
        if toml is not None:
            (out / "sweep.toml").write_text(toml, encoding="utf-8")
        sweep = asyncio.run(sweep_on_docker(plan, store, session, wanted=wanted))
        if json or not sweep.unusable or next(store.rows(), None) is not None:
            show(findings([read_run(store, strict=strict)], in_full=json), json=json)
        failures = store.failures()
        spent, by_issue = store.spent(), store.spent_by_issue()
    if sweep.budget_spent:
        session.console.print(short_of("--budget", session.budget or 0.0, [spent]))
    if sweep.gave_up:
        session.console.print(
            "What is left of the budget is kept: it would hardly solve another issue. A larger "
            "--budget goes on from here."
        )
    if sweep.issues_spent:
        paid = [by_issue.get(task_id, 0.0) for task_id in sweep.issues_spent]
        limit = session.budget_per_issue or 0.0
        on = f" on each of {len(paid)} of {len(plan.tasks)} issues"
        session.console.print(short_of("--budget-per-issue", limit, paid, on=on))
    return complain_of(sweep) or (INFRASTRUCTURE if failures else 0)


def short_of(option: str, limit: float, spent: Sequence[float], *, on: str = "") -> str:
    """Say of a budget in US dollars, or of several alike, what is left and why that is not used.

    A request is sent only if all that it may cost is left, so that much of a budget may be.
    """
    left = [max(limit - one, 0.0) for one in spent]
    if not any(left):
        return f"All of {option} ({money(limit)}) is spent{on}. A larger one goes on from here."
    return (
        f"Of {option} ({money(limit)}), {_span(spent)} is spent{on}, and the {_span(left)} left is "
        "less than the next request may cost. A larger one goes on from here."
    )


def _span(amounts: Sequence[float]) -> str:
    least, most = money(min(amounts)), money(max(amounts))
    return least if least == most else f"{least} to {most}"


def complain_of(sweep: Sweep) -> int:
    """Say which models could not be sampled to the end; return the exit code, 0 if all could."""
    for error in sweep.unusable.values():
        complain(error)
    return max((exit_code(error) or 0 for error in sweep.unusable.values()), default=0)


def configuration(plan: Plan, source: str, limits: Sequence[float | None] = ()) -> dict[str, Any]:
    """Return what makes a run this run, as JSON-able values; `limits` of money."""
    return {
        "tasks": lasting_source(source),
        "tasks_digest": tasks_digest(plan.tasks),
        "task_ids": [task.id for task in plan.tasks],
        "arms": [[solver.model.name, solver.name] for solver in plan.solvers],
        "prices": {solver.model.name: str(solver.model.price) for solver in plan.solvers},
        "settings": {
            f"{solver.name} by {solver.model.name}": {
                "strategy": solver.strategy.name,
                "version": solver.strategy.version,
                **_settings(solver),
            }
            for solver in plan.solvers
        },
        "allocate": plan.allocate,
        "samples": [plan.samples_of(solver) for solver in plan.solvers],
        "budgets": list(limits),
        "flaky": sorted(FlakyTasks().load().flaky(plan.tasks)),
        "seeds": SEEDS,
    }


def _settings(solver: Solver) -> dict[str, Any]:
    """Return what changes the samples of a solver; who asked for it does not."""
    settings = dataclasses.asdict(solver.sampling) | dict(solver.settings)
    return {name: value for name, value in settings.items() if name not in ("required", "index")}
