"""`ksolve select`: one patch an issue out of a run's many, without the oracle, and its worth."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json as json_text
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.models import Model
from agent.reading.snapshot import read_snapshot
from eval.cost import money, percent
from eval.predictions import Prediction, write_predictions
from eval.selection.candidates import Candidates, Floats, Method, Selection, chances
from eval.selection.candidates import select as select_by
from eval.selection.codemonkeys import CodeMonkeysChoice
from eval.selection.evaluate import Evaluation, Share, evaluate, to_json
from eval.selection.judge import SAMPLING, Judge, PairwiseJudge, ScoredJudge, WeightedVote
from eval.selection.pool import Pool, read_pool
from eval.selection.regression import Regression
from eval.selection.scripts import ScriptVote
from eval.selection.votes import ANY, FIRST, MAJORITY
from eval.store import Store, open_run
from ksolve.errors import InputError
from ksolve.options import (
    WORKERS,
    InFlightOption,
    JsonOption,
    PriceOption,
    models_of,
    refuse_unwritable,
)
from ksolve.screen import screen
from ksolve.session import docker_host, ready_images
from sandbox.sandbox import SandboxError, SandboxHost
from tasks.load import load_tasks, tasks_digest
from tasks.task import Task

_PURE = ("any", "first", "majority")
_RUNNING = ("tests", "regression", "regression+majority", "codemonkeys")
_ASKING = ("judge", "pairwise", "weighted", "codemonkeys")
_NAMES = tuple(dict.fromkeys((*_PURE, *_RUNNING, *_ASKING)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
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
            help="Hold the choices against the run's verdicts, between the random floor and the "
            "oracle's ceiling.",
        ),
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="The model that judges, named as for `ksolve run`.")
    ] = None,
    price: PriceOption = None,
    in_flight: InFlightOption = None,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Output tokens of one answer of the judge, at most.")
    ] = SAMPLING.max_tokens,
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
    equally the first is taken; --compare counts the mean over them. Ends with 0 when it is done.

    [bold]Examples[/bold]

        ksolve select runs/a --out preds.jsonl

        ksolve select runs/a --compare

        ksolve select runs/a --method judge --model openai:gpt-4o-mini --out preds.jsonl
    """
    names = list(dict.fromkeys(method or (_PURE if compare else ("majority",))))
    unknown = [name for name in names if name not in _NAMES]
    if unknown:
        raise InputError(f"There is no method {unknown[0]!r}: use one of {', '.join(_NAMES)}.")
    if compare and out is not None:
        raise InputError("Give either --compare or --out: a comparison chooses nothing.")
    refuse_unwritable(out, endings=[".jsonl"])
    if len(names) > 1 and not compare:
        raise InputError("Give one --method to choose by, or --compare to see several.")
    asking = [name for name in names if name in _ASKING]
    if asking and model is None:
        raise InputError(f"The method {asking[0]} needs a model that judges: give --model.")
    judge = models_of([model], price or (), in_flight=in_flight)[0] if model and asking else None
    console = screen(stderr=json or out is not None)
    with open_run(run) as store:
        plan = _planned(store, names, tasks=tasks, compare=compare, read_code=read_code)
        work = _Work(
            names=names, judge=judge, max_tokens=max_tokens, workers=workers, read_code=read_code
        )
        pool, selections = asyncio.run(work.done(plan, store, screen(stderr=True)))
        if compare:
            table = store.table()
            evaluation = evaluate(pool, plan.pool.resolved(table), selections)
            owed = int((~table.judged).sum())
            _show(evaluation, console, owed=owed, left_out=plan.pool.left_out, json=json)
            return
    choices = [
        _chosen(candidates, scores)
        for candidates, scores in zip(pool, selections[0].scores, strict=True)
    ]
    _give(choices, names[0], console, out=out, left_out=plan.pool.left_out, json=json)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    pool: Pool
    tasks: Sequence[Task]
    # Empty where no method needs them.


