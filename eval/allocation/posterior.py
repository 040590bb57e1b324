"""How likely one more sample is the first to solve an issue, and what that is worth.

All of it follows from one function, the chance that all of a number of samples fail. It is exact
for the prior that it is given; that this prior is right, nobody promises.
"""

from __future__ import annotations

import numpy as np

from eval.allocation.prior import RATES, Prior, distinct
from eval.table import Floats, Ints

WORTH = 0.05
"""Money is kept when all of it would be expected to solve no more issues than this."""

_FREE = 1e-12
# A cost in place of none, so that what is free goes first and by its gain.


def all_fail(prior: Prior, tried: Ints) -> Floats:
    """Chance that `tried` samples of an issue, (issues, arms), all fail; (issues,).

    With the share s of issues that are equally hard for all arms it is
    s E[prod_a (1 - r_a)^t_a | rank by rank] + (1 - s) prod_a E[(1 - r_a)^t_a].
    """
    together = np.exp(tried @ np.log1p(-prior.rates)) @ prior.ranks
    by_number = np.exp(np.outer(np.arange(tried.max(initial=0) + 1), np.log1p(-RATES)))
    alone = np.ones(len(tried))
    for own, times in zip(prior.own, tried.T, strict=True):
        alone *= (by_number @ own)[times]
    chance: Floats = prior.shared * together + (1 - prior.shared) * alone
    return chance


def gains(prior: Prior, failed: Ints, pending: Ints) -> Floats:
    """Chance that one more sample of each arm is the first that solves an issue; (issues, arms).

    `failed` and `pending`, of the same shape, count for each unsolved issue the samples that
    failed and those whose verdict is still to come. What is pending may solve the issue first,
    and that counts for nothing here: with Z for `all_fail`, f failed, t failed and pending, it is
    (Z(t) - Z(t + 1)) / Z(f).
    """
    if not len(failed):
        return np.zeros(failed.shape)
    first, kind = distinct(*failed.T, *pending.T)
    failed, tried = failed[first], (failed + pending)[first]
    one_more = [tried + one for one in np.eye(tried.shape[1], dtype=np.int64)]
    now, *after = all_fail(prior, np.concatenate([tried, *one_more])).reshape(-1, first.size)
    before = all_fail(prior, failed) if pending.any() else now
    new: Floats = (now - np.stack(after)) / before
    return new.T[kind]


def expected_costs(spent: Floats, squares: Floats, samples: Ints, guess: Floats) -> Floats:
    """Cost of the next sample of each arm for each issue, from what the samples so far cost.

    `spent`, `squares` (the sum of the squares of the costs) and `samples` have the shape (issues,
    arms), as has the result: the mean of the arm, and of the issue's own samples as much as issues
    differ by more than their samples do (James and Stein 1961). An arm without samples costs what
    `guess`, (arms,), says, in proportion to the other arms' guesses and means.
    """
    drawn = samples.sum(axis=0)
    paid, known = spent.sum(axis=0), drawn > 0
    guess = np.maximum(guess, _FREE)
    scale = paid.sum() / (guess * drawn).sum() if paid.any() else 1.0
    mean = np.maximum(np.where(known, paid / np.maximum(drawn, 1), guess * scale), _FREE)
    own = spent / np.maximum(samples, 1)
    within = ((squares - spent * own) / mean**2).sum() / max(int((samples - 1).clip(0).sum()), 1)
    off = (samples * (own / mean - 1) ** 2).sum() - (samples > 0).sum() * within
    between = max(float(off), 0.0) / max(int(drawn.sum()), 1)
    trusted = samples * between / np.maximum(samples * between + within, _FREE)
    if not (samples > 1).any():
        # How much the samples of one issue differ is not known yet.
        trusted = np.zeros_like(spent)
    costs: Floats = np.maximum(mean + trusted * (own - mean), _FREE)
    return costs
