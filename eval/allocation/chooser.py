"""Which solver each issue should be sampled with next, and where that buys the most.

Two rules together. The solver of an issue is the first of the best order of samples from here to
the end of the money, looked ahead under the prior. Among issues the one goes first whose next
sample is likeliest to solve it for its cost. Without a limit of money there is no end to look ahead
to, and both follow that second rule.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eval.allocation.covariates import by_group, groups_of
from eval.allocation.lookahead import MOST_ARMS, Lookahead, look_ahead
from eval.allocation.posterior import gains
from eval.allocation.prior import Counts, Prior, fit
from eval.table import Bools, Floats, Ints

REFIT = 1.3
"""All is thought over again when there are this many times the verdicts of the last time."""


HOPE = 0.5
"""Of all that may be true of a solver, beside others, the better part that counts."""


class Choice(NamedTuple):
    """What is best for each of some issues."""

    # (issues,): the arm to sample it with.
    arm: Ints
    # (issues,): solves for a unit of cost; below zero where nothing is left to draw.
    rate: Floats
    # Of every arm and issue that may be drawn, with or without money for it.
    greatest: float


class Chooser:
    """The prior as it is known by now, and what follows from it."""

    def __init__(
        self, covariates: Floats, *, most: Ints, budgeted: bool, former: Counts | None = None
    ) -> None:
        """`covariates` of the issues: (issues, any number); `most` draws of each arm: (arms,).

        `former` are counts of other issues by the same arms.
        """
        self._groups = groups_of(covariates)
        self._most = most
        self._looks = budgeted and most.size <= MOST_ARMS
        self._former = former
        self._fitted = -1
        self._priors: tuple[Prior, ...] = ()
        self._ahead: Lookahead | None = None

    def learn(self, counts: Counts, costs: Floats) -> None:
        """Fit to what is known, if it is much more than before; `costs` of each arm: (arms,)."""
        judged = int(counts.n.sum())
        if self._fitted >= 0 and judged < max(self._fitted, 1) * REFIT:
            return
        self._fitted = judged
        prior = fit(*counts.and_those(self._former), HOPE if costs.size > 1 else 1.0)
        self._priors = by_group(prior, counts, self._groups)
        if self._looks:
            self._ahead = look_ahead(self._priors, costs, self._most)

    def choose(
        self,
        issues: Ints,
        failed: Ints,
        pending: Ints,
        *,
        costs: Floats,
        is_open: Bools,
        left: float = math.inf,
        reluctance: Floats | float = 1.0,
    ) -> Choice:
        """Choose for these issues, none of them solved.

        Arrays have the shape (issues, arms): samples that failed, those without a verdict yet,
        the cost of the next one, and whether it may be drawn. `left` is the money for all.
        `reluctance`, (arms,), is how many times better than another an arm must be.
        """
        group = self._groups.of[issues]
        index = np.zeros(failed.shape)
        for at, prior in enumerate(self._priors):
            of = np.flatnonzero(group == at)
            index[of] = gains(prior, failed[of], pending[of])
        index /= costs
        greatest = float(np.where(is_open, index, -1.0).max())
        index /= reluctance
        fits = is_open & (costs <= left)
        is_open = fits if fits.any() else is_open
        index[~is_open] = -1.0
        arm = index.argmax(axis=1)
        if self._ahead is not None and math.isfinite(left):
            states = self._ahead.states(failed + pending)
            price = self._ahead.price(states, group, left)
            values = self._ahead.values(states, group, price)
            values -= (np.asarray(reluctance) - 1) * costs * self._ahead.prices[price]
            values[~is_open] = -np.inf
            # Where the plan is to stop, what is drawn in spite of it should buy most by itself.
            arm = np.where(values.max(axis=1) > 0, values.argmax(axis=1), arm)
        return Choice(arm, index[np.arange(arm.size), arm], greatest)