def _planned(
    store: Store, names: Sequence[str], *, tasks: str | None, compare: bool, read_code: bool
) -> _Plan:
    """Read what the methods need; raises InputError where it is not there."""
    table = store.table()
    needs_tasks = read_code or any(name not in _PURE for name in names)
    found = _tasks(store, tasks) if needs_tasks else []
    pool = read_pool(
        store,
        table,
        {task.id: task.issue for task in found},
        judged_only=compare,
        scripts=any(name in {"tests", "codemonkeys"} for name in names),
    )
    if not pool.issues:
        what = "no sample with a verdict" if compare else "no sample"
        raise InputError(f"{store.folder} holds {what} yet.")
    written = any(one.scripts for issue in pool.issues for one in issue.candidates)
    if "tests" in names and not written:
        raise InputError(
            "No sample of this run holds a script that shows its issue, so there is nothing to "
            "vote: they are written by `ksolve run --strategy monkeys`."
        )
    filters = [name for name in names if name.startswith("regression")]
    if filters and not any(task.issue.test_command for task in found):
        raise InputError(
            f"No task of this run says how its visible tests are run, so {filters[0]} has nothing "
            "to go by: its rows have no `test_command`."
        )
    return _Plan(pool=pool, tasks=[task for task in found if task.id in set(table.tasks)])


def _tasks(store: Store, source: str | None) -> list[Task]:
    config = store.config() or {}
    found = load_tasks(source or config["tasks"], ids=config["task_ids"])
    if tasks_digest(found) != config["tasks_digest"]:
        raise InputError(
            f"The tasks of {source or config['tasks']} are not those of the run any more: say with "
            "--tasks where these are."
        )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """The methods, and what they need to be carried out."""

    names: Sequence[str]
    judge: Model | None
    max_tokens: int
    workers: int
    read_code: bool

    async def done(
        self, plan: _Plan, store: Store, console: Console
    ) -> tuple[Sequence[Candidates], list[Selection]]:
        """Score the whole pool by every method; return it as it was scored."""
        async with contextlib.AsyncExitStack() as stack:
            host: SandboxHost | None = None
            pool: Sequence[Candidates] = plan.pool.issues
            if self.read_code or any(name in _RUNNING for name in self.names):
                # Not the run's own, whose containers a sweep that goes on may remove.
                run_id = f"select from {store.folder}"
                stack.push_async_callback(_swept, run_id)
                host = docker = await stack.enter_async_context(docker_host(run_id))
                held = {candidates.task_id for candidates in pool}
                tasks = [task for task in plan.tasks if task.id in held]
                await ready_images(docker, tasks, console)
            if self.judge is not None:
                await stack.enter_async_context(self.judge.backend)
            if self.read_code and host is not None:
                pool = [await _with_code(candidates, host) for candidates in pool]
            selections = []
            for name in self.names:
                with console.status(Text(f"{name} over {len(pool)} issues")):
                    selections.append(
                        await select_by(self._method(name, host), pool, at_once=self.workers)
                    )
            return pool, selections

    def _method(self, name: str, host: SandboxHost | None) -> Method:
        pure = {"any": ANY, "first": FIRST, "majority": MAJORITY}
        if name in pure:
            return pure[name]
        if self.judge is not None and name in _ASKING:
            sampling = dataclasses.replace(SAMPLING, max_tokens=self.max_tokens)
            judge = Judge(self.judge.backend, self.judge.price, sampling=sampling)
            if host is not None and name == "codemonkeys":
                return CodeMonkeysChoice(judge, host)
            if name == "pairwise":
                return PairwiseJudge(judge)
            scored = ScoredJudge(judge)
            return WeightedVote(scored) if name == "weighted" else scored
        assert host is not None  # the others need one, and one was opened for them
        if name == "tests":
            return ScriptVote(host)
        return Regression(host, then=MAJORITY if name == "regression+majority" else ANY)


async def _swept(run_id: str) -> None:
    from sandbox.orphans import remove_run

    with contextlib.suppress(SandboxError):
        await remove_run(run_id)


