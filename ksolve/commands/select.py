"""`ksolve select`: one patch an issue out of a run's many, without the oracle, and its worth."""

from __future__ import annotations

import asyncio
import dataclasses
import json as json_text
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

from agent.models import ModelOptions
from eval.cost import count
from eval.coverage import ladder
from eval.predictions import Prediction, write_predictions
from eval.selection.candidates import Selection
from eval.selection.evaluate import evaluate, to_json
from eval.selection.kept import Kept, can_keep
from eval.selection.pool import Pool, read_pool
from eval.store import Store, open_run
from eval.summary import short_names, solver_labels
from eval.table import SampleTable
from ksolve import of_k
from ksolve.choosing import ASKING, VOTES, Choosing, Chosen, Group
from ksolve.chosen import ALL_TOGETHER, METHODS, Worth
from ksolve.errors import InputError
from ksolve.grid import spread, terminal_table
from ksolve.options import (
    WORKERS,
    InFlightOption,
    JsonOption,
    MaxTokensOption,
    PriceOption,
    models_of,
    refuse_unwritable,
    resources_in,
)
from ksolve.report import COLUMNS
from ksolve.screen import put, screen
from ksolve.worth import plain_table, terminal
from tasks.load import load_tasks, sources_near, tasks_digest
from tasks.rows import DatasetError
from tasks.task import Task

LEGEND = (
    "of: candidates; agree: those that do the same as the chosen one, itself included; tied: those "
    "that the method likes as much, from which the first is taken."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pick:
    """What was chosen for one issue."""

    task_id: str
    model: str
    strategy: str
    index: int
    candidates: int
    agreeing: int
    # That do the same, itself included; 0 for one that does nothing.
    tied: int
    # Candidates that a method likes as much, itself included.
    patch: str


def select(
    *,
    run: Annotated[Path, typer.Argument(help="The folder that `ksolve run --out` wrote.")],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="How one is chosen: majority (default), any, first; in containers: tests (the "
            "scripts that `monkeys` wrote), regression, regression+majority; with --model: judge, "
            "pairwise, weighted; with both: codemonkeys. With --compare repeat it."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The .jsonl file of SWE-bench predictions to write.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Hold the choices against the run's verdicts, between a random choice and "
            "the oracle.",
        ),
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="The model that judges, named as for `ksolve run`.")
    ] = None,
    price: PriceOption = None,
    in_flight: InFlightOption = None,
    max_tokens: MaxTokensOption = None,
    solver: Annotated[
        str | None,
        typer.Option(
            help="Only among the samples of this one: its name in `ksolve report`, or a part that "
            "no other has."
        ),
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Where the run's tasks are, if not where they were.")
    ] = None,
    read_code: Annotated[
        bool,
        typer.Option(
            "--read-code",
            help="Read the repositories in containers, so that patches are compared by the whole "
            "files that they leave, rather than by the lines that they show.",
        ),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Issues at once.")] = WORKERS,
    json: JsonOption = False,
) -> None:
    """Choose one patch for each issue of a run, without looking at the hidden tests.

    A sample without a patch is chosen only where no other is there. Of samples that a method likes
    equally the first is taken; --compare counts the mean over them, for each solver by itself and,
    where there are several, for all together. What is asked, run and chosen is kept with the run:
    it is not paid for again, and `ksolve report` shows what it is worth. Ends with 0 when it is
    done.

    [bold]Examples[/bold]

        ksolve select runs/a --out preds.jsonl

        ksolve select runs/a --compare

        ksolve select runs/a --method judge --model openai:gpt-4o-mini --out preds.jsonl
    """
    names = list(dict.fromkeys(method or (VOTES if compare else ("majority",))))
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise InputError(f"There is no method {unknown[0]!r}: use one of {', '.join(METHODS)}.")
    if compare and out is not None:
        raise InputError("Give either --compare or --out: a comparison chooses nothing.")
    refuse_unwritable(out, endings=[".jsonl"])
    if len(names) > 1 and not compare:
        raise InputError("Give one --method to choose by, or --compare to see several.")
    asking = [name for name in names if name in ASKING]
    if asking and model is None:
        raise InputError(f"The method {asking[0]} needs a model that judges: give --model.")
    options = ModelOptions(in_flight=in_flight)
    judge = models_of([model], price or (), options)[0] if model and asking else None
    console = screen(stderr=json or out is not None)
    with open_run(run) as store:
        table = store.table()
        found = _tasks(store, tasks) if read_code or set(names) - {*VOTES} else []
        keeps = can_keep(store.folder)
        if not keeps:
            said = f"{store.folder} cannot be written: nothing is kept of what this finds out."
            console.print(Text(said), soft_wrap=True)
        with Kept(store.folder, to_read=not keeps) as kept:
            groups = _groups(
                store, table, found, kept, names, compare=compare, solver=solver, in_full=json
            )
            _refuse_what_is_not_there(groups, found, names)
            choosing = Choosing(
                names=names,
                tasks=found,
                judge=judge,
                max_tokens=max_tokens,
                workers=workers,
                read_code=read_code,
                run_id=f"select from {store.folder}",
                resources=resources_in(store.config() or {}),
            )
            chosen = asyncio.run(choosing.chosen(groups, kept, screen(stderr=True)))
    if compare:
        _compare(chosen, table, console, json=json)
    else:
        (by_one,) = chosen
        _give(by_one, console, out=out, json=json)


