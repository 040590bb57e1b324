"""`ksolve simulate`: what a budget would have bought, under each way of spending it."""

from __future__ import annotations

import dataclasses
import json as jsonlib
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich.table import Table
from rich.text import Text

from eval.allocation.matrix import NoMatrixError, SpendAxis, matrix_of, unit
from eval.allocation.replay import CASCADES, Bought, default_budgets, replay
from eval.cost import count, money, percent
from eval.store import Store, open_run
from eval.summary import Names, short_names
from eval.table import SampleTable
from ksolve.errors import InputError
from ksolve.options import JsonOption, ParametersOption
from ksolve.prices import parameters_of
from ksolve.results import models_in, parameters_kept
from ksolve.screen import put, screen

SCHEMA = 1
"""Of the JSON form; rises when a key changes its meaning or goes."""

AxisName = Literal["money", "tokens", "accelerator-seconds", "flops", "samples"]
AXES_BY_NAME: Mapping[str, SpendAxis] = {
    axis.replace("_", "-"): axis for axis in get_args(SpendAxis)
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """All that is shown of one comparison."""

    axis: SpendAxis
    unit: str
    # Of budgets and of what is spent.
    issues: int
    left_out: int
    # Issues that not all of the runs hold.
    solvers: tuple[str, ...]
    recorded: tuple[int, ...]
    # Samples with a verdict of the issue that has fewest, for each arm.
    replays: int
    seed: int
    bought: tuple[Bought, ...]


def simulate(
    *,
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders that `ksolve run --out` wrote; their solvers are joined."),
    ],
    budget: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0,
            help="What may be spent in all, in the unit of --axis; repeat it for more. Without it: "
            "parts of what the runs spent.",
        ),
    ] = None,
    axis: Annotated[AxisName, typer.Option(help="What is spent.")] = "money",
    cascade: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Samples of each cheaper solver before a dearer one: 1, 4 and 16."
        ),
    ] = None,
    parameters: ParametersOption = None,
    replays: Annotated[int, typer.Option(min=1, help="Random orders of the samples.")] = 200,
    seed: Annotated[int, typer.Option(help="One seed gives the same answer every time.")] = 0,
    json: JsonOption = False,
) -> None:
    """Compare ways of spending a budget on recorded runs, at equal cost.

    Give runs that drew all their samples for every issue: uniform, adaptive, cascades from the
    cheapest solver on and all solvers round robin are replayed on them. Nothing is sampled.

    [bold]Example[/bold]

        ksolve simulate runs/a runs/b --budget 0.5 --budget 2
    """
    if any(not math.isfinite(one) for one in budget or ()):
        raise InputError("A budget is a number: give another --budget.")
    spend = AXES_BY_NAME[axis]
    with ExitStack() as stack:
        stores = [stack.enter_context(open_run(folder)) for folder in runs]
        sizes = parameters_kept(*stores) | parameters_of(parameters, models_in(stores))
        tables = [(run.name, _table(run, store)) for run, store in zip(runs, stores, strict=True)]
    names = _names(tables)
    try:
        matrix = matrix_of(tables, spend, names=() if json else names.each, parameters=sizes)
    except NoMatrixError as error:
        raise InputError(str(error)) from None
    simulation = Simulation(
        axis=spend,
        unit=unit(spend),
        issues=len(matrix.issues),
        left_out=len({task for _, table in tables for task in table.tasks}) - len(matrix.issues),
        solvers=matrix.arms,
        recorded=tuple(matrix.recorded.min(axis=0).tolist()),
        replays=replays,
        seed=seed,
        bought=replay(
            matrix,
            sorted(set(budget or default_budgets(matrix))),
            replays=replays,
            cascades=cascade or CASCADES,
            seed=seed,
        ),
    )
    if json:
        form = {"schema": SCHEMA, **dataclasses.asdict(simulation)}
        put(jsonlib.dumps(form, indent=2))
    else:
        _show(simulation, names.shared)


def _names(tables: Sequence[tuple[str, SampleTable]]) -> Names:
    """Name the solvers as `ksolve report` does, by their runs only where one is in several."""
    arms = [arm for _, table in tables for arm in table.arms]
    runs = [run for run, table in tables for _ in table.arms]
    return short_names(arms, runs if len(set(arms)) < len(arms) else ())


def _table(folder: Path, store: Store) -> SampleTable:
    if (store.config() or {}).get("allocate") == "adaptive":
        raise InputError(
            f"{folder} was drawn with --allocate adaptive, so it lacks the samples that other "
            "ways would have drawn: continue it with --allocate uniform first."
        )
    return store.table()


def _show(simulation: Simulation, shared: str) -> None:
    console = screen()
    budgets = list(dict.fromkeys(one.budget for one in simulation.bought))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("policy", overflow="fold")
    for one in budgets:
        table.add_column(_amount(one, simulation), justify="right")
    rows: dict[str, list[Bought]] = {}
    for bought in simulation.bought:
        rows.setdefault(bought.policy, []).append(bought)
    for policy, row in rows.items():
        table.add_row(Text(policy), *(_cell(bought, simulation) for bought in row))
    console.print(
        f"Issues solved of {simulation.issues}{shared and f' ({shared})'} by what was spent "
        f"({simulation.unit}): mean of "
        f"{simulation.replays} replays, and the range of 95 in 100 of them."
    )
    console.print(table)
    console.print(
        "Recorded for every issue, at least: "
        + ", ".join(
            f"{count(samples, 'sample')} of {arm}"
            for arm, samples in zip(simulation.solvers, simulation.recorded, strict=True)
        )
        + "."
    )
    if any(bought.cut for bought in simulation.bought):
        console.print(
            "* more samples were wanted than are recorded: the policy might have solved more."
        )
    if simulation.left_out:
        left_out = count(simulation.left_out, "issue")
        console.print(f"Left out, since not in all of the runs: {left_out}.")


def _cell(bought: Bought, simulation: Simulation) -> Text:
    share = percent(bought.coverage, simulation.issues)
    mark = "*" if bought.cut else ""
    return Text(f"{bought.solved:.1f}{mark} ({bought.low:.0f}-{bought.high:.0f}) {share}")


def _amount(amount: float, simulation: Simulation) -> str:
    return money(amount) if simulation.axis == "money" else f"{amount:,.6g}"
