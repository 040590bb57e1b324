"""`ksolve verify`: predictions in SWE-bench form -> verdicts, and reports in SWE-bench form."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from agent.backend import Usage
from agent.strategy import Proposal
from eval.cache import VerdictCache
from eval.flaky import FLAKY_RUNS, FlakyTasks
from eval.plan import Plan
from eval.predictions import Prediction, read_predictions
from eval.reference_report import Dataset, SharedNameError, check_names, write_reports
from eval.sample import Sample, SampleKey
from eval.store import Store
from eval.suspected import samples as suspected_samples
from eval.verdict import verdict_key
from ksolve import sentences
from ksolve.commands.report import show
from ksolve.errors import INFRASTRUCTURE, UNSOLVED, InputError, console
from ksolve.findings import findings, read_run
from ksolve.options import (
    WORKERS,
    CapAddOption,
    CpusOption,
    DiskOption,
    ExactOption,
    ExcludeOption,
    FlakyRunsOption,
    FreshOption,
    IdsOption,
    JsonOption,
    LimitOption,
    MemoryOption,
    NetworkOption,
    ProcessesOption,
    SkipInvalidOption,
    StrictOption,
    TasksOption,
    WorkersOption,
    kept_resources,
    resources_of,
    tasks_of,
)
from ksolve.screen import screen
from ksolve.session import Judging, Session, docker_host, sweep_on_docker
from ksolve.verified import gold_warning, judgements, summary, table
from ksolve.verify_progress import VerifyProgress
from sandbox.sandbox import SandboxError
from tasks.load import lasting_source, tasks_digest
from tasks.swebench import ALIASES
from tasks.task import Task
from tasks.taskrepo import is_task_repo, starter_path

STRATEGY = "predictions"
_NAMED = 10
# Unknown instances that a warning lists; the rest are counted.


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """The tasks that were asked for, and the predictions for them."""

    source: str
    given: str
    # Where the predictions came from.
    tasks: Sequence[Task]
    predictions: Sequence[Prediction]
    count_missing: bool
    """Whether a task without a prediction counts as not resolved."""

    @property
    def predicted(self) -> list[Task]:
        """The tasks that have a prediction."""
        predicted = {one.task_id for one in self.predictions}
        return [task for task in self.tasks if task.id in predicted]

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Tasks and models without a prediction, where they count."""
        models = dict.fromkeys(one.model for one in self.predictions)
        there = {(one.task_id, one.model) for one in self.predictions}
        pairs = [(task.id, model) for model in models for task in self.tasks]
        return [pair for pair in pairs if pair not in there] if self.count_missing else []


