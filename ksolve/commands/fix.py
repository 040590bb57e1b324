"""`ksolve fix`: one local repository, one issue -> a verified patch."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json as jsonlib
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import platformdirs
import typer
from rich.console import Console
from rich.text import Text

from eval.cost import count, money
from eval.sample import SampleKey
from eval.store import Store
from eval.table import SampleRow
from eval.verify import evaluate
from ksolve.commands.run import (
    FREE,
    complain_of,
    configuration,
    plan_of,
    refuse_unknown_prices,
)
from ksolve.errors import INFRASTRUCTURE, UNSOLVED, InputError
from ksolve.options import (
    WORKERS,
    BudgetOption,
    CommandSecondsOption,
    ContextOption,
    DepthOption,
    EffortOption,
    ExtraBodyOption,
    FreshOption,
    HeaderOption,
    InFlightOption,
    JsonOption,
    MaxTokensOption,
    ModelOption,
    PriceOption,
    SecondsOption,
    SeedOption,
    ServeOption,
    StepsOption,
    TemperatureOption,
    TokensOption,
    TopPOption,
    VariantOption,
    WindowOption,
    WorkersOption,
    extra_body_of,
    serve_of,
)
from ksolve.progress import Stages
from ksolve.screen import put, screen
from ksolve.session import (
    Judging,
    Session,
    check_served,
    docker_host,
    ready_images,
    sweep_on_docker,
)
from ksolve.sweep_options import resolve_config
from tasks.local import local_task, without_undone
from tasks.task import Task
from tasks.worktree import apply_to_work_tree, commit, dirty_files, left_out

IN_FLIGHT = 4
"""Few at once: what is under way when the first patch is verified was paid for in vain."""


def fix(
    *,
    repo: Annotated[Path, typer.Argument(help="The git repository.")] = Path(),
    issue: Annotated[
        str | None, typer.Option(help="The issue's text; `-` reads it from standard input.")
    ] = None,
    issue_file: Annotated[Path | None, typer.Option(help="A file that holds it.")] = None,
    test: Annotated[
        str, typer.Option(help="Shell command that fails now and must pass, such as 'pytest -q'.")
    ],
    model: ModelOption,
    strategy: Annotated[
        str, typer.Option(help="How a sample is drawn: oneshot, loop or monkeys.")
    ] = "oneshot",
    samples: Annotated[int, typer.Option(min=1, help="Samples per model, at most.")] = 16,
    budget: BudgetOption = None,
    base: Annotated[
        str | None, typer.Option(help="A commit to start from; without it the files as they are.")
    ] = None,
    setup: Annotated[
        str | None,
        typer.Option(
            help="Shell command that installs what the tests need, run once with network."
        ),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="A container image with the tools, in place of ksolve's.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply the patch to the work tree.")
    ] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Apply it over uncommitted changes too.")
    ] = False,
    time_limit: Annotated[float, typer.Option(min=1.0, help="Seconds for one test run.")] = 600.0,
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
    price: PriceOption = None,
    in_flight: InFlightOption = IN_FLIGHT,
    workers: WorkersOption = WORKERS,
    fresh: FreshOption = False,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; by default one of ksolve's own.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Sample patches until one passes the test command, and print it.

    The patch goes to standard output, all else to standard error. Ends with 0 when there is a
    patch, 1 when there is none. Test files count as they are now: what a sample does to them is
    left out of its patch.

    [bold]Example[/bold]

        ksolve fix . --issue-file bug.md --test "pytest -q" --model deepseek:deepseek-chat --apply
    """
    statement = _statement(issue, issue_file)
    stages = Stages()
    sampling = {
        "temperature": temperature,
        "top_p": top_p,
        "max_tokens": max_tokens,
        "seed": seed,
        "reasoning_effort": reasoning_effort,
        "context_window": context_window,
        "context": context,
        "variant": variant,
        "depth": depth,
        "steps": steps,
        "tokens": tokens,
        "seconds": seconds,
        "command_seconds": command_seconds,
    }
    asked = resolve_config(
        None,
        {
            "tasks": str(repo),
            "model": model,
            "strategy": [strategy],
            "samples": samples,
            "price": price,
            "in_flight": in_flight,
            "header": header,
            "extra_body": extra_body_of(extra_body),
            "serve": serve_of(serve),
            **sampling,
        },
    )
    plan = plan_of(asked, [], stages)
    refuse_unknown_prices([solver.model for solver in plan.solvers], {"--budget": budget})
    console = screen(stderr=True)
    dirty = dirty_files(repo)
    if apply and dirty and not allow_dirty:
        raise InputError(
            f"The work tree has uncommitted changes ({', '.join(dirty[:3])}): commit them, or add "
            "--allow-dirty."
        )
    task = local_task(
        repo,
        statement,
        test,
        image=image,
        setup=setup,
        base=base or "HEAD",
        include_dirty=base is None and bool(dirty),
        time_limit=time_limit,
    )
    for sentence in left_out(repo):
        console.print(Text(sentence))
    plan = dataclasses.replace(plan, tasks=[task], until_solved=True)
    config = configuration(plan, str(repo), [budget]) | {
        "command": repeating(
            repo,
            # The files as they are cannot be named, once there is more than a commit to them.
            base=commit(repo, base or "HEAD") if base or not dirty else None,
            issue=None if issue_file else statement,
            issue_file=issue_file,
            test=test,
            model=model,
            strategy=strategy,
            samples=samples,
            budget=budget,
            setup=setup,
            image=image,
            time_limit=time_limit,
            price=price,
            extra_body=extra_body,
            serve=serve,
            **sampling,
        )
    }
    folder = out or _own_folder(config)
    asyncio.run(check_served(plan))
    with Store(folder) as store:
        store.begin(config, free=FREE)
        if not store.solved():
            asyncio.run(_refuse_passing_base(task, console))
        session = Session(
            console=console,
            workers=workers,
            budget=budget,
            stages=stages,
            judging=Judging(fresh=fresh),
        )
        wanted = {solver.model.name: samples for solver in plan.solvers}
        sweep = asyncio.run(sweep_on_docker(plan, store, session, wanted=wanted))
        rows = list(store.rows())
        solved = next((row for row in rows if row.outcome == "resolved"), None)
        patch = without_undone(store.patch(_key(solved))) if solved else ""
        failures = store.failures()
        spent = store.spent()
    priced = all(row.cost is not None for row in rows)
    if json:
        result = {
            "solved": solved is not None,
            "patch": patch or None,
            "model": solved.model if solved else None,
            "samples": len(rows),
            "cost": spent if priced else None,
            "run": str(folder),
        }
        put(jsonlib.dumps(result, indent=2))
    elif patch:
        put(patch, end="")
    unusable = complain_of(sweep)
    paid = f"{count(len(rows), 'sample')} drawn, cost {money(spent if priced else None)}"
    if solved is None:
        console.print(Text(f"No sample passes `{test}` ({paid}; all are kept in {folder})."))
        raise typer.Exit(unusable or (INFRASTRUCTURE if failures else UNSOLVED))
    console.print(Text(f"Verified: `{test}` passes with this patch of {solved.model} ({paid})."))
    if apply:
        touched = apply_to_work_tree(repo, patch, allow_dirty=allow_dirty)
        console.print(Text(f"Applied to {', '.join(touched)}."))


