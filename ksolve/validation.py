"""Validation of tasks, told line by line: valid, or why not and where the logs are."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from eval.cache import VerdictCache
from eval.flaky import FlakyTasks
from eval.validate import Problem, Validation, validate
from eval.verdict import Verdict
from eval.verifier import Verifier
from eval.verify import evaluate
from ksolve.session import docker_host, ready_images
from sandbox.sandbox import Limits, SandboxError
from tasks.load import tasks_digest
from tasks.task import Resources, Task


async def validate_all(
    tasks: Sequence[Task],
    workers: int,
    console: Console,
    *,
    repeat: int,
    prove: VerdictCache | None,
    resources: Resources,
    logs: Path,
) -> list[Validation | SandboxError]:
    """Validate tasks, and write of the invalid ones into `logs` what their tests printed."""
    places = asyncio.Semaphore(workers)
    record, dataset = FlakyTasks().record, tasks_digest(tasks)
    async with docker_host(resources=resources) as host:
        left_out = await ready_images(host, tasks, console)
        verifier = Verifier(host, workers=workers, cache=prove, fresh=True, resources=resources)

        async def run(task: Task, patch: str) -> Verdict:
            async with places:
                limits = Limits().with_resources(task.issue.resources)
                return await evaluate(task, patch, host, limits)

        async def one(task: Task) -> Validation | SandboxError:
            try:
                result = await validate(task, partial(run, task), repeat=repeat)
                digest = await host.image_digest(task.issue.image)
                result = await _as_judged(task, result, verifier)
                proved = prove is not None and result.valid and await verifier.prove(task)
            except SandboxError as error:
                console.print(Text(f"{task.id}: failed: {error}", style="yellow"))
                return error
            if repeat > 1:
                await asyncio.to_thread(record, task, digest, result.observed, dataset=dataset)
            written = [] if result.valid else await asyncio.to_thread(_write_logs, result, logs)
            line = _line(task, result, repeat, proved=proved, logs=written)
            console.print(line, soft_wrap=True)
            return result

        return [
            *left_out.values(),
            *await asyncio.gather(*(one(task) for task in tasks if task.id not in left_out)),
        ]


async def _as_judged(task: Task, result: Validation, verifier: Verifier) -> Validation:
    """Have the verifier judge the gold patch of a valid task as it judges any candidate's."""
    if not result.valid or not task.oracle.gold_patch:
        return result
    verdict = await verifier.verify(task, task.oracle.gold_patch)
    if verdict.outcome == "resolved":
        return result
    problem = Problem(what=f"the verifier calls the gold patch {verdict.outcome} ({verdict.note})")
    return dataclasses.replace(result, found=(problem,), gold=verdict)


def _write_logs(result: Validation, folder: Path) -> list[Path]:
    """Write what the tests printed on each side; return the files."""
    sides = {"base": result.base, "gold": result.gold}
    of_task = folder / result.task_id.replace("/", "__")
    of_task.mkdir(parents=True, exist_ok=True)
    files = []
    for side, verdict in sides.items():
        if verdict is not None and verdict.log:
            files.append(of_task / f"{side}.log")
            files[-1].write_bytes(verdict.log.encode("utf-8", "backslashreplace"))
    return files


def _line(
    task: Task, result: Validation, repeat: int, *, proved: bool, logs: Sequence[Path]
) -> Text:
    """Say of a task whether it is valid, or else why not and where what it printed is."""
    flaky = f"; flaky: {'; '.join(result.flaky)}" if result.flaky else ""
    if not result.valid:
        reasons = "; ".join(problem.reason for problem in result.found)
        where = f" (logs: {', '.join(map(str, logs))})" if logs else ""
        return Text(f"{task.id}: {reasons}{flaky}{where}", style="red")
    seconds = result.base.seconds + (result.gold.seconds if result.gold else 0.0)
    tests = f"{len(task.oracle.fail_to_pass)} F2P, {len(task.oracle.pass_to_pass)} P2P"
    same = f", the same in {repeat} runs" if repeat > 1 and not flaky else ""
    same += ", FAIL_TO_PASS may run first" if proved else ""
    return Text(
        f"{task.id}: valid ({tests}{same}, {seconds:.1f} s){flaky}", style="yellow" if flaky else ""
    )
