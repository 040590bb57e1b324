"""`ksolve fix`: one local repository, one issue -> a verified patch."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json as jsonlib
import shlex
import sys
from collections.abc import Sequence
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
from eval.verify import BY_EXIT_STATUS, set_aside
from ksolve.commands.run import FREE, complain_of, configuration, plan_of
from ksolve.earlier import tell_of_earlier
from ksolve.errors import INFRASTRUCTURE, UNSOLVED, InputError
from ksolve.options import (
    WORKERS,
    BudgetOption,
    CapAddOption,
    CommandSecondsOption,
    ContextOption,
    CpusOption,
    DepthOption,
    DiskOption,
    EffortOption,
    ExtraBodyOption,
    FreshOption,
    HeaderOption,
    InFlightOption,
    JsonOption,
    MaxTokensOption,
    MemoryOption,
    ModelOption,
    NetworkOption,
    PriceOption,
    ProcessesOption,
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
    kept_resources,
    serve_of,
)
from ksolve.prices import refuse_unknown_prices
from ksolve.progress import Stages
from ksolve.readiness import Doubts, check_base, prepared
from ksolve.screen import put, screen
from ksolve.session import (
    Judging,
    Session,
    check_served,
    sweep_on_docker,
)
from ksolve.sweep_options import resolve_config
from ksolve.unsolved import Reason, reasons, sentences
from tasks.local import without_undone
from tasks.pythons import Python, exactly
from tasks.worktree import apply_to_work_tree, commit, dirty_files

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
            help="Shell command that installs what the tests need, run once as root with network; "
            "by default it is made of what the repository says, and shown."
        ),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="A container image with the tools, in place of ksolve's.")
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(help="A version such as 3.12; by default one that the project asks for."),
    ] = None,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="Apply the patch to the work tree, beside what is not committed."
        ),
    ] = False,
    allow_dirty: Annotated[
        bool,
        typer.Option("--allow-dirty", help="Apply it to files with uncommitted changes too."),
    ] = False,
    go_on: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Go on where something is missing, rather than ask."),
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
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    processes: ProcessesOption = None,
    disk: DiskOption = None,
    network: NetworkOption = None,
    cap_add: CapAddOption = None,
    fresh: FreshOption = False,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; by default one of ksolve's own.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Sample patches until one passes the test command, and print it.

    The patch goes to standard output, all else to standard error. Ends with 0 when there is a
    patch, 1 when there is none. Test files count as they are now: what a sample does to them is
    left out of its patch. Where the tests seem to fail for another reason than the issue, it asks
    before anything is paid; without a terminal it stops, unless --yes is given.

    [bold]Example[/bold]

        ksolve fix . --issue-file bug.md --test pytest --model deepseek:deepseek-v4-flash --apply
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
    containers = {
        "memory": memory,
        "cpus": cpus,
        "processes": processes,
        "disk": disk,
        "network": network,
        "cap_add": cap_add,
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
            **containers,
            **sampling,
        },
    )
    plan = plan_of(asked, [], stages)
    refuse_unknown_prices([solver.model for solver in plan.solvers], {"--budget": budget})
    console = screen(stderr=True)
    doubts = Doubts(console, go_on=go_on)
    dirty = dirty_files(repo)
    task, found = prepared(
        repo,
        statement,
        test,
        doubts,
        image=image,
        setup=setup,
        python=_python(python),
        base=base or "HEAD",
        include_dirty=base is None and bool(dirty),
        time_limit=time_limit,
    )
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
            python=python,
            time_limit=time_limit,
            price=price,
            extra_body=extra_body,
            serve=serve,
            **containers,
            **sampling,
        )
    }
    config |= kept_resources(asked.resources)
    folder = out or _own_folder(config)
    asyncio.run(check_served(plan))
    with Store(folder) as store:
        tell_of_earlier(store.config() or {}, console)
        store.begin(config, free=FREE)
        failing = []
        if not store.solved():
            failing = asyncio.run(check_base(task, found, doubts, asked.resources))
        session = Session(
            console=console,
            workers=workers,
            budget=budget,
            stages=stages,
            resources=asked.resources,
            judging=Judging(fresh=fresh),
        )
        wanted = {solver.model.name: samples for solver in plan.solvers}
        sweep = asyncio.run(sweep_on_docker(plan, store, session, wanted=wanted))
        solved = next((row for row in store.rows() if row.outcome == "resolved"), None)
        verdict = store.judged(_key(solved)) if solved else None
        patch = ""
        if solved and verdict:
            patch = without_undone(store.patch(_key(solved)), set_aside(verdict))
        why = [] if solved else reasons(store, folder, failing)
        _print_result(store, folder, solved, patch, why, as_json=json)
        unusable = complain_of(sweep)
        paid = _paid(store)
        if solved is None:
            console.print(Text(f"No sample passes `{test}` ({paid}; all are kept in {folder})."))
            _print_reasons(store, why, console)
            raise typer.Exit(unusable or (INFRASTRUCTURE if store.failures() else UNSOLVED))
    is_watched = verdict is None or BY_EXIT_STATUS not in verdict.note
    console.print(
        Text(
            f"Verified: `{test}` passes with this patch of {solved.model} ({paid})."
            if is_watched
            else f"`{test}` ends with 0 under this patch of {solved.model} ({paid}). Nothing can "
            "watch what it runs, so read the patch before you believe it."
        )
    )
    for one in verdict.suspicions if verdict else ():
        if one.is_strong:
            console.print(Text(f"Suspicious: {one}", style="yellow"), soft_wrap=True)
    if apply:
        touched = apply_to_work_tree(repo, patch, allow_dirty=allow_dirty)
        console.print(Text(f"Applied to {', '.join(touched)}."))


def _print_result(
    store: Store,
    folder: Path,
    solved: SampleRow | None,
    patch: str,
    why: Sequence[Reason],
    *,
    as_json: bool,
) -> None:
    """Print the patch, or all that is to be told as JSON, to standard output."""
    if not as_json:
        put(patch, end="")
        return
    rows = list(store.rows())
    priced = all(row.cost is not None for row in rows)
    result = {
        "solved": solved is not None,
        "patch": patch or None,
        "model": solved.model if solved else None,
        "samples": len(rows),
        "cost": store.spent() if priced else None,
        "run": str(folder),
        "reasons": [dataclasses.asdict(one) for one in why],
    }
    put(jsonlib.dumps(result, indent=2))


def _print_reasons(store: Store, why: Sequence[Reason], console: Console) -> None:
    lines = sentences(why)
    lines += [f"  failed: {one}" for one in dict.fromkeys(f.message for f in store.failures())]
    for line in lines:
        # A command must stay on its line to be copied.
        console.print(Text(line), soft_wrap=True)


def _paid(store: Store) -> str:
    rows = list(store.rows())
    priced = all(row.cost is not None for row in rows)
    return f"{count(len(rows), 'sample')} drawn, cost {money(store.spent() if priced else None)}"


def repeating(repo: Path, **options: Path | float | str | list[str] | None) -> str:
    """Return the command that looks for a patch once more; an option that is None has no part."""
    words = ["ksolve", "fix", str(repo)]
    for name, given in options.items():
        option = name.replace("_", "-")
        for one in given if isinstance(given, list) else [given]:
            if isinstance(one, bool):
                words.append(f"--{option}" if one else f"--no-{option}")
            elif one is not None:
                words += [f"--{option}", str(one)]
    return shlex.join([*words, "--out", "runs/again"])


def _python(version: str | None) -> Python | None:
    try:
        return exactly(version) if version else None
    except ValueError as error:
        raise InputError(f"--python {error}") from None


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
