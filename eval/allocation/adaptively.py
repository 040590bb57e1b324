"""The adaptive policy on recorded samples: `ksolve run --allocate adaptive` without the waiting.

It sees a verdict as soon as a sample is drawn, and decides on a few draws at once, so that a long
replay takes few decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from eval.allocation.chooser import Chooser
from eval.allocation.posterior import expected_costs
from eval.allocation.prior import Counts
from eval.allocation.trajectory import Pool, Trajectory
from eval.table import Floats, Ints

_AT_ONCE = 20
"""One draw is decided at a time up to as many; later, this part of all that was drawn."""

_DEEPEST = 1024
"""Samples of one issue that are thought of; that fewer are recorded is not known beforehand."""


@dataclass(slots=True)
class _State:
    """What is known at one moment; arrays have the shape (issues, arms)."""

    drawn: Ints
    resolved: Ints
    spent: Floats
    squares: Floats


def play(pool: Pool, budget: float, *, former: Counts | None = None) -> Trajectory:
    """Draw from a pool, where it buys most, until the budget is spent or nothing is left.

    What an arm costs before it was tried is known, as from a list of prices: its mean. `former`
    are counts of other issues by the same arms.
    """
    guess = pool.cost.sum(axis=(0, 2)) / pool.recorded.sum(axis=0)
    known = _State(
        drawn=np.zeros_like(pool.recorded),
        resolved=np.zeros_like(pool.recorded),
        spent=np.zeros(pool.recorded.shape),
        squares=np.zeros(pool.recorded.shape),
    )
    most = np.full(guess.size, _DEEPEST)
    chooser = Chooser(pool.covariates, most=most, budgeted=True, former=former)
    # What the first so many samples cost together, and the sum of the squares of that.
    until, squares = (_sums(pool.cost**power) for power in (1, 2))
    has = pool.resolved.any(axis=2)
    first = np.where(has, pool.resolved.argmax(axis=2), pool.resolved.shape[2])
    log: list[tuple[Floats, Ints, Floats]] = []
    spent, cut_at = 0.0, math.inf
    while spent <= budget:
        draws = int(known.drawn.sum())
        live = np.flatnonzero(~known.resolved.any(axis=1))
        if not live.size:
            break
        costs = expected_costs(known.spent, known.squares, known.drawn, guess)
        chooser.learn(Counts(known.drawn, known.resolved), costs.mean(axis=0))
        failed = known.drawn[live]
        is_there = failed < pool.recorded[live]
        choose = partial(
            chooser.choose,
            live,
            failed,
            np.zeros_like(failed),
            costs=costs[live],
            left=budget - spent,
        )
        choice = choose(is_open=is_there)
        if not is_there.all() and math.isinf(cut_at):
            wanted = choose(is_open=np.ones_like(is_there))
            best = wanted.rate.argmax()
            cut_at = cut_at if is_there[best, wanted.arm[best]] else spent
        at_once = max(1, draws // _AT_ONCE)
        order = np.argsort(-choice.rate, kind="stable")[:at_once]
        order = order[choice.rate[order] >= 0.0]
        if not order.size:
            break
        issue, arm = live[order], choice.arm[order]
        before = known.drawn[issue, arm]
        # Where few issues are left, several samples of each, one after another.
        after = np.minimum(before + max(1, at_once // order.size), pool.recorded[issue, arm])
        after = np.minimum(after, first[issue, arm] + 1)
        cost = until[issue, arm, after] - until[issue, arm, before]
        solves = after == first[issue, arm] + 1
        known.drawn[issue, arm] = after
        known.resolved[issue, arm] = solves
        known.spent[issue, arm] = until[issue, arm, after]
        known.squares[issue, arm] = squares[issue, arm, after]
        log.append((cost, solves.astype(np.int64), np.full(order.size, choice.greatest)))
        spent += float(cost.sum())
    costs, solved, index = (np.concatenate(column) for column in zip(*log, strict=True))
    return Trajectory(spent=costs.cumsum(), solved=solved.cumsum(), cut_at=cut_at, index=index)


def _sums(amounts: Floats) -> Floats:
    none = np.zeros((*amounts.shape[:2], 1))
    return np.concatenate([none, amounts.cumsum(axis=2)], axis=2)