def verify_predictions(
    *,
    tasks: TasksOption,
    predictions: Annotated[
        str, typer.Option(help="A .jsonl or .json file, or `gold`, or `empty`.")
    ],
    out: Annotated[Path, typer.Option(help="The run folder; made, or continued.")],
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
    skip_invalid: SkipInvalidOption = False,
    strict: StrictOption = False,
    count_missing: Annotated[
        bool,
        typer.Option(
            "--count-missing",
            help="Count a task without a prediction as not resolved, as SWE-bench's leaderboard "
            "does: shares are then of all tasks.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run the tests of the tasks on the patches of a predictions file, and say why each fails.

    A file may hold several predictions for an instance, and for several models. Beside its own
    records, the run folder then holds a report for each model, MODEL.RUN.json, and the folder
    logs/run_evaluation/, both as SWE-bench's own harness writes them; of a long log the whole is
    beside them, compressed. `ksolve report` tells more of several models or predictions. Ends with
    0 when every prediction is resolved, 1 when some are not. Resolved patches that look like reward
    hacking are listed; with --strict they count as unresolved.

    [bold]Example[/bold]

        ksolve verify --tasks starter --predictions gold --out runs/gold
    """
    selected = tasks_of(tasks, ids=ids, exclude=exclude, limit=limit, skip_invalid=skip_invalid)
    is_part = bool(ids or exclude) or limit is not None
    asked = _Asked(
        source=tasks,
        given=predictions,
        tasks=selected,
        predictions=_predictions(predictions, selected, is_part=is_part),
        count_missing=count_missing,
    )
    session = Session(
        console=screen(stderr=json),
        workers=workers,
        resources=resources_of(
            memory=memory,
            cpus=cpus,
            processes=processes,
            disk=disk,
            network=network,
            cap_add=cap_add,
        ),
        judging=Judging(fresh=fresh, exact=exact, flaky_runs=flaky_runs),
    )
    raise typer.Exit(_verify(asked, out, session, strict=strict, json=json))


def _verify(asked: _Asked, out: Path, session: Session, *, strict: bool, json: bool) -> int:
    missing = asked.missing
    tasks = list(asked.tasks) if missing else asked.predicted
    blank = [Prediction(task_id=task_id, model=model, patch="") for task_id, model in missing]
    samples = _samples([*asked.predictions, *blank])
    wanted = Counter(sample.key.model for sample in samples)
    try:
        check_names(wanted)
    except SharedNameError as error:
        raise InputError(str(error)) from None
    with Store(out) as store:
        config = {
            "tasks": lasting_source(asked.source),
            "tasks_digest": tasks_digest(tasks),
            "task_ids": [task.id for task in tasks],
            "arms": [[model, STRATEGY] for model in wanted],
            "prices": {},
            "predictions": lasting_source(asked.given),
            "predictions_digest": _digest(samples),
            "samples": [
                max(sample.key.index for sample in samples if sample.key.model == model) + 1
                for model in wanted
            ],
            "flaky": sorted(FlakyTasks().load().flaky(tasks)),
        } | kept_resources(session.resources)
        store.begin(config, free=("tasks", "predictions", "flaky"))
        for sample in samples:
            store.add_sample(sample)
        known = len(samples) - len(store.unverified())
        progress = VerifyProgress(session.console, wanted=len(samples), known=known)
        plan = Plan(tasks=tasks)
        asyncio.run(sweep_on_docker(plan, store, session, wanted=wanted, progress=progress))
        if json:
            show(findings([read_run(store, strict=strict)]), json=True)
        found = judgements(store, asked.tasks, missing=missing, strict=strict)
        suspicious = store.ask(suspected_samples)
        reports = write_reports(
            store, STRATEGY, wanted, asked.tasks, _dataset(asked.source), missing=missing
        )
    console = session.console
    console.print(table(found))
    counts = summary(found, total=len(asked.tasks), missing=missing, in_full=asked.count_missing)
    console.print(counts, soft_wrap=True)
    for line in sentences.suspected(suspicious):
        console.print(Text(f"Suspicious: {line}"), soft_wrap=True)
    if said := sentences.counted_suspicious(suspicious):
        console.print(Text(said), soft_wrap=True)
    unlike = {one.key.task_id for one in found if one.outcome not in {"resolved", "no_patch"}}
    doubtful = [task for task in asked.tasks if task.id in unlike and task.oracle.gold_patch]
    if failing := asyncio.run(_gold_fails(doubtful)):
        console.print(Text(gold_warning(failing), style="yellow"), soft_wrap=True)
    for path in reports:
        console.print(Text(f"In SWE-bench form: {path}"), soft_wrap=True)
    if any(one.outcome == "failure" for one in found):
        return INFRASTRUCTURE
    return 0 if all(one.outcome == "resolved" for one in found) else UNSOLVED


async def _gold_fails(tasks: Sequence[Task]) -> list[str]:
    """Return the tasks whose gold patch is known not to be resolved on this machine.

    Known is what this run or an earlier one found out; nothing is run for it.
    """
    failing = []
    with contextlib.closing(VerdictCache()) as cache:
        async with docker_host() as host:
            for task in tasks:
                with contextlib.suppress(SandboxError):
                    digest = await host.image_digest(task.issue.image)
                    key = verdict_key(digest, task.oracle.gold_patch or "", task.oracle)
                    known = await asyncio.to_thread(cache.verdict, key)
                    if known is not None and known.outcome != "resolved":
                        failing.append(task.id)
    return failing


def _dataset(source: str) -> Dataset:
    """Say where the tasks came from as `swebench report` is told it."""
    if source in ALIASES:
        return Dataset(name=ALIASES[source])
    path = starter_path() if source == "starter" else Path(source).expanduser()
    if path.is_dir() and is_task_repo(path):
        return Dataset(name=source, task_repo=str(path.resolve()))
    return Dataset(name=str(path.resolve()) if path.exists() else source)


def _predictions(source: str, tasks: Sequence[Task], *, is_part: bool) -> list[Prediction]:
    """Return the predictions for the tasks, which may be but a part of their source."""
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
    given = read_predictions(Path(source))
    predictions = [one for one in given if one.task_id in known]
    unknown = list(dict.fromkeys(one.task_id for one in given if one.task_id not in known))
    if not predictions:
        raise InputError(
            f"{source} has no prediction for any of the {len(tasks)} tasks; "
            f"it has some for {_listed(unknown)}."
        )
    if unknown and not is_part:
        # The harness stops here; but what can be judged is worth a run.
        console.print(
            Text("warning: ", style="bold yellow")
            + Text(
                f"{len(given) - len(predictions)} of {len(given)} predictions are left out, since "
                f"they are for {_listed(unknown)}, which {_among(len(unknown))} the tasks."
            )
        )
    return predictions


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _among(count: int) -> str:
    return "is not among" if count == 1 else "are not among"


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
