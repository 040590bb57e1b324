"""What is best done with an issue, given what money buys elsewhere: looked ahead to its end.

With many issues and one budget, each issue may be thought of by itself once money has its price:
the solves that one more unit of it buys (Lagrangian relaxation; Everett 1963, *Operations Research*
11). At every price the best order of samples of an issue, and where to stop, follow backwards from
the end, over the numbers of samples that failed. Exact for the prior that it is given, but for the
grid of these numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.allocation.prior import RATES, Prior
from eval.table import Floats, Ints

MOST_ARMS = 6
"""Beyond as many the numbers of samples are too many to look at; each choice is by itself then."""

_STATES = 4096
_POINTS = 20
_PRICES = 48
_LEAST_RATE = 1e-5
_LEAST_FALL = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookahead:
    """The value of every state of an issue, by group of issues; a state is a place on the grid."""

    # For each arm, the numbers of failures that are told apart.
    grids: tuple[Ints, ...]
    # (prices,): solves for a unit of cost.
    prices: Floats
    # (states, groups): the chance that an issue gets there unsolved.
    reached: Floats
    # (arms, states, groups): the chance of a solve in the step to the next state, and its cost.
    gain: Floats
    cost: Floats
    # (states, groups, prices): solves less the price of their cost, times `reached`.
    value: Floats

    def states(self, tried: Ints) -> Ints:
        """Return the state that is nearest to so many samples, (issues, arms); (issues,)."""
        places = [
            np.searchsorted((grid[1:] + grid[:-1]) / 2, times)
            for grid, times in zip(self.grids, tried.T, strict=True)
        ]
        states: Ints = np.ravel_multi_index(places, [grid.size for grid in self.grids])
        return states

    def price(self, states: Ints, groups: Ints, left: float) -> int:
        """Return the place in `prices` at which these issues would cost just what is left."""
        value = self.value[states, groups] / self.reached[states, groups, None]
        return int((value.sum(axis=0) + self.prices * left).argmin())

    def values(self, states: Ints, groups: Ints, price: int) -> Floats:
        """Solves less the price of their cost, if the next is one of each arm; (issues, arms)."""
        shape = tuple(grid.size for grid in self.grids)
        after = np.minimum(states[:, None] + _strides(shape), self.reached.shape[0] - 1)
        now = self.gain[:, states, groups] - self.prices[price] * self.cost[:, states, groups]
        later = self.value[after, groups[:, None], price]
        values: Floats = (now.T + later) / self.reached[states, groups, None]
        return values


def look_ahead(priors: Sequence[Prior], costs: Floats, most: Ints) -> Lookahead:
    """Look ahead under the prior of each group of issues.

    `costs` are those of a sample of each arm, `most` how many of each may be drawn; (arms,).
    """
    points = max(4, min(_POINTS, int(_STATES ** (1 / costs.size))))
    grids = tuple(_grid(int(limit), points) for limit in most)
    shape = tuple(grid.size for grid in grids)
    unsolved = np.stack([_unsolved(prior, grids) for prior in priors], axis=-1)
    gain = np.full((costs.size, *unsolved.shape), -np.inf)
    cost = np.zeros_like(gain)
    for arm, grid in enumerate(grids):
        before = np.moveaxis(unsolved, arm, 0)[:-1]
        after = np.moveaxis(unsolved, arm, 0)[1:]
        steps = np.diff(grid).reshape(-1, *(1,) * (unsolved.ndim - 1))
        np.moveaxis(gain[arm], arm, 0)[:-1] = before - after
        np.moveaxis(cost[arm], arm, 0)[:-1] = costs[arm] * _draws(before, after, steps)
    flat = (costs.size, -1, len(priors))
    prices = np.geomspace(_LEAST_RATE / costs.max(), 1 / costs.min(), _PRICES)
    gain, cost = gain.reshape(flat), cost.reshape(flat)
    return Lookahead(
        grids=grids,
        prices=prices,
        reached=unsolved.reshape(flat[1:]),
        gain=gain,
        cost=cost,
        value=_backwards(gain, cost, prices, shape),
    )


def _grid(most: int, points: int) -> Ints:
    """Return numbers from 0 to `most`, one by one at first and in even steps of the log later."""
    spread = np.geomspace(1, max(most, 1), points).round().astype(np.int64)
    return np.unique(np.concatenate([[0], spread]).clip(max=most))


def _unsolved(prior: Prior, grids: Sequence[Ints]) -> Floats:
    """Chance that so many samples of each arm all fail, at every point of the grids."""
    together, alone = prior.ranks, np.ones(())
    for grid, rates, own in zip(grids, prior.rates, prior.own, strict=True):
        fail = np.exp(np.outer(grid, np.log1p(-rates)))
        together = together[..., None, :] * fail
        by_number = np.exp(np.outer(grid, np.log1p(-RATES))) @ own
        alone = np.multiply.outer(alone, by_number)
    chance: Floats = prior.shared * together.sum(axis=-1) + (1 - prior.shared) * alone
    return chance


def _draws(before: Floats, after: Floats, steps: Ints) -> Floats:
    """Samples that are expected until a solve, at most `steps`, between two chances of failing."""
    falls = np.maximum(np.log(before / after), _LEAST_FALL)
    # Of an exponential between the two; nearly the first where it hardly falls.
    mean = np.minimum(np.maximum((before - after) / falls, after), before)
    draws: Floats = np.where(steps == 1, before, steps * mean + (before - after) / 2)
    return draws


def _backwards(gain: Floats, cost: Floats, prices: Floats, shape: tuple[int, ...]) -> Floats:
    value = np.zeros((*gain.shape[1:], prices.size))
    last = gain.shape[1] - 1
    for states in _from_the_end(shape):
        for arm, stride in enumerate(_strides(shape)):
            after = value[np.minimum(states + stride, last)]
            now = gain[arm, states, :, None] - cost[arm, states, :, None] * prices
            value[states] = np.maximum(value[states], now + after)
    return value


@functools.lru_cache(maxsize=32)
def _from_the_end(shape: tuple[int, ...]) -> tuple[Ints, ...]:
    """States in groups, each of which leads only to those before it."""
    depth = np.indices(shape).reshape(len(shape), -1).sum(axis=0)
    order = np.argsort(-depth, kind="stable")
    return tuple(np.split(order, np.flatnonzero(np.diff(depth[order])) + 1))


@functools.lru_cache(maxsize=32)
def _strides(shape: tuple[int, ...]) -> Ints:
    """How far the state of one more of each arm lies behind."""
    return np.array([int(np.prod(shape[arm + 1 :])) for arm in range(len(shape))])
