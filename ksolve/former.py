"""What former runs tell an adaptive one: read from their folders, and said in a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from eval.allocation.former import Former, former_of
from eval.cost import count
from eval.plan import Plan
from eval.schedule import Arm
from eval.store import open_run
from eval.table import SampleTable
from ksolve.errors import InputError
from ksolve.sweep_config import SweepConfig


def told_of_former_runs(plan: Plan, asked: SweepConfig, out: Path, console: Console) -> Plan:
    """Return a plan that knows what former runs tell, if any is named, and say what that is.

    Raises InputError where that means nothing.
    """
    folders = [Path(folder) for folder in asked.prior_from]
    if not folders:
        return plan
    if asked.allocate != "adaptive":
        raise InputError("--prior-from is for --allocate adaptive: leave it out, or give both.")
    if out.resolve() in (folder.resolve() for folder in folders):
        raise InputError(
            f"--prior-from names {out}, which is this run itself and goes on from what it holds "
            "anyway: leave it out."
        )
    arms = [(solver.model.name, solver.name) for solver in plan.solvers]
    former = former_of_runs(folders, arms)
    console.print(Text(told_of_former(former, arms)))
    return dataclasses.replace(plan, former=former)


def former_of_runs(folders: Sequence[Path], arms: Sequence[Arm]) -> Former:
    """Pool the verdicts of former runs. Raises InputError where none is of these solvers."""
    tables: list[SampleTable] = []
    for folder in folders:
        with open_run(folder) as store:
            tables.append(store.table())
    former = former_of(tables, arms)
    if not former.counts.n.any():
        theirs = dict.fromkeys(arm for table in tables for arm in table.arms)
        raise InputError(
            f"--prior-from holds no verdict on a sample by {_names(arms)}, only by "
            f"{_names([*theirs])}: give runs of the same models and strategies."
        )
    return former


def told_of_former(former: Former, arms: Sequence[Arm]) -> str:
    """Say what is used of former runs, and of which solvers they say nothing."""
    verdicts = former.counts.n.sum(axis=0).tolist()
    parts = [
        f"{count(number, 'verdict')} on {_names([arm])}"
        for arm, number in zip(arms, verdicts, strict=True)
    ]
    return f"Known from former runs, on {count(len(former.counts.n), 'issue')}: {', '.join(parts)}."


def _names(arms: Sequence[Arm]) -> str:
    return " and ".join(f"{strategy} by {model}" for model, strategy in arms) or "anybody"
