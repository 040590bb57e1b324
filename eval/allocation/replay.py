"""What a budget would have bought under each policy, replayed from recorded samples.

Every replay draws the recorded samples in another random order, without replacement, the same
order for all policies. Verdicts are tests, seen after each sample. A policy that wants more
samples than were recorded goes on with what there is and says that it was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.allocation import fixed, greedy
from eval.allocation.matrix import Matrix
from eval.allocation.posterior import WORTH
from eval.allocation.trajectory import Pool, Stop, Trajectory
from eval.intervals import LEVEL

ADAPTIVE = "adaptive"
CASCADES = (1, 4, 16)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bought:
    """What one policy buys with one budget; means over replays."""

    policy: str
    budget: float
    # In the unit of the matrix, as all amounts.
    solved: float
    # Issues.
    low: float
    high: float
    # Between them lie the solves of 95 in 100 replays: of this run's issues, drawn again.
    coverage: float
    # Solved over all issues.
    spent: float
    cut: float
    # Share of the replays in which a sample was wanted that is not recorded.


def replay(
    matrix: Matrix,
    budgets: Sequence[float],
    *,
    replays: int = 200,
    cascades: Sequence[int] = CASCADES,
    seed: int = 0,
) -> tuple[Bought, ...]:
    """Compare all policies at equal cost; one entry for each policy and budget, in that order."""
    rng = np.random.default_rng(seed)
    policies = _fixed_policies(matrix, cascades)
    names = [*(policy.name for policy in policies), ADAPTIVE]
    stops: dict[tuple[str, float], list[Stop]] = {}
    for _ in range(replays):
        pool = shuffled(matrix, rng)
        played: list[Trajectory] = [policy.play(pool) for policy in policies]
        played.append(greedy.play(pool, max(budgets)))
        for name, trajectory in zip(names, played, strict=True):
            for budget in budgets:
                stop = trajectory.stop(budget, worth=WORTH)
                stops.setdefault((name, budget), []).append(stop)
    return tuple(
        _bought(name, budget, stops[name, budget], len(matrix.issues))
        for name in names
        for budget in budgets
    )


def shuffled(matrix: Matrix, rng: np.random.Generator) -> Pool:
    """Put the issues, and the samples of each, into a random order."""
    issues = rng.permutation(len(matrix.issues))
    recorded = matrix.recorded[issues]
    keys = rng.random(matrix.resolved.shape, dtype=np.float32)
    keys[np.arange(keys.shape[2]) >= recorded[..., None]] = 2.0  # behind all others
    order = keys.argsort(axis=2)
    return Pool(
        resolved=np.take_along_axis(matrix.resolved[issues], order, axis=2),
        cost=np.take_along_axis(matrix.cost[issues], order, axis=2),
        recorded=recorded,
    )


def default_budgets(matrix: Matrix) -> tuple[float, ...]:
    """Return budgets that tell the policies apart: parts of what the whole matrix cost."""
    whole = float(matrix.cost.sum())
    return tuple(float(f"{whole * part:.2g}") for part in (0.01, 0.03, 0.1, 0.2, 0.4))


def _fixed_policies(matrix: Matrix, cascades: Sequence[int]) -> list[fixed.Rounds]:
    arms, depth = matrix.arms, matrix.resolved.shape[2]
    policies = [
        *fixed.uniform(arms, depth, until_solved=False),
        *fixed.uniform(arms, depth, until_solved=True),
    ]
    if len(arms) > 1:
        mean = matrix.cost.sum(axis=(0, 2)) / matrix.recorded.sum(axis=0)
        by_cost = np.argsort(mean, kind="stable").tolist()
        policies += [fixed.cascade(by_cost, depth, tries) for tries in cascades if tries < depth]
    return policies


def _bought(policy: str, budget: float, stops: Sequence[Stop], issues: int) -> Bought:
    spent, solved, is_cut = np.array(stops, dtype=np.float64).T
    low, high = np.quantile(solved, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return Bought(
        policy=policy,
        budget=budget,
        solved=float(solved.mean()),
        low=float(low),
        high=float(high),
        coverage=float(solved.mean()) / issues,
        spent=float(spent.mean()),
        cut=float(is_cut.mean()),
    )
