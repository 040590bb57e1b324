"""Verdicts per second: `ksolve verify` and the harness of swebench 5.0.2 on the same candidates.

Both get the same samples of a run, as drawn, duplicates and all, or those of a predictions file, on
the same engine with the same number of workers, one side after the other. Printed are the verdicts
per second of each side, their ratio with and without what ksolve saves (dedupe), the overhead over
the bare evaluation, the peak of memory, and every difference between the verdicts.

With --limit every evaluation is also run bare, one after another. That time, divided by the
workers, is the limit: no verifier is faster unless it leaves tests out. A row for each task then
tells how near ksolve comes to it when the baseline of the task is known.

The overhead is given twice. What a verification waits for beyond its tests: one after another,
the next container started meanwhile, from the patch to the verdict. And what a core pays in all
when every one is busy: containers started and removed, and the engine's own work, included.

    python -m benchmarks.verify_vs_swebench --run runs/demo --samples 128
    python -m benchmarks.verify_vs_swebench --tasks rows.jsonl --predictions all.jsonl --limit
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from eval.predictions import read_predictions
from eval.sample import SampleKey
from eval.store import open_run
from eval.verdict import Verdict
from eval.verifier import AHEAD, Verifier
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from sandbox.patch import apply_patch
from sandbox.sandbox import Limits
from tasks.load import load_tasks
from tasks.task import Task

TIMED_RUNS = 5
WAITING_RUNS = 16
# Verifications one after another, for the overhead by itself, each of another task.


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One sample to be judged."""

    name: str
    task: Task
    patch: str


def main() -> None:
    """Run both sides and print the comparison."""
    arguments = _arguments()
    every_task = load_tasks(arguments.tasks)
    candidates = _candidates(arguments.run or (), every_task)
    if arguments.predictions:
        candidates += _predicted(arguments.predictions, every_task)
    candidates = candidates[: arguments.samples]
    if arguments.gold:
        candidates += [
            Candidate(name=f"{task.id} gold", task=task, patch=task.oracle.gold_patch or "")
            for task in every_task
        ]
    distinct = len({(one.task.id, one.patch) for one in candidates})
    tasks = {one.task.id: one.task for one in candidates}
    print(
        f"{len(candidates)} candidates ({distinct} different) of {len(tasks)} tasks, "
        f"{arguments.workers} workers, {os.cpu_count()} cores"
    )
    asyncio.run(_build(list(tasks.values())))
    if arguments.limit:
        bare = asyncio.run(_bare(candidates))
    else:
        gold = [
            Candidate(name=task.id, task=task, patch=task.oracle.gold_patch or "")
            for task in tasks.values()
        ]
        by_task = asyncio.run(_bare(gold, TIMED_RUNS))
        bare = {one.name: by_task[one.task.id] for one in candidates}
    known_seconds = _known(candidates, arguments.workers, bare if arguments.limit else None)
    every, every_seconds = asyncio.run(_ksolve(candidates, arguments.workers, dedupe=False))
    print(f"ksolve, every one afresh   {_rate(candidates, every_seconds)}")
    print(f"ksolve, baselines known    {_rate(candidates, known_seconds)}")
    ours, our_seconds = every, every_seconds
    if distinct < len(candidates):
        ours, our_seconds = asyncio.run(_ksolve(candidates, arguments.workers, dedupe=True))
        print(f"ksolve, equal patches once {_rate(candidates, our_seconds)}")
    if arguments.limit:
        limit = sum(bare.values()) / arguments.workers
        print(
            f"limit                      {_rate(candidates, limit)}; ksolve takes "
            f"{known_seconds / limit:.2f} of it with baselines known, "
            f"{every_seconds / limit:.2f} with baselines included"
        )
        short, short_seconds = asyncio.run(
            _ksolve(candidates, arguments.workers, dedupe=False, proved=True)
        )
        print(
            f"ksolve, the short way      {_rate(candidates, short_seconds)}, where FAIL_TO_PASS "
            f"was proved to decide: {short_seconds / limit:.2f} of the limit, "
            f"{len(_different(short, every))} differences"
        )
    _print_overhead(candidates, bare, known_seconds, arguments.workers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of ksolve      {peak:.0f} MiB")
    again = _different(ours, every)
    print(f"ksolve against itself      {len(again)} differences {again}")
    if arguments.only_ksolve:
        return
    theirs, their_seconds = _reference(candidates, arguments.workers)
    print(f"swebench 5.0.2             {_rate(candidates, their_seconds)}")
    print(f"ratio                      {their_seconds / our_seconds:.1f}x")
    print(f"ratio, every one afresh    {their_seconds / every_seconds:.1f}x")
    different = [
        name for name in ours if (ours[name].outcome == "resolved") != theirs.get(name, False)
    ]
    resolved = sum(verdict.outcome == "resolved" for verdict in ours.values())
    print(f"verdicts                   {resolved} resolved, {len(different)} differences")
    for name in different:
        our = ours[name]
        print(f"  {name}: ksolve {our.outcome} ({our.note}), swebench {theirs.get(name)}")
    sys.exit(bool(different or again))


def _different(ones: Mapping[str, Verdict], others: Mapping[str, Verdict]) -> list[str]:
    """Return the names whose outcomes differ."""
    return [name for name in ones if ones[name].outcome != others[name].outcome]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, action="append", help="A run folder; repeat for more.")
    parser.add_argument("--predictions", type=Path, help="A file of predictions.")
    parser.add_argument("--limit", action="store_true", help="Also run every evaluation bare.")
    parser.add_argument("--gold", action="store_true", help="Also the gold patch of every task.")
    parser.add_argument("--tasks", default="starter", help="What the run sampled.")
    parser.add_argument("--samples", type=int, default=128, help="Candidates, at most.")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--only-ksolve", action="store_true", help="Leave the reference out.")
    return parser.parse_args()


