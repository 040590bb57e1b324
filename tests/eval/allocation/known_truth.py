"""Worlds whose solve rates are known: Beta distributed, with a mass at zero, at given prices.

`python -m benchmarks.allocation` prints what each policy buys in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, norm

from eval.allocation.matrix import Matrix
from eval.allocation.prior import Counts
from eval.allocation.replay import Bought
from eval.table import Floats

CHEAP, DEAR = 0, 1
BUDGETS = (5, 20, 60, 150)
"""In samples of the cheap solver for each issue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """The solve rates of one solver over issues: zero, or Beta(a, b); and what a sample costs."""

    a: float
    b: float
    hopeless: float
    price: float


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Where issues come from; a share `in_step` of them is equally hard for all solvers."""

    name: str
    solvers: tuple[Rates, ...]
    in_step: float = 0.7

    def draw(self, issues: int, samples: int, *, seed: int) -> Drawn:
        """Draw issues, and samples of each by every solver."""
        rng = np.random.default_rng(seed)
        rank = rng.random((issues, len(self.solvers)))
        rank[rng.random(issues) < self.in_step, 1:] = np.nan
        rank = np.where(np.isnan(rank), rank[:, :1], rank)
        rates = np.stack([_rates(*both) for both in zip(rank.T, self.solvers, strict=True)], axis=1)
        resolved = rng.random((*rates.shape, samples)) < rates[..., None]
        prices = np.array([solver.price for solver in self.solvers])
        ease = norm.ppf(rank).mean(axis=1)
        return Drawn(
            matrix=Matrix(
                issues=tuple(f"i{n}" for n in range(issues)),
                arms=tuple(["cheap", "dear", "dearest"][: prices.size]),
                resolved=resolved,
                cost=prices[:, None] * rng.gamma(4.0, 0.25, resolved.shape),
                recorded=np.full(rates.shape, samples),
            ),
            rates=rates,
            ease=(ease - ease.mean()) / ease.std(),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Issues of a world."""

    matrix: Matrix
    # (issues, solvers).
    rates: Floats
    # (issues,): standardised.
    ease: Floats

    def covariate(self, correlation: float, *, seed: int) -> Floats:
        """Return what goes with the ease of an issue to that degree; (issues, 1)."""
        noise = np.random.default_rng(seed).standard_normal(self.ease.size)
        return (correlation * self.ease + math.sqrt(1 - correlation**2) * noise)[:, None]

    def counts(self) -> Counts:
        """Return what a run that drew all of it would know."""
        return Counts(self.matrix.recorded, self.matrix.resolved.sum(axis=2))


def two_models(ratio: float, *, name: str = "", in_step: float = 0.7) -> World:
    """Return a cheap and a dear model of rates Beta(0.4, 8) and Beta(0.8, 1.6).

    Half of the issues are hopeless for the cheap one, 35% for the dear one. A sample of the cheap
    one costs 1 on average, of the dear `ratio`.
    """
    cheap = Rates(a=0.4, b=8.0, hopeless=0.5, price=1.0)
    dear = Rates(a=0.8, b=1.6, hopeless=0.35, price=ratio)
    return World(name=name, solvers=(cheap, dear), in_step=in_step)


def by_policy(bought: Sequence[Bought]) -> dict[str, list[Bought]]:
    rows: dict[str, list[Bought]] = {}
    for one in bought:
        rows.setdefault(one.policy, []).append(one)
    return rows


def _rates(rank: Floats, of: Rates) -> Floats:
    above = np.clip((rank - of.hopeless) / (1 - of.hopeless), 0.0, 1.0)
    return np.where(rank < of.hopeless, 0.0, beta.ppf(above, of.a, of.b))
