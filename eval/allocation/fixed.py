"""Policies that fix the order of drawing beforehand: uniform, ensemble, cascade.

Each goes over all issues in rounds: a round is one sample of one arm for every issue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.allocation.trajectory import Pool, Trajectory
from eval.table import Ints


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounds:
    """Draws round by round."""

    name: str
    arms: tuple[int, ...]
    # The arm of each round.
    until_solved: bool = True
    # A solved issue is left out of the rounds that follow.

    def play(self, pool: Pool) -> Trajectory:
        """Draw all rounds from a pool."""
        arm = np.array(self.arms, dtype=np.int64)
        nth = _nth(arm)
        there = nth < pool.recorded[:, arm]
        at = np.minimum(nth, pool.resolved.shape[2] - 1)
        solves = there & pool.resolved[:, arm, at]
        done = np.logical_or.accumulate(solves, axis=1)
        before = np.zeros_like(done)
        before[:, 1:] = done[:, :-1]
        wanted = ~before if self.until_solved else np.ones_like(done)
        drawn = (wanted & there).T
        # Round by round from here on: the transposed arrays are read row by row.
        spent = np.cumsum(np.where(drawn, pool.cost[:, arm, at].T, 0.0))
        solved = np.cumsum((solves & ~before).T.astype(np.int64))
        missing = (wanted & ~there).T.ravel()
        cut = int(missing.argmax()) if missing.any() else None
        if cut is not None:
            cut_at = float(spent[cut])
        else:
            goes_on = not self.until_solved or not done[:, -1].all()
            cut_at = float(spent[-1]) if goes_on else math.inf
        drew = drawn.ravel()
        return Trajectory(spent=spent[drew], solved=solved[drew], cut_at=cut_at)


def uniform(arms: Sequence[str], depth: int, *, until_solved: bool) -> list[Rounds]:
    """As many samples for every issue, up to `depth` by an arm: by each arm alone, and by all."""
    words = "uniform, until solved" if until_solved else "uniform"
    of = [(name, (arm,) * depth) for arm, name in enumerate(arms)]
    if len(arms) > 1:
        of.append(("all, round robin", tuple(range(len(arms))) * depth))
    return [
        Rounds(name=f"{words}: {name}", arms=rounds, until_solved=until_solved)
        for name, rounds in of
    ]


def cascade(by_cost: Sequence[int], depth: int, tries: int) -> Rounds:
    """From the cheapest arm to the dearest: `tries` rounds of each, the last one to the end."""
    *cheaper, dearest = by_cost
    rounds = [arm for arm in cheaper for _ in range(min(tries, depth))]
    name = f"cascade, {tries} each"
    return Rounds(name=name, arms=(*rounds, *(dearest,) * depth))


def _nth(arm: Ints) -> Ints:
    """Say the how manieth round of its arm each round is, from 0."""
    nth = np.zeros_like(arm)
    for one in np.unique(arm):
        nth[arm == one] = np.arange((arm == one).sum())
    return nth
