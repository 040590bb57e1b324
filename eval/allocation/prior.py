"""What the counts of a run say about the solve rates of its issues, before one looks at an issue.

A rate is the chance that one sample of an arm (a model under a strategy) resolves an issue. The
rates of an arm are taken for a Beta distribution with a mass at zero, the hopeless. Nothing is
said of why an issue is hard, and samples of an issue are taken for independent.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.table import Floats, Ints

_EDGES = 1 / (1 + np.exp(-np.arange(-9.0, 5.0, 1 / 3)))
RATES: Floats = np.concatenate([[0.0], 1 / (1 + np.exp(1 / 6 - np.arange(-9.0, 5.1, 1 / 3)))])
"""The rates that are told apart: zero, and then even steps of their logit from 0.0001 to 0.99."""

_MEANS = (0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.15, 0.22, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85)
_SIZES = (0.3, 1.0, 2.2, 4.5, 10.0, 40.0)
# The sum of both parameters of the Beta: small where issues differ much.
_HOPELESS: Floats = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
_ENOUGH = 32
# Verdicts, up to which only the better part of what may explain them counts.
_SHARES = np.linspace(0.0, 1.0, 11)
_NEVER = 1e-300
# In place of a likelihood that is too small for a float.


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """The distribution of an issue's rates, one for each arm."""

    own: Floats
    # (arms, rates): the weight of each of `RATES`.
    rates: Floats
    # (arms, ranks): the rates of issues that stand equally high in the order of every arm.
    ranks: Floats
    # (ranks,): the weight of each.
    shared: float
    # The share of issues that are equally hard for all arms; of the others an arm's rate says
    # nothing about another arm's.


def fit(n: Ints, c: Ints) -> Prior:
    """Fit the prior to what is known of all issues.

    `n` and `c` have the shape (issues, arms): verdicts, and resolved among them. An arm of few
    verdicts is taken for as good as it may well be, so that bad luck does not end its use: of all
    that may explain them, only the better (n + 2) / 32 counts. It does no harm that issues are
    left once they are solved: how likely the counts are does not depend on why no more was drawn.
    """
    own = np.stack([_weights(n[:, arm], c[:, arm]) for arm in range(n.shape[1])])
    ranks, rates = _in_step(own)
    return Prior(own=own, rates=rates, ranks=ranks, shared=_shared(n, c, own, ranks, rates))


def likelihoods(n: Ints, c: Ints, rates: Floats) -> Floats:
    """Chance of c resolved among n, up to a factor an issue: (issues,) and (rates,) to both."""
    from scipy.special import xlog1py, xlogy

    logs = xlogy(c[:, None], rates) + xlog1py((n - c)[:, None], -rates)
    scaled: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    return scaled


def distinct(*columns: Ints) -> tuple[Ints, Ints]:
    """Return the position of one of each kind of row, and for every row its kind."""
    codes = np.zeros(columns[0].shape, dtype=np.int64)
    for column in columns:
        codes = codes * (int(column.max(initial=0)) + 1) + column
    _, first, kind = np.unique(codes, return_index=True, return_inverse=True)
    return first, kind


def _weights(n: Ints, c: Ints) -> Floats:
    """Average the candidates by how well each explains the counts of one arm."""
    betas, best_first = _candidates()
    first, kind = distinct(n, c)
    chance = likelihoods(n[first], c[first], RATES)
    evidence = np.multiply.outer(chance[:, 0], _HOPELESS)[:, None]
    evidence = evidence + np.multiply.outer(chance[:, 1:] @ betas.T, 1 - _HOPELESS)
    times = np.bincount(kind, minlength=first.size)
    logs = np.tensordot(times, np.log(evidence + _NEVER), axes=1)
    chances = np.exp(logs - logs.max()).ravel()[best_first]
    upto = np.cumsum(chances) / chances.sum()
    trusted = min(1.0, (int(n.sum()) + 2) / _ENOUGH)
    parts = np.zeros(logs.size)
    parts[best_first] = np.diff(np.minimum(upto, trusted), prepend=0.0) / trusted
    kept = parts.reshape(logs.shape)
    hopeless = float((kept @ _HOPELESS).sum())
    return np.concatenate([[hopeless], kept @ (1 - _HOPELESS) @ betas])


@functools.cache
def _candidates() -> tuple[Floats, Ints]:
    """Every Beta as weights of `RATES` but for zero, and the order of candidates by mean rate.

    A candidate is one of the Betas with one of the masses at zero; all are as likely beforehand.
    """
    from scipy.special import betainc

    means, sizes = (column.ravel() for column in np.meshgrid(_MEANS, _SIZES, indexing="ij"))
    a, b = means * sizes, (1 - means) * sizes
    below = betainc(a[:, None], b[:, None], _EDGES)
    betas = np.diff(below, prepend=0.0, append=1.0, axis=1)
    return betas, np.argsort(-np.multiply.outer(means, 1 - _HOPELESS).ravel(), kind="stable")


def _in_step(own: Floats) -> tuple[Floats, Floats]:
    """Pair the arms' rates rank by rank: the issue that is hardest for one is so for all."""
    below = np.cumsum(own, axis=1)
    ends = np.unique(np.concatenate([below[:, :-1].ravel(), [1.0]]).clip(0.0, 1.0))
    ranks = np.diff(ends, prepend=0.0)
    middles = ends - ranks / 2
    at = [np.searchsorted(arm[:-1], middles) for arm in below]
    return ranks, RATES[np.stack(at)]


def _shared(n: Ints, c: Ints, own: Floats, ranks: Floats, rates: Floats) -> float:
    """Share of issues that are equally hard for all arms, averaged by how well it explains."""
    arms: Sequence[int] = range(len(own))
    first, kind = distinct(*n.T, *c.T)
    n, c, times = n[first], c[first], np.bincount(kind, minlength=first.size)
    # A factor of an issue and arm is common to both, so that it does not matter.
    alone = np.ones(first.size)
    in_step = np.tile(ranks, (first.size, 1))
    for arm in arms:
        of_rates = likelihoods(n[:, arm], c[:, arm], RATES)
        alone *= of_rates @ own[arm]
        in_step *= of_rates[:, np.searchsorted(RATES, rates[arm])]
    together = in_step.sum(axis=1)
    mixed = _SHARES[:, None] * together + (1 - _SHARES[:, None]) * alone
    logs = np.log(mixed + _NEVER) @ times
    chances = np.exp(logs - logs.max())
    return float(chances @ _SHARES / chances.sum())
