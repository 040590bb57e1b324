"""A sweep on the Docker Engine of this machine: images first, then the main loop with its bars."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from agent.endpoint.backend import EndpointBackend
from eval.budget import Budget, Budgets
from eval.cache import VerdictCache
from eval.flaky import FLAKY_RUNS, FlakyTasks
from eval.left_out import record_left_out
from eval.plan import Plan
from eval.store import Store
from eval.sweep import Sweep, first_error
from eval.verifier import Verifier
from ksolve.progress import Stages, SweepProgress
from ksolve.verify_progress import VerifyProgress
from sandbox.sandbox import HostDownError, SandboxError
from tasks.task import ImageBuild, Resources, Task

if TYPE_CHECKING:
    from sandbox.docker import DockerHost

BUILDS_AT_ONCE = 2
ENDING = 20.0
"""Seconds that a sweep has for its end, after Ctrl-C."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judging:
    """How verdicts are come by; none of it changes what a verdict means."""

    fresh: bool = False
    # Judge even what another run on this machine has judged.
    exact: bool = False
    # Run every test of every patch.
    flaky_runs: int = FLAKY_RUNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """How one session of a run is carried out; none of it changes what is drawn."""

    console: Console
    workers: int
    budget: float | None = None
    budget_per_issue: float | None = None
    budget_per_sample: float | None = None
    stages: Stages = field(default_factory=Stages)
    judging: Judging = field(default_factory=Judging)
    resources: Resources = field(default_factory=Resources)
    """What containers may use, whatever their tasks ask for. This changes what is drawn, and is
    part of the run."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Of models, by their names; kept with the run."""


async def sweep_on_docker(
    plan: Plan,
    store: Store,
    session: Session,
    *,
    wanted: Mapping[str, int],
    progress: SweepProgress | VerifyProgress | None = None,
) -> Sweep:
    """Draw and verify what is pending; `wanted` is the number of samples by model, for the bars.

    What happens is shown by `progress`, by default as of a sweep that draws samples. Tasks whose
    image cannot be made ready stay pending. Raises what `Sweep.run` and `ready_images` raise.
    """
    from sandbox.orphans import remove_run

    run_id = str(store.folder)
    # Of an earlier session that was killed: the store's lock says that it is over.
    await remove_run(run_id)
    async with docker_host(run_id, session.resources) as host:
        missing = await ready_images(host, plan.tasks, session.console)
        pending = await asyncio.to_thread(record_left_out, plan, store, missing)
        every = len(plan.tasks)
        plan = replace(plan, tasks=[task for task in plan.tasks if task.id not in missing])
        judging = session.judging
        progress = progress or SweepProgress(session.console, store, tasks=every, wanted=wanted)
        with (
            progress,
            contextlib.closing(VerdictCache()) as cache,
        ):
            session.stages.listener = progress.stage
            for failure in pending:
                progress.failed(failure)
            endpoints = _recalled(plan, store)
            verifier = Verifier(
                host,
                workers=session.workers,
                cache=cache,
                fresh=judging.fresh,
                exact=judging.exact,
                flaky=await asyncio.to_thread(FlakyTasks().load),
                flaky_runs=judging.flaky_runs,
                resources=session.resources,
                on_learning=progress.learning,
            )
            sweep = Sweep(
                plan,
                store,
                host,
                verifier=verifier,
                budgets=Budgets(
                    Budget(session.budget, spent=store.spent()),
                    per_issue=session.budget_per_issue,
                    per_sample=session.budget_per_sample,
                    spent_by_issue=store.spent_by_issue(),
                ),
                workers=session.workers,
                observer=progress,
                is_part=bool(pending),
            )
            try:
                with _ending_once(session.stages):
                    await sweep.run()
            finally:
                for name, backend in endpoints.items():
                    store.keep_profile(name, backend.memory())
                # What an engine that was restarted in between may have kept.
                with contextlib.suppress(SandboxError):
                    await remove_run(run_id)
    for name, backend in endpoints.items():
        for note in backend.profile.notes:
            session.console.print(Text(f"{name}: {note}"))
    return sweep


async def check_served(plan: Plan) -> None:
    """Ask the installed vLLM about serving options before a run is begun that would keep them.

    Raises BackendUnusableError for options that it does not take.
    """
    for solver in plan.solvers:
        if solver.settings.get("serve"):
            from agent.local.vllm import ManagedVllm

            backend = solver.model.backend
            if isinstance(backend, ManagedVllm):
                await backend.check()


@contextlib.contextmanager
def _ending_once(tell: Callable[[str], None]) -> Iterator[None]:
    """Let one Ctrl-C end the sweep, and further ones not end the booking of what is under way.

    After `ENDING` seconds one more ends everything at once.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    ended: float | None = None

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        if ended is not None and time.monotonic() - ended < ENDING:
            tell("ending: what is under way is booked")
            return
        ended = time.monotonic()
        before(number, frame)

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _recalled(plan: Plan, store: Store) -> dict[str, EndpointBackend]:
    """Return the endpoints of a plan by their models, which go on from what the run has learnt."""
    known = store.profiles()
    backends = {solver.model.name: solver.model.backend for solver in plan.solvers}
    endpoints = {n: one for n, one in backends.items() if isinstance(one, EndpointBackend)}
    for name, backend in endpoints.items():
        if name in known:
            backend.recall(known[name])
    return endpoints


def docker_host(run_id: str = "", resources: Resources | None = None) -> DockerHost:
    """Return the container engine, whose client only those import who need it."""
    from sandbox.docker import DockerHost

    return DockerHost(run_id=run_id, resources=resources)


async def ready_images(
    host: DockerHost, tasks: Sequence[Task], console: Console
) -> dict[str, SandboxError]:
    """Find, build or pull the image of every task.

    Returns why, by their ids, of the tasks whose image is not ready, which is said, too. Raises
    SandboxError when none is, or when the engine is gone.
    """
    from sandbox.images import ensure_image

    places = asyncio.Semaphore(BUILDS_AT_ONCE)
    by_image: dict[str, list[Task]] = {}
    for task in tasks:
        by_image.setdefault(task.issue.image, []).append(task)
    missing: dict[str, SandboxError] = {}
    with counting("images", console) as progress:
        bar = progress.add_task("", total=len(by_image))

        async def ready(image: str, build: ImageBuild | None) -> None:
            async with places:
                try:
                    await ensure_image(
                        host, image, build, lambda text: progress.update(bar, description=text)
                    )
                except HostDownError:
                    raise
                except SandboxError as error:
                    missing[image] = error
                progress.advance(bar)

        try:
            async with asyncio.TaskGroup() as group:
                for image, [first, *_] in by_image.items():
                    group.create_task(ready(image, first.build))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
    if len(missing) == len(by_image):
        for error in missing.values():
            raise error
    for image, error in missing.items():
        ids = ", ".join(task.id for task in by_image[image])
        console.print(Text(f"{error}", style="red"), soft_wrap=True)
        console.print(Text(f"  pending for want of {image}: {ids}"), soft_wrap=True)
    return {task.id: error for image, error in missing.items() for task in by_image[image]}


def counting(what: str, console: Console) -> Progress:
    """Return a bar that counts, and goes when it is done."""
    columns = (
        TextColumn(what),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    # Elsewhere than on a terminal it would leave a line that says nothing.
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
