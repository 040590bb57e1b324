"""What a budget would have bought under each policy, replayed from recorded samples.

Every replay draws the recorded samples in another random order, without replacement, the same
order for all policies. Verdicts are tests, seen after each sample. A policy that wants more
samples than were recorded goes on with what there is and says that it was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.allocation import adaptively, fixed
from eval.allocation.matrix import Matrix
from eval.allocation.posterior import WORTH
from eval.allocation.prior import Counts
from eval.allocation.trajectory import Pool, Stop
from eval.intervals import LEVEL

ADAPTIVE = "adaptive"
CASCADES = (1, 4, 16)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bought:
    """What one policy buys with one budget; means over replays."""

    policy: str
    # In the unit of the matrix, as all amounts.
    budget: float
    # Issues.
    solved: float
    # Between them lie the solves of 95 in 100 replays: of this run's issues, drawn again.
    low: float
    high: float
    # Solved over all issues.
    coverage: float
    spent: float
    # Share of the replays in which a sample was wanted that is not recorded.
    cut: float


def replay(
    matrix: Matrix,
    budgets: Sequence[float],
    *,
    replays: int = 200,
    cascades: Sequence[int] = CASCADES,
    seed: int = 0,
    former: Counts | None = None,
) -> tuple[Bought, ...]:
    """Compare all policies at equal cost; one entry for each policy and budget, in that order.

    The adaptive policy is told of the counts of `former` issues.
    """
    rng = np.random.default_rng(seed)
    policies = fixed_policies(matrix, cascades)
    names = [*(policy.name for policy in policies), ADAPTIVE]
    stops: dict[tuple[str, float], list[Stop]] = {}
    for _ in range(replays):
        pool = shuffled(matrix, rng)
        for policy in policies:
            trajectory = policy.play(pool)
            for budget in budgets:
                stops.setdefault((policy.name, budget), []).append(trajectory.stop(budget))
        for budget in budgets:
            stop = adaptively.play(pool, budget, former=former).stop(budget, worth=WORTH)
            stops.setdefault((ADAPTIVE, budget), []).append(stop)
    return tuple(
        _bought(name, budget, stops[name, budget], len(matrix.issues))
        for name in names
        for budget in budgets
    )


def shuffled(matrix: Matrix, rng: np.random.Generator) -> Pool:
    """Put the issues, and the samples of each, into a random order."""
    issues = rng.permutation(len(matrix.issues))
    recorded = matrix.recorded[issues]
    covariates = np.zeros((len(issues), 0)) if matrix.covariates is None else matrix.covariates
    keys = rng.random(matrix.resolved.shape, dtype=np.float32)
    keys[np.arange(keys.shape[2]) >= recorded[..., None]] = 2.0  # behind all others
    order = keys.argsort(axis=2)
    return Pool(
        resolved=np.take_along_axis(matrix.resolved[issues], order, axis=2),
        cost=np.take_along_axis(matrix.cost[issues], order, axis=2),
        recorded=recorded,
        covariates=covariates[issues],
    )


def default_budgets(matrix: Matrix) -> tuple[float, ...]:
    """Return budgets that tell the policies apart: parts of what the whole matrix cost."""
    whole = float(matrix.cost.sum())
    return tuple(float(f"{whole * part:.2g}") for part in (0.01, 0.03, 0.1, 0.2, 0.4))


def fixed_policies(matrix: Matrix, cascades: Sequence[int] = CASCADES) -> list[fixed.Rounds]:
    """Return all policies that fix the order beforehand, as deep as samples are recorded."""
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
