"""Carrying out methods of selection over the pools of a run: what is known first, then the rest.

A model is started, and containers are opened, only for issues of which a method has said nothing
yet. What it says is kept issue by issue, so that the same command goes on where it was ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from agent.models import Model
from agent.reading.snapshot import read_snapshot
from eval.selection.candidates import Candidates, Method, Scored, Selection, select, selection
from eval.selection.codemonkeys import CodeMonkeysChoice
from eval.selection.judge import SAMPLING, Judge, PairwiseJudge, ScoredJudge, WeightedVote
from eval.selection.kept import Kept, Way
from eval.selection.pool import Pool
from eval.selection.regression import Regression
from eval.selection.scripts import ScriptVote
from eval.selection.votes import ANY, MAJORITY, PURE
from ksolve.session import counting, docker_host
from sandbox.sandbox import Limits, Sandbox, SandboxError, SandboxHost
from tasks.task import Resources, Task

if TYPE_CHECKING:
    from sandbox.docker import DockerHost

VOTES = {method.name: method for method in PURE}
"""The methods that need nothing."""

ASKING = ("judge", "pairwise", "weighted", "codemonkeys")
"""Those that need a model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The samples of one solver, or of several together, among which is chosen."""

    label: str
    solvers: tuple[tuple[str, str], ...]
    pool: Pool


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What every method chooses in one group."""

    group: Group
    selections: Sequence[Selection]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choosing:
    """The methods, and what they need to be carried out."""

    names: Sequence[str]
    tasks: Sequence[Task]
    # Of the run; empty where no method needs them.
    judge: Model | None
    max_tokens: int | None
    workers: int
    read_code: bool
    # Of containers: not the run's own, whose a sweep that goes on may remove.
    run_id: str
    resources: Resources = dataclasses.field(default_factory=Resources)
    """Those of the run that is chosen from."""

    def way(self, name: str, group: Group) -> Way:
        """Return under what the words of a method are kept."""
        settings: dict[str, str | int | bool | None] = {}
        if self.judge is not None and name in ASKING:
            settings |= {"judge": self.judge.backend.name, "max_tokens": self.max_tokens}
        if self.read_code:
            settings["read_code"] = True
        return Way(method=name, solvers=group.solvers, settings=settings)

    async def chosen(self, groups: Sequence[Group], kept: Kept, console: Console) -> list[Chosen]:
        """Let every method choose in every group. Raises StoreError, and what the methods do."""
        async with contextlib.AsyncExitStack() as stack:
            opened = _Opened(self, stack, console)
            return [
                Chosen(
                    group=group,
                    selections=[
                        await self._chosen_by(name, group, opened, kept) for name in self.names
                    ],
                )
                for group in groups
            ]

    async def _chosen_by(self, name: str, group: Group, opened: _Opened, kept: Kept) -> Selection:
        """Take what is known, and have the method say the rest."""
        way, pool = self.way(name, group), group.pool.issues
        said = await asyncio.to_thread(self._said, way, pool, kept)
        pending = [one for one in pool if one.task_id not in said]
        if pending:
            if name in ASKING:
                await opened.judge()
            with counting("issues", opened.console) as progress:
                what = f"{name}, {group.label}"
                bar = progress.add_task(what, total=len(pending))

                def tell(of_image: str) -> None:
                    progress.update(bar, description=f"{what} {of_image}")

                host = _Containers(opened, tell)

                async def keep(candidates: Candidates, scored: Scored) -> None:
                    await asyncio.to_thread(kept.keep, way, candidates, scored)
                    said[candidates.task_id] = scored
                    progress.advance(bar)

                if self.read_code:
                    pending = [await opened.with_code(group, one, host) for one in pending]
                await select(self._method(name, host), pending, at_once=self.workers, keep=keep)
        chosen = selection(name, pool, [said[one.task_id] for one in pool])
        return dataclasses.replace(chosen, settings=way.settings)

    def _said(self, way: Way, pool: Sequence[Candidates], kept: Kept) -> dict[str, Scored]:
        """Return what is known by task id, at the price that the judge has now."""
        said = kept.said(way, pool)
        for candidates in pool:
            one = said.get(candidates.task_id)
            if self.judge is None or not self.judge.price.known or one is None:
                continue
            cost = self.judge.price.at().cost(one.effort.usage)
            if one.effort.usage.calls and cost != one.effort.cost:
                one = dataclasses.replace(one, effort=dataclasses.replace(one.effort, cost=cost))
                kept.keep(way, candidates, one)
                said[candidates.task_id] = one
        return said

    def _method(self, name: str, host: SandboxHost) -> Method:
        if name in VOTES:
            return VOTES[name]
        if self.judge is not None and name in ASKING:
            sampling = dataclasses.replace(SAMPLING, max_tokens=self.max_tokens)
            judge = Judge(self.judge.backend, self.judge.price, sampling=sampling)
            if name == "codemonkeys":
                return CodeMonkeysChoice(judge, host)
            if name == "pairwise":
                return PairwiseJudge(judge)
            scored = ScoredJudge(judge)
            return WeightedVote(scored) if name == "weighted" else scored
        if name == "tests":
            return ScriptVote(host)
        return Regression(host, then=MAJORITY if name == "regression+majority" else ANY)