def _groups(
    store: Store,
    table: SampleTable,
    tasks: Sequence[Task],
    kept: Kept,
    names: Sequence[str],
    *,
    compare: bool,
    solver: str | None,
    in_full: bool,
) -> list[Group]:
    """Read the pools among which is chosen, those without a sample left out."""
    full = [solver_labels(table.arms)[arm] for arm in table.arms]
    short = short_names(table.arms).each
    labels = full if in_full else short
    pools = {label: [number] for number, label in enumerate(labels)}
    if solver is not None:
        named = list(zip(full, short, strict=True))
        meant = [number for number, names in enumerate(named) if solver in names] or [
            number for number, one in enumerate(full) if solver in one
        ]
        if len(meant) != 1:
            some = "no" if not meant else "more than one"
            raise InputError(f"This run has {some} solver {solver!r}: it has {', '.join(labels)}.")
        pools = {labels[meant[0]]: meant}
    elif len(pools) > 1:
        pools = {**(pools if compare else {}), ALL_TOGETHER: [*range(len(labels))]}
    groups = [
        Group(
            label=label,
            solvers=tuple(table.arms[arm] for arm in arms),
            pool=read_pool(
                store,
                table,
                {task.id: task.issue for task in tasks},
                among=np.isin(table.arm, arms) & (table.judged | (not compare)),
                scripts=any(name in {"tests", "codemonkeys"} for name in names),
                evidence=kept.evidence,
            ),
        )
        for label, arms in pools.items()
    ]
    found = [group for group in groups if group.pool.issues]
    if not found:
        what = "no sample with a verdict" if compare else "no sample"
        whose = f" of {solver}" if solver else ""
        raise InputError(f"{store.folder} holds {what}{whose} yet.")
    return found


def _refuse_what_is_not_there(
    groups: Sequence[Group], tasks: Sequence[Task], names: Sequence[str]
) -> None:
    """Raise InputError where a method has nothing to go by."""
    issues = [issue for group in groups for issue in group.pool.issues]
    if "tests" in names and not any(one.scripts for of in issues for one in of.candidates):
        raise InputError(
            "No sample of this run holds a script that shows its issue, so there is nothing to "
            "vote: they are written by `ksolve run --strategy monkeys`."
        )
    filters = [name for name in names if name.startswith("regression")]
    if filters and not any(task.issue.test_command for task in tasks):
        raise InputError(
            f"No task of this run says how its visible tests are run, so {filters[0]} has nothing "
            "to go by: its rows have no `test_command`."
        )


def _tasks(store: Store, source: str | None) -> list[Task]:
    config = store.config() or {}
    places = [source] if source else sources_near(config["tasks"], store.folder)
    for place in places:
        # An error is raised only where there is no other place to look at.
        try:
            # What else the source holds is no part of the run.
            found = load_tasks(place, ids=config["task_ids"], on_invalid=lambda _: None)
        except DatasetError:
            if place == places[-1]:
                raise
            continue
        if tasks_digest(found) == config["tasks_digest"]:
            return found
    raise InputError(
        f"The tasks of {places[0]} are not those of the run any more: say with --tasks where these "
        "are."
    )


