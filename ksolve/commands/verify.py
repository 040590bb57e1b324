"""`ksolve verify`: predictions in SWE-bench form -> verdicts, in a run folder."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agent.backend import Usage
from agent.strategy import Proposal
from eval.predictions import Prediction, read_predictions
from eval.sample import Sample, SampleKey
from eval.store import Store
from eval.sweep import Plan
from ksolve.errors import INFRASTRUCTURE, UNSOLVED, InputError
from ksolve.options import WORKERS, IdsOption, JsonOption, LimitOption, TasksOption, WorkersOption
from ksolve.results import show, summary_of
from ksolve.screen import screen
from ksolve.session import Session, sweep_on_docker
from tasks.load import load_tasks, tasks_digest
from tasks.task import Task

STRATEGY = "predictions"


def verify_predictions(
    *,
    tasks: TasksOption,
    predictions: Annotated[
        str, typer.Option(help="A .jsonl or .json file, or `gold`, or `empty`.")
    ],
    out: Annotated[Path, typer.Option(help="The run folder; made, or continued.")],
    workers: WorkersOption = WORKERS,
    ids: IdsOption = None,
    limit: LimitOption = None,
    json: JsonOption = False,
) -> None:
    """Run the tests of the tasks on the patches of a predictions file.

    Ends with 0 when every prediction is resolved, 1 when some are not.

    [bold]Example[/bold]

        ksolve verify --tasks starter --predictions gold --out runs/gold
    """
    selected = load_tasks(tasks, ids=ids or (), limit=limit)
    given = _predictions(predictions, selected)
    predicted = {one.task_id for one in given}
    selected = [task for task in selected if task.id in predicted]
    raise typer.Exit(_verify(selected, given, out, source=tasks, workers=workers, json=json))


def _verify(
    tasks: Sequence[Task],
    predictions: Sequence[Prediction],
    out: Path,
    *,
    source: str,
    workers: int,
    json: bool,
) -> int:
    samples = _samples(predictions)
    models = list(dict.fromkeys(sample.key.model for sample in samples))
    with Store(out) as store:
        config = {
            "tasks": source,
            "tasks_digest": tasks_digest(tasks),
            "task_ids": [task.id for task in tasks],
            "models": models,
            "prices": {},
            "strategy": STRATEGY,
            "predictions_digest": _digest(samples),
            "samples": max(sample.key.index for sample in samples) + 1,
        }
        store.begin(config, free=("tasks",))
        for sample in samples:
            store.add_sample(sample)
        wanted = Counter(sample.key.model for sample in samples)
        session = Session(console=screen(stderr=json), workers=workers)
        sweep = sweep_on_docker(Plan(tasks=tasks), store, session, wanted=wanted)
        asyncio.run(sweep)
        summary = summary_of(store)
        failures = store.failures()
    show(summary, json=json)
    if failures:
        return INFRASTRUCTURE
    resolved = sum(arm.outcomes["resolved"] for arm in summary.arms)
    return 0 if resolved == len(samples) else UNSOLVED


def _predictions(source: str, tasks: Sequence[Task]) -> list[Prediction]:
    if source == "empty":
        return [Prediction(task_id=task.id, model="empty", patch="") for task in tasks]
    if source == "gold":
        lacking = [task.id for task in tasks if task.oracle.gold_patch is None]
        if lacking:
            raise InputError(f"There is no gold patch for {', '.join(lacking)}.")
        return [
            Prediction(task_id=task.id, model="gold", patch=task.oracle.gold_patch or "")
            for task in tasks
        ]
    known = {task.id for task in tasks}
    predictions = [one for one in read_predictions(Path(source)) if one.task_id in known]
    if not predictions:
        raise InputError(f"{source} has no prediction for any of the {len(tasks)} tasks.")
    return predictions


def _samples(predictions: Sequence[Prediction]) -> list[Sample]:
    """Give each prediction its index: its place among those of its task and model."""
    counts: Counter[tuple[str, str]] = Counter()
    samples = []
    for one in predictions:
        key = SampleKey(
            task_id=one.task_id,
            model=one.model,
            strategy=STRATEGY,
            index=counts[one.task_id, one.model],
        )
        counts[one.task_id, one.model] += 1
        proposal = Proposal(
            patch=one.patch,
            stop="patch" if one.patch.strip() else "empty",
            note="",
            usage=Usage(),
            seconds=0.0,
            prompt_digest="",
            trajectory=(),
        )
        samples.append(
            Sample(
                key=key,
                proposal=proposal,
                strategy_version="",
                seed=None,
                temperature=0.0,
                cost=None,
            )
        )
    return samples


def _digest(samples: Sequence[Sample]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        key = sample.key
        digest.update(repr((key.task_id, key.model, key.index, sample.proposal.patch)).encode())
    return digest.hexdigest()