class _Opened:
    """The containers and the judge of a session, opened when they are needed first."""

    def __init__(self, of: Choosing, stack: contextlib.AsyncExitStack, console: Console) -> None:
        self.console = console
        self._of = of
        self._stack = stack
        self._host: DockerHost | None = None
        self._starting = asyncio.Lock()
        self._builds = {task.issue.image: task.build for task in of.tasks}
        self._is_judge_there = False
        self._read: dict[tuple[str, str], Candidates] = {}
        # By group and task, so that what is compared once is compared for all methods.

    async def host(self, image: str, tell: Callable[[str], None]) -> SandboxHost:
        """Return the Docker Engine, with an image found, built or pulled. Raises SandboxError."""
        from sandbox.images import ensure_image

        run_id = self._of.run_id
        async with self._starting:
            if self._host is None:
                self._stack.push_async_callback(_swept, run_id)
                self._host = await self._stack.enter_async_context(
                    docker_host(run_id, self._of.resources)
                )
            if image in self._builds:
                await ensure_image(self._host, image, self._builds[image], tell)
                del self._builds[image]
                tell("")
        return self._host

    async def judge(self) -> None:
        """Start the model that judges."""
        if self._of.judge is not None and not self._is_judge_there:
            await self._stack.enter_async_context(self._of.judge.backend)
            self._is_judge_there = True

    async def with_code(
        self, group: Group, candidates: Candidates, host: SandboxHost
    ) -> Candidates:
        """Return candidates with the files of their repository. Raises SandboxError."""
        key = group.label, candidates.task_id
        if key not in self._read:
            snapshot = await read_snapshot(candidates.known_issue(), host)
            self._read[key] = dataclasses.replace(candidates, texts=snapshot.texts)
        return self._read[key]


class _Containers:
    """Opens containers on the Docker Engine, which is not asked for before the first of them.

    So none is needed where all that a method would run is known already.
    """

    def __init__(self, opened: _Opened, tell: Callable[[str], None]) -> None:
        """`tell` is told what is done to an image."""
        self._opened = opened
        self._tell = tell

    @contextlib.asynccontextmanager
    async def open(self, image: str, limits: Limits) -> AsyncIterator[Sandbox]:
        """Open one. Raises ImageMissingError or SandboxError."""
        host = await self._opened.host(image, self._tell)
        async with host.open(image, limits) as sandbox:
            yield sandbox

    async def image_digest(self, image: str) -> str:
        """Return the digest of an image. Raises ImageMissingError or SandboxError."""
        return await (await self._opened.host(image, self._tell)).image_digest(image)


async def _swept(run_id: str) -> None:
    from sandbox.orphans import remove_run

    with contextlib.suppress(SandboxError):
        await remove_run(run_id)