def _picks(pool: Pool, selection: Selection) -> list[_Pick]:
    return [
        _Pick(
            task_id=candidates.task_id,
            model=one.model,
            strategy=one.strategy,
            index=one.index,
            candidates=len(candidates.candidates),
            agreeing=int(np.count_nonzero(groups == groups[place])) if groups[place] >= 0 else 0,
            tied=int(np.count_nonzero(chances)),
            patch=one.patch,
        )
        for candidates, chances, groups in zip(
            pool.issues, selection.chances, selection.groups, strict=True
        )
        for place in [int(np.argmax(chances))]
        for one in [candidates.candidates[place]]
    ]


def _give(chosen: Chosen, console: Console, *, out: Path | None, json: bool) -> None:
    """Write the predictions, or print what was chosen."""
    (selection,) = chosen.selections
    picks, left_out = _picks(chosen.group.pool, selection), chosen.group.pool.left_out
    if out is not None:
        predictions = (
            Prediction(task_id=one.task_id, model=f"ksolve-{selection.method}", patch=one.patch)
            for one in picks
        )
        written = count(write_predictions(out, predictions), "prediction")
        empty = sum(not one.patch.strip() for one in picks)
        rest = f", {empty} of them without a patch" if empty else ""
        console.print(Text(f"{written} written to {out}{rest}."), soft_wrap=True)
    if json:
        put(json_text.dumps([dataclasses.asdict(one) for one in picks], indent=2))
    elif out is None:
        rows = [
            (
                one.task_id,
                f"{one.model} {one.strategy} #{one.index}"
                + ("" if one.patch.strip() else " (no patch)"),
                *map(str, (one.candidates, one.agreeing, one.tied)),
            )
            for one in picks
        ]
        console.print(plain_table(("issue", "chosen", "of", "agree", "tied"), rows, words=2))
        console.print(Text(LEGEND), soft_wrap=True)
    if left_out:
        console.print(Text(f"{count(left_out, 'issue')} without a sample: nothing to choose."))


def _compare(chosen: Sequence[Chosen], table: SampleTable, console: Console, *, json: bool) -> None:
    """Hold what was chosen against the verdicts, and print that."""
    told: list[dict[str, Any]] = []
    if not json and (shared := short_names(table.arms).shared):
        console.print(Text(f"All samples are by {shared}."))
    for one in chosen:
        pool = one.group.pool
        arms = [table.arms.index(solver) for solver in one.group.solvers]
        has_patch = [of.has_patch for of in pool.issues]
        evaluation = evaluate(pool.resolved(table), one.selections, has_patch=has_patch)
        pending = int((np.isin(table.arm, arms) & ~table.judged).sum())
        told.append(
            {
                "label": one.group.label,
                **to_json(evaluation),
                "pending": pending,
                "left_out": pool.left_out,
            }
        )
        if not json:
            samples, label = evaluation.candidates, one.group.label
            worth = Worth(label=label, evaluation=evaluation, samples=samples)
            console.print(terminal([worth]))
            _print_at_ks(worth, console)
        if not json and (pending or pool.left_out):
            console.print(
                Text(
                    f"\nLeft out: {count(pending, 'sample')} whose verdict is pending, "
                    f"{count(pool.left_out, 'issue')} without any."
                )
            )
    if json:
        # Of all samples first, as where there is but one solver.
        *solvers, of_all = told
        put(json_text.dumps({**of_all, "solvers": solvers}, indent=2))


def _print_at_ks(worth: Worth, console: Console) -> None:
    """Print what the methods solve when they choose out of fewer samples."""
    ks = [point.k for point in worth.evaluation.oracle_at_k]
    every = [spread(ladder(max(ks)), columns) for columns in COLUMNS]
    grid = of_k.grid([worth], every, console.width)
    if grid.rows and len(ks) > 1:
        console.print(Text(f"\n{grid.caption}\n"), terminal_table(grid, console.width))
    for sentence in of_k.peaks([worth]):
        console.print(Text(f"\n{sentence}"), soft_wrap=True)