def repeating(repo: Path, **options: Path | float | str | list[str] | None) -> str:
    """Return the command that looks for a patch once more; an option that is None has no part."""
    words = ["ksolve", "fix", str(repo)]
    for name, given in options.items():
        for one in given if isinstance(given, list) else [given]:
            if one is not None:
                words += [f"--{name.replace('_', '-')}", str(one)]
    return shlex.join([*words, "--out", "runs/again"])


async def _refuse_passing_base(task: Task, console: Console) -> None:
    """Without a test that fails now, nothing could tell a fix from any other change."""
    async with docker_host() as host:
        await ready_images(host, [task], console)
        base = await evaluate(task, "", host)
    if base.outcome == "resolved":
        raise InputError(
            f"`{task.issue.test_command}` passes already: add a test that shows the issue."
        )
    if base.outcome == "timeout":
        raise InputError(f"The test command was {base.note}: raise --time-limit.")
    said = _last_words(base.log)
    if said.startswith("bash: ") and said.endswith(": command not found"):
        raise InputError(
            f"The test command cannot run ({said}): correct it, or install with --setup what it "
            "needs."
        )
    console.print(Text(f"Without a patch, the test command ends with: {said}"))
    lacking = re.search(r"ModuleNotFoundError: [^\n]*", base.log)
    if lacking:
        console.print(
            Text(
                f"Something is not installed there ({lacking[0]}): unless that is the issue, stop "
                "here and install it with --setup.",
                style="yellow",
            )
        )


def _last_words(log: str) -> str:
    """Return the last line of an evaluation log that the tests wrote, not the script's trace."""
    lines = [line.strip() for line in log.splitlines()]
    said = [line for line in lines if line and not line.startswith(("+", ">>>>>"))]
    return said[-1] if said else "(no output)"


def _statement(issue: str | None, issue_file: Path | None) -> str:
    if (issue is None) == (issue_file is None):
        raise InputError("Give the issue's text with --issue or with --issue-file.")
    if issue_file is not None:
        return issue_file.read_text(encoding="utf-8", errors="replace")
    return sys.stdin.read() if issue == "-" else issue or ""


def _own_folder(config: dict[str, object]) -> Path:
    frozen = {name: value for name, value in config.items() if name not in FREE}
    digest = hashlib.sha256(jsonlib.dumps(frozen, sort_keys=True).encode()).hexdigest()[:16]
    return platformdirs.user_state_path("ksolve") / "fix" / digest


def _key(row: SampleRow) -> SampleKey:
    return SampleKey(task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index)