def _candidates(runs: Sequence[Path], every_task: Sequence[Task]) -> list[Candidate]:
    """Return the samples that hold a patch, index by index over runs, models and tasks."""
    tasks = {task.id: task for task in every_task}
    found = []
    for number, run in enumerate(runs):
        with open_run(run) as store:
            for row in store.rows():
                key = SampleKey(
                    task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index
                )
                patch = store.patch(key)
                if patch.strip():
                    short = row.model.rpartition(":")[2]
                    name = f"{run.name} {row.task_id} {short} {row.index}"
                    candidate = Candidate(name=name, task=tasks[row.task_id], patch=patch)
                    found.append(((row.index, number, row.model, row.task_id), candidate))
    return [candidate for _, candidate in sorted(found, key=lambda pair: pair[0])]


def _predicted(file: Path, every_task: Sequence[Task]) -> list[Candidate]:
    """Return the predictions of a file that hold a patch."""
    tasks = {task.id: task for task in every_task}
    return [
        Candidate(name=f"{one.task_id} {one.model}", task=tasks[one.task_id], patch=one.patch)
        for one in read_predictions(file)
        if one.task_id in tasks and one.patch.strip()
    ]


async def _bare(candidates: Sequence[Candidate], times: int = 1) -> dict[str, float]:
    """Return how long each evaluation script alone takes, in a container that is up: the median."""
    seconds = {}
    async with DockerHost(run_id="benchmark") as host:
        for one in candidates:
            script = one.task.oracle.eval_script.encode()
            async with host.open(one.task.issue.image, Limits()) as sandbox:
                await apply_patch(sandbox, one.patch, one.task.issue.workdir)
                runs = [
                    await sandbox.exec(
                        ["/bin/bash"], stdin=script, timeout=600, env={"PIP_RETRIES": "0"}
                    )
                    for _ in range(times)
                ]
            seconds[one.name] = statistics.median(run.seconds for run in runs)
    return seconds


async def _build(tasks: Sequence[Task]) -> None:
    async with DockerHost(run_id="benchmark") as host:
        for task in tasks:
            await ensure_image(host, task.issue.image, task.build, lambda _: None)


def _known(
    candidates: Sequence[Candidate], workers: int, bare: Mapping[str, float] | None
) -> float:
    """Return the seconds for all with baselines known; print a row for each task beside `bare`."""
    if bare is None:
        _, seconds = asyncio.run(_ksolve(candidates, workers, dedupe=False, learnt=True))
        return seconds
    total = 0.0
    print(f"{'task':30}{'limit':>8}{'ksolve':>9}{'ratio':>7}   (seconds; baselines known)")
    for task_id in dict.fromkeys(one.task.id for one in candidates):
        some = [one for one in candidates if one.task.id == task_id]
        _, seconds = asyncio.run(_ksolve(some, workers, dedupe=False, learnt=True))
        limit = sum(bare[one.name] for one in some) / workers
        print(f"{task_id:30}{limit:8.1f}{seconds:9.1f}{seconds / limit:7.2f}", flush=True)
        total += seconds
    return total


