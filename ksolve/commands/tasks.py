"""`ksolve tasks`: list, show, validate, audit and build what is to be repaired."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import platformdirs
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.audit import Audit, audit
from eval.cache import VerdictCache
from eval.cost import count
from eval.flaky import Findings, FlakyTasks
from eval.validate import Validation
from ksolve.errors import INFRASTRUCTURE, UNSOLVED, one_sentence_errors
from ksolve.options import (
    WORKERS,
    CapAddOption,
    CpusOption,
    DiskOption,
    ExcludeOption,
    IdsOption,
    JsonOption,
    LimitOption,
    MemoryOption,
    NetworkOption,
    ProcessesOption,
    SkipInvalidOption,
    WorkersOption,
    resources_of,
    tasks_of,
)
from ksolve.screen import put, screen
from ksolve.session import docker_host, ready_images
from ksolve.validation import validate_all
from sandbox.sandbox import SandboxError
from tasks.task import Task

app = typer.Typer(
    help="List, show, validate, audit tasks, and build their images.\n\n"
    "[bold]Example[/bold]\n\n"
    "    ksolve tasks list starter",
    no_args_is_help=True,
)

Source = Annotated[
    str, typer.Argument(help="As --tasks of `ksolve run`: starter, a dataset, a file, a folder.")
]


@app.command("list")
@one_sentence_errors
def list_tasks(
    source: Source,
    *,
    exclude: ExcludeOption = None,
    limit: LimitOption = None,
    skip_invalid: SkipInvalidOption = False,
    json: JsonOption = False,
) -> None:
    """List the tasks of a source.

    [bold]Example[/bold]

        ksolve tasks list starter
    """
    tasks = tasks_of(source, exclude=exclude, limit=limit, skip_invalid=skip_invalid)
    if json:
        rows = [
            {
                "id": task.id,
                "repo": task.issue.repo,
                "image": task.issue.image,
                "fail_to_pass": len(task.oracle.fail_to_pass),
                "pass_to_pass": len(task.oracle.pass_to_pass),
            }
            for task in tasks
        ]
        put(jsonlib.dumps(rows, indent=2))
        return
    table = Table("task", "repository", "F2P", "P2P", "issue", box=None, pad_edge=False)
    for task in tasks:
        first_line = task.issue.statement.strip().partition("\n")[0].lstrip("# ")
        tests = (str(len(task.oracle.fail_to_pass)), str(len(task.oracle.pass_to_pass)))
        table.add_row(task.id, task.issue.repo, *tests, Text(first_line, overflow="ellipsis"))
    screen().print(table)


@app.command("show")
@one_sentence_errors
def show_task(
    source: Source,
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id.")],
    *,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Also what a solver must not see.")
    ] = False,
    skip_invalid: SkipInvalidOption = False,
) -> None:
    """Show one task: the issue, and with --oracle the hidden tests and the gold patch.

    [bold]Example[/bold]

        ksolve tasks show starter ksolve__ledger-1
    """
    (task,) = tasks_of(source, ids=[task_id], skip_invalid=skip_invalid)
    issue = task.issue
    put(f"{task.id}  {issue.repo} at {issue.base_commit}\nimage {issue.image}\n")
    put(issue.statement)
    if oracle:
        for name, tests in (
            ("FAIL_TO_PASS", task.oracle.fail_to_pass),
            ("PASS_TO_PASS", task.oracle.pass_to_pass),
        ):
            put(f"\n{name} ({len(tests)})")
            for test in tests:
                put(f"  {test}")
        put(f"\ntest patch\n{task.oracle.test_patch}")
        put(f"gold patch\n{task.oracle.gold_patch or 'none'}")


@app.command("build")
@one_sentence_errors
def build(
    source: Source,
    *,
    ids: IdsOption = None,
    exclude: ExcludeOption = None,
    limit: LimitOption = None,
    skip_invalid: SkipInvalidOption = False,
) -> None:
    """Build or pull the image of every task.

    [bold]Example[/bold]

        ksolve tasks build starter
    """
    tasks = tasks_of(source, ids=ids, exclude=exclude, limit=limit, skip_invalid=skip_invalid)
    left_out = asyncio.run(_build(tasks))
    here = {task.issue.image for task in tasks if task.id not in left_out}
    put(f"{count(len(here), 'image')} {'is' if len(here) == 1 else 'are'} here.")
    if left_out:
        raise typer.Exit(INFRASTRUCTURE)


@app.command("validate")
@one_sentence_errors
def validate_tasks(
    source: Source,
    *,
    repeat: Annotated[
        int, typer.Option(min=1, help="Runs of each base and gold patch, to find flaky tests.")
    ] = 1,
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    processes: ProcessesOption = None,
    disk: DiskOption = None,
    network: NetworkOption = None,
    cap_add: CapAddOption = None,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Also prove that FAIL_TO_PASS may run first; patches that fail it are then judged "
            "without the rest.",
        ),
    ] = False,
    logs: Annotated[
        Path | None,
        typer.Option(
            help="The folder for what the tests of invalid tasks print, by default one of your own "
            "that the line of each names."
        ),
    ] = None,
    ids: IdsOption = None,
    exclude: ExcludeOption = None,
    limit: LimitOption = None,
    skip_invalid: SkipInvalidOption = False,
    workers: WorkersOption = WORKERS,
    json: JsonOption = False,
) -> None:
    """Prove in Docker that each base fails what it must and each gold patch passes all.

    With --repeat, a test that passes in some runs of the same files and fails in others makes its
    task flaky. What is found is remembered: runs add up over sessions, verdicts on a flaky task
    are those of a majority, and reports tell coverage with and without it.

    Of an invalid task the reason is told, and where the logs of its tests are.

    Ends with 0 when every task is valid, 1 when some are not. A flaky task is valid when more than
    half of its runs are as they must be.

    [bold]Example[/bold]

        ksolve tasks validate starter --repeat 5
    """
    tasks = tasks_of(source, ids=ids, exclude=exclude, limit=limit, skip_invalid=skip_invalid)
    console = screen(stderr=json)
    resources = resources_of(
        memory=memory,
        cpus=cpus,
        processes=processes,
        disk=disk,
        network=network,
        cap_add=cap_add,
    )
    if repeat > 1:
        # A record that cannot be used is told now, not after hours of runs.
        FlakyTasks().load()
    with contextlib.closing(VerdictCache()) as cache:
        proofs = cache if prove else None
        found = asyncio.run(
            validate_all(
                tasks,
                workers,
                console,
                repeat=repeat,
                prove=proofs,
                resources=resources,
                # A folder for each invalid task; what an earlier session left is replaced.
                logs=logs or platformdirs.user_state_path("ksolve") / "validate",
            )
        )
    validations = [one for one in found if isinstance(one, Validation)]
    known = (FlakyTasks().load() if repeat > 1 else Findings()).flaky(tasks)
    if json:
        rows = [
            {
                "id": one.task_id,
                "valid": one.valid,
                "problems": one.problems,
                "repeat": repeat,
                "flaky": known[one.task_id].sentences if one.task_id in known else (),
                "flaky_tests": known[one.task_id].tests if one.task_id in known else (),
            }
            for one in validations
        ]
        put(jsonlib.dumps(rows, indent=2))
    valid = sum(one.valid for one in validations)
    console.print(f"{valid} of {len(tasks)} tasks are valid.")
    if known:
        console.print(Text(f"Known to be flaky ({len(known)}): {', '.join(known)}."))
    if len(validations) < len(tasks):
        raise typer.Exit(INFRASTRUCTURE)
    raise typer.Exit(0 if valid == len(tasks) else UNSOLVED)


@app.command("audit")
@one_sentence_errors
def audit_tasks(
    source: Source,
    *,
    ids: IdsOption = None,
    exclude: ExcludeOption = None,
    limit: LimitOption = None,
    skip_invalid: SkipInvalidOption = False,
    workers: WorkersOption = WORKERS,
    json: JsonOption = False,
) -> None:
    """Look into each image for what a solver must not see.

    That is history after the base commit, the lines of the gold patch and of the hidden tests in
    any file or git object, and caches of a later version. Strategies start without the history;
    the rest is for whoever makes the image to remove.

    Ends with 0 when no image gives anything away, 1 when some do.

    [bold]Example[/bold]

        ksolve tasks audit starter
    """
    tasks = tasks_of(source, ids=ids, exclude=exclude, limit=limit, skip_invalid=skip_invalid)
    console = screen(stderr=json)
    found = asyncio.run(_audit(tasks, workers, console))
    audits = [one for one in found if isinstance(one, Audit)]
    if json:
        rows = [
            {
                "id": one.task_id,
                "clean": one.clean,
                "leaks": [dataclasses.asdict(leak) for leak in one.leaks],
            }
            for one in audits
        ]
        put(jsonlib.dumps(rows, indent=2))
    clean = sum(one.clean for one in audits)
    console.print(f"{clean} of {len(tasks)} images give nothing away.")
    if len(audits) < len(tasks):
        raise typer.Exit(INFRASTRUCTURE)
    raise typer.Exit(0 if clean == len(tasks) else UNSOLVED)


async def _build(tasks: Sequence[Task]) -> dict[str, SandboxError]:
    async with docker_host() as host:
        return await ready_images(host, tasks, screen())


async def _audit(
    tasks: Sequence[Task], workers: int, console: Console
) -> list[Audit | SandboxError]:
    places = asyncio.Semaphore(workers)
    async with docker_host() as host:
        left_out = await ready_images(host, tasks, console)

        async def one(task: Task) -> Audit | SandboxError:
            async with places:
                try:
                    result = await audit(task, host)
                except SandboxError as error:
                    console.print(Text(f"{task.id}: failed: {error}", style="yellow"))
                    return error
            told = "; ".join(leak.sentence for leak in result.leaks)
            console.print(Text(f"{task.id}: {told or 'clean'}", style="red" if told else ""))
            return result

        return [
            *left_out.values(),
            *await asyncio.gather(*(one(task) for task in tasks if task.id not in left_out)),
        ]
