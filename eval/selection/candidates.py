"""What a method of selection sees, and what it answers: candidates without verdicts, and scores.

A method is handed `Candidates`, which hold no verdict, so that the type checker keeps the tests
that decide away from it. Where several candidates have the best score, each is as likely to be
chosen, so that no number depends on the order of a pool.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.backend import Usage
from eval.cost import add
from eval.selection.behaviour import behaviours
from eval.selection.evidence import Evidence
from eval.sweep import first_error
from tasks.task import Issue

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Result = TypeVar("Result")


class NothingToAskError(ValueError):
    """A method needs what a pool does not hold. The message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One sample, as far as a method may see it."""

    model: str
    strategy: str
    index: int
    patch: str
    # "" where there is none.
    scripts: tuple[str, ...] = ()
    # That its model wrote to show the issue, the last one it stood by.


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """All candidates of one issue; every array about them has one entry a candidate."""

    task_id: str
    candidates: tuple[Candidate, ...]
    issue: Issue | None = None
    # None in a pool without its tasks; what asks a model or runs something needs it.
    texts: Mapping[str, str] = field(default_factory=dict)
    # The repository's files by path; empty where nobody read them.
    evidence: Evidence = field(default_factory=Evidence)
    # What was asked and run about this issue so far.

    @functools.cached_property
    def has_patch(self) -> Bools:
        """Which of them hold a patch at all."""
        return np.array([bool(one.patch.strip()) for one in self.candidates], dtype=np.bool_)

    @functools.cached_property
    def behaviour(self) -> Ints:
        """Group of each: equal numbers do the same, `NONE` (-1) does nothing that counts."""
        return behaviours([one.patch for one in self.candidates], self.texts)

    def distinct(self) -> dict[int, str]:
        """Return a patch of each group, the shortest, which is the easiest to read."""
        patches: dict[int, str] = {}
        for group, one in zip(self.behaviour.tolist(), self.candidates, strict=True):
            if group >= 0:
                known = patches.get(group, one.patch)
                patches[group] = min(known, one.patch, key=lambda patch: (len(patch), patch))
        return dict(sorted(patches.items()))

    def spread(self, by_group: Mapping[int, float]) -> Floats:
        """Give each candidate the score of its group, and -inf where its group has none."""
        scores = [by_group.get(group, -np.inf) for group in self.behaviour.tolist()]
        return np.array(scores, dtype=np.float64)

    def known_issue(self) -> Issue:
        """Return the issue. Raises NothingToAskError where the pool came without."""
        if self.issue is None:
            raise NothingToAskError(f"The issue {self.task_id} is not known: give its tasks.")
        return self.issue


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """What a method itself used. Adds up with `+`."""

    usage: Usage = field(default_factory=Usage)
    # Of requests to its model.
    cost: float | None = 0.0
    # US dollars for them, None when the price is unknown.
    runs: int = 0
    # Of a script or of tests, in a container.
    seconds: float = 0.0
    # Wall time, issue after issue; of what was known before, the time that it took then.

    def __add__(self, other: Effort) -> Effort:
        return Effort(
            usage=self.usage + other.usage,
            cost=add(self.cost, other.cost),
            runs=self.runs + other.runs,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What a method says of one issue."""

    scores: Floats
    # One a candidate, the highest is chosen; -inf for what is not to be.
    effort: Effort = field(default_factory=Effort)
    groups: Ints | None = None
    # As `Candidates.behaviour` was when it was said; set by `select`.


class Method(Protocol):
    """Scores the candidates of an issue."""

    @property
    def name(self) -> str:
        """The word of the command line, such as `majority`."""
        ...

    async def score(self, candidates: Candidates) -> Scored:
        """Score one issue. Raises NothingToAskError, BackendError or SandboxError."""
        ...


@dataclass(frozen=True, slots=True)
class Pure:
    """A method that needs neither model nor container."""

    name: str
    rank: Callable[[Candidates], Floats]

    async def score(self, candidates: Candidates) -> Scored:
        """Score by `rank`."""
        return Scored(scores=self.rank(candidates))


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What one method chooses of a whole pool."""

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    # Besides the method itself: who judges, say.
    chances: tuple[Floats, ...]
    # With which each candidate is chosen: one array an issue, in the order of the pool.
    groups: tuple[Ints, ...] = ()
    # Equal numbers do the same; empty where only `chances` are known.
    scores: tuple[Floats, ...] = ()
    """What the method said of each candidate; empty likewise."""
    effort: Effort


Keep = Callable[[Candidates, Scored], Awaitable[None]]


async def select(
    method: Method, pool: Sequence[Candidates], *, at_once: int = 1, keep: Keep | None = None
) -> list[Scored]:
    """Score every issue of a pool, `at_once` of them at a time; each is kept when it is scored.

    Raises what the method does.
    """
    places = asyncio.Semaphore(at_once)

    async def score(candidates: Candidates) -> Scored:
        async with places:
            started, known = time.monotonic(), candidates.evidence.seconds
            # Kept from then on: to compare many patches takes long.
            await asyncio.to_thread(lambda: candidates.behaviour)
            scored = await method.score(candidates)
            seconds = time.monotonic() - started + candidates.evidence.seconds - known
            effort = replace(scored.effort, seconds=seconds)
            scored = replace(scored, effort=effort, groups=candidates.behaviour)
            if keep is not None:
                await keep(candidates, scored)
            return scored

    return await together(score(candidates) for candidates in pool)


def selection(method: str, pool: Sequence[Candidates], scored: Sequence[Scored]) -> Selection:
    """Put together what a method says of each issue of a pool."""
    return Selection(
        method=method,
        chances=tuple(
            chances(one.scores, candidates.has_patch)
            for candidates, one in zip(pool, scored, strict=True)
        ),
        groups=tuple(
            candidates.behaviour if one.groups is None else one.groups
            for candidates, one in zip(pool, scored, strict=True)
        ),
        scores=tuple(one.scores for one in scored),
        effort=sum((one.effort for one in scored), Effort()),
    )


async def together(work: Iterable[Coroutine[None, None, Result]]) -> list[Result]:
    """Do all at once. The first error ends the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    return [task.result() for task in tasks]


def chances(scores: Floats, has_patch: Bools) -> Floats:
    """Return with which chance each candidate is chosen: the best share it equally.

    Both have one entry a candidate, and there is at least one. One without a patch is never chosen
    where any has one. Scores that differ by no more than rounding are equal.
    """
    eligible = has_patch if has_patch.any() else np.ones_like(has_patch)
    best = scores[eligible].max()
    chosen = eligible & np.isclose(scores, best, rtol=1e-9, atol=1e-12)
    shares: Floats = chosen / np.count_nonzero(chosen)
    return shares