def _print_overhead(
    candidates: Sequence[Candidate], bare: Mapping[str, float], known_seconds: float, workers: int
) -> None:
    """Say what a verification costs beyond its tests, of the patches that reach them."""
    some = list({one.task.id: one for one in reversed(candidates)}.values())[:WAITING_RUNS]
    alone, _ = asyncio.run(_ksolve(some, 1, dedupe=False, learnt=True))
    waits = [
        alone[one.name].seconds - bare[one.name]
        for one in some
        if alone[one.name].outcome in {"resolved", "unresolved"}
    ]
    mean_bare = statistics.mean(bare.values())
    paid = known_seconds * min(workers, os.cpu_count() or workers) / len(candidates) - mean_bare
    print(
        f"overhead per verification  {statistics.median(waits) * 1000:.0f} ms to wait for, over "
        f"{mean_bare * 1000:.0f} ms of bare evaluation in a warm container (median of {len(waits)})"
    )
    print(f"  when every core is busy  {paid * 1000:.0f} ms of a core, containers included")


async def _ksolve(
    candidates: Sequence[Candidate],
    workers: int,
    *,
    dedupe: bool,
    learnt: bool = False,
    proved: bool = False,
) -> tuple[dict[str, Verdict], float]:
    """Judge all, with nothing known before, the baselines `learnt`, or the short way `proved`."""
    verdicts: dict[str, Verdict] = {}
    todo = list(enumerate(candidates))[::-1]
    async with DockerHost(run_id="benchmark") as host:
        verifier = Verifier(host, workers=workers)
        for task in {one.task.id: one.task for one in candidates}.values():
            if learnt:
                await verifier.judge(task, task.oracle.gold_patch or "", f"{task.id} learnt")
            if proved:
                await verifier.prove(task)

        async def work() -> None:
            while todo:
                number, one = todo.pop()
                key = await verifier.key(one.task, one.patch)
                # A key of its own keeps a candidate from meeting the verdict on its equal.
                own = key if dedupe else f"{key}-{number}"
                verdicts[one.name], _ = await verifier.judge(one.task, one.patch, own)

        started = time.monotonic()
        await asyncio.gather(*(work() for _ in range(AHEAD * workers)))
        return verdicts, time.monotonic() - started


def _reference(candidates: Sequence[Candidate], workers: int) -> tuple[dict[str, bool], float]:
    """Judge all by the reference harness, in a folder of its own."""
    import docker
    from swebench.harness.run_evaluation import run_instance
    from swebench.harness.utils import make_test_spec, run_threadpool

    answers: dict[str, bool] = {}

    def judge(candidate: Candidate, run_id: str) -> None:
        prediction = {
            "instance_id": candidate.task.id,
            "model_name_or_path": "benchmark",
            "model_patch": candidate.patch,
        }
        spec = make_test_spec(_row(candidate.task))
        limit = round(candidate.task.oracle.time_limit)
        result: Any = run_instance(spec, prediction, client, run_id, limit)
        _, report = result
        answers[candidate.name] = report[candidate.task.id]["resolved"]

    client = docker.from_env(timeout=1800, max_pool_size=128)
    run = uuid4().hex[:8]
    payloads = [(one, f"{run}-{number}") for number, one in enumerate(candidates)]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        started = time.monotonic()
        # Errors are its way to say that a patch does not apply or that tests ran out of time.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            run_threadpool(judge, payloads, workers)
        seconds = time.monotonic() - started
    client.close()
    return answers, seconds


def _row(task: Task) -> dict[str, Any]:
    oracle = task.oracle
    return {
        "instance_id": task.id,
        "image": task.issue.image,
        "repo": task.issue.repo,
        "version": oracle.version,
        "FAIL_TO_PASS": list(oracle.fail_to_pass),
        "PASS_TO_PASS": list(oracle.pass_to_pass),
        "log_parser": oracle.log_parser,
        "eval_type": oracle.eval_type,
        "eval_script": oracle.eval_script,
    }


def _rate(candidates: Sequence[Candidate], seconds: float) -> str:
    return f"{len(candidates) / seconds:.2f} verdicts a second ({seconds:.1f} s)"


if __name__ == "__main__":
    main()
