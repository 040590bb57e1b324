"""Carrying out methods of selection over the pools of a run: what is known first, then the rest.

A model is started, and containers are opened, only for issues of which a method has said nothing
yet. What it says is kept issue by issue, so that the same command goes on where it was ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
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
from eval.selection.votes import ANY, FIRST, MAJORITY
from ksolve.session import counting, docker_host, ready_images
from sandbox.sandbox import SandboxError, SandboxHost
from tasks.task import Task

if TYPE_CHECKING:
    from sandbox.docker import DockerHost

PURE = ("any", "first", "majority")
RUNNING = ("tests", "regression", "regression+majority", "codemonkeys")
ASKING = ("judge", "pairwise", "weighted", "codemonkeys")
"""Methods by what they need: nothing, containers, a model."""


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
    max_tokens: int
    workers: int
    read_code: bool
    run_id: str
    # Of containers: not the run's own, whose a sweep that goes on may remove.

    def way(self, name: str, group: Group) -> Way:
        """Return under what the words of a method are kept."""
        settings: dict[str, str | int | bool] = {}
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
        owed = [one for one in pool if one.task_id not in said]
        if owed:
            needs_host = self.read_code or name in RUNNING
            host = await opened.host({one.task_id for one in owed}) if needs_host else None
            if name in ASKING:
                await opened.judge()
            with counting("issues", opened.console) as progress:
                bar = progress.add_task(f"{name}, {group.label}", total=len(owed))

                async def keep(candidates: Candidates, scored: Scored) -> None:
                    await asyncio.to_thread(kept.keep, way, candidates, scored)
                    said[candidates.task_id] = scored
                    progress.advance(bar)

                if self.read_code and host is not None:
                    owed = [await opened.with_code(group, one, host) for one in owed]
                await select(self._method(name, host), owed, at_once=self.workers, keep=keep)
        chosen = selection(name, pool, [said[one.task_id] for one in pool])
        return dataclasses.replace(chosen, settings=way.settings)

    def _said(self, way: Way, pool: Sequence[Candidates], kept: Kept) -> dict[str, Scored]:
        """Return what is known by task id, at the price that the judge has now."""
        said = kept.said(way, pool)
        for candidates in pool:
            one = said.get(candidates.task_id)
            if self.judge is None or not self.judge.price.known or one is None:
                continue
            cost = self.judge.price.cost(one.effort.usage)
            if one.effort.usage.calls and cost != one.effort.cost:
                one = dataclasses.replace(one, effort=dataclasses.replace(one.effort, cost=cost))
                kept.keep(way, candidates, one)
                said[candidates.task_id] = one
        return said

    def _method(self, name: str, host: SandboxHost | None) -> Method:
        pure = {"any": ANY, "first": FIRST, "majority": MAJORITY}
        if name in pure:
            return pure[name]
        if self.judge is not None and name in ASKING:
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


class _Opened:
    """The containers and the judge of a session, opened when they are needed first."""

    def __init__(self, of: Choosing, stack: contextlib.AsyncExitStack, console: Console) -> None:
        self.console = console
        self._of = of
        self._stack = stack
        self._host: DockerHost | None = None
        self._is_judge_there = False
        self._read: dict[tuple[str, str], Candidates] = {}
        # By group and task, so that what is compared once is compared for all methods.

    async def host(self, task_ids: AbstractSet[str]) -> SandboxHost:
        """Return where containers are opened, with the images of these tasks."""
        run_id = self._of.run_id
        if self._host is None:
            self._stack.push_async_callback(_swept, run_id)
            self._host = await self._stack.enter_async_context(docker_host(run_id))
        tasks = [task for task in self._of.tasks if task.id in task_ids]
        await ready_images(self._host, tasks, self.console)
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


async def _swept(run_id: str) -> None:
    from sandbox.orphans import remove_run

    with contextlib.suppress(SandboxError):
        await remove_run(run_id)