async def _with_code(candidates: Candidates, host: SandboxHost) -> Candidates:
    snapshot = await read_snapshot(candidates.known_issue(), host)
    return dataclasses.replace(candidates, texts=snapshot.texts)


def _chosen(candidates: Candidates, scores: Floats) -> _Choice:
    likely = chances(scores, candidates.has_patch)
    place = int(np.argmax(likely))
    one, group = candidates.candidates[place], candidates.behaviour[place]
    return _Choice(
        task_id=candidates.task_id,
        model=one.model,
        strategy=one.strategy,
        index=one.index,
        candidates=len(candidates.candidates),
        agreeing=int(np.count_nonzero(candidates.behaviour == group)) if group >= 0 else 0,
        tied=int(np.count_nonzero(likely)),
        patch=one.patch,
    )


def _give(
    choices: Sequence[_Choice],
    name: str,
    console: Console,
    *,
    out: Path | None,
    left_out: int,
    json: bool,
) -> None:
    """Write the predictions, or print what was chosen."""
    if out is not None:
        predictions = (
            Prediction(task_id=one.task_id, model=f"ksolve-{name}", patch=one.patch)
            for one in choices
        )
        count = write_predictions(out, predictions)
        empty = sum(not one.patch.strip() for one in choices)
        rest = f", {empty} of them without a patch" if empty else ""
        console.print(Text(f"{count} predictions written to {out}{rest}."), soft_wrap=True)
    if json:
        typer.echo(json_text.dumps([dataclasses.asdict(one) for one in choices], indent=2))
    elif out is None:
        table = _table("issue", "chosen", "of", "agree", "tied")
        for one in choices:
            note = "" if one.patch.strip() else " (no patch)"
            sample = f"{one.model} {one.strategy} #{one.index}{note}"
            counts = map(str, (one.candidates, one.agreeing, one.tied))
            table.add_row(*map(Text, (one.task_id, sample, *counts)))
        console.print(table)
    if left_out:
        console.print(Text(f"{_number(left_out, 'issue')} without a sample: nothing to choose."))


def _show(
    evaluation: Evaluation, console: Console, *, owed: int, left_out: int, json: bool
) -> None:
    """Print a comparison."""
    if json:
        rest = {"owed": owed, "left_out": left_out}
        typer.echo(json_text.dumps({**to_json(evaluation), **rest}, indent=2))
        return
    issues = evaluation.issues
    console.print(
        Text(
            f"One patch for each of {_number(issues, 'issue')} out of "
            f"{_number(evaluation.candidates, 'sample')}; 95% bootstrap intervals over issues.\n"
        )
    )
    table = _table("method", "solved", "", "of the gap", "", "cost", "requests", "runs", "seconds")
    table.add_row("random floor", *_cells(evaluation.floor, issues))
    for result in evaluation.results:
        effort = result.effort
        gap = ("-", "") if result.recovered is None else _cells(result.recovered, 0)
        table.add_row(
            result.method,
            *_cells(result.solved, issues),
            *gap,
            money(effort.cost),
            f"{effort.usage.calls:,}",
            f"{effort.runs:,}",
            f"{effort.seconds:,.1f}",
        )
    table.add_row("oracle ceiling", *_cells(evaluation.ceiling, issues))
    console.print(table)
    if owed or left_out:
        console.print(
            Text(
                f"\nLeft out: {_number(owed, 'sample')} whose verdict is owed, "
                f"{_number(left_out, 'issue')} without any."
            )
        )


def _cells(share: Share, issues: int) -> tuple[str, str]:
    if share.low is None or share.high is None:
        return percent(share.share, issues), ""
    return percent(share.share, issues), f"{100 * share.low:.0f}-{100 * share.high:.0f}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _table(*headers: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(headers[0], style="bold")
    for header in headers[1:]:
        table.add_column(header, justify="right" if header != "chosen" else "left", no_wrap=True)
    return table
