"""What the counts of a run say about the solve rates of its issues, before one looks at an issue.

A rate is the chance that one sample of an arm (a model under a strategy) resolves an issue. The
rates of an arm are taken for a Beta distribution with a mass at zero, the hopeless. Nothing is
said of why an issue is hard, and samples of an issue are taken for independent.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eval.table import Floats, Ints

_EDGES = 1 / (1 + np.exp(-np.arange(-9.0, 5.0, 1 / 3)))
RATES: Floats = np.concatenate([[0.0], 1 / (1 + np.exp(1 / 6 - np.arange(-9.0, 5.1, 1 / 3)))])
"""The rates that are told apart: zero, and then even steps of their logit from 0.0001 to 0.99."""

_MEANS = (0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.15, 0.22, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85)
# The sum of both parameters of the Beta: small where issues differ much.
_SIZES = (0.3, 1.0, 2.2, 4.5, 10.0, 40.0)
_HOPELESS: Floats = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
_SHARES = np.linspace(0.0, 1.0, 11)

NEVER = 1e-300
"""In place of a likelihood that is too small for a float."""


class Counts(NamedTuple):
    """Verdicts, and resolved among them, of some issues by each arm; both (issues, arms)."""

    n: Ints
    c: Ints

    def and_those(self, more: Counts | None) -> Counts:
        """Return the counts of these issues, and then of more."""
        if more is None:
            return self
        return Counts(*(np.concatenate(both) for both in zip(self, more, strict=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """The distribution of an issue's rates, one for each arm."""

    # (arms, rates): the weight of each of `RATES`.
    own: Floats
    # (arms, ranks): the rates of issues that stand equally high in the order of every arm.
    rates: Floats
    # (ranks,): the weight of each.
    ranks: Floats
    # The share of issues that are equally hard for all arms; of the others an arm's rate says
    # nothing about another arm's.
    shared: float


def fit(n: Ints, c: Ints, trusted: float = 1.0) -> Prior:
    """Fit the prior to what is known of all issues.

    `n` and `c` have the shape (issues, arms): verdicts, and resolved among them. It does no harm
    that issues are left once they are solved: how likely the counts are does not depend on why no
    more was drawn. Of all that may explain the counts of an arm, only the better part `trusted`
    counts: what may be good and is hardly known is worth a try.
    """
    own = np.stack([_weights(*of, trusted) for of in zip(n.T, c.T, strict=True)])
    ranks, rates = _in_step(own)
    prior = Prior(own=own, rates=rates, ranks=ranks, shared=0.0)
    return dataclasses.replace(prior, shared=_shared(n, c, prior))


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


def _weights(n: Ints, c: Ints, trusted: float) -> Floats:
    """Average the better candidates by how well each explains the counts of one arm."""
    betas, best_first = _candidates()
    first, kind = distinct(n, c)
    chance = likelihoods(n[first], c[first], RATES)
    evidence = np.multiply.outer(chance[:, 0], _HOPELESS)[:, None]
    evidence = evidence + np.multiply.outer(chance[:, 1:] @ betas.T, 1 - _HOPELESS)
    times = np.bincount(kind, minlength=first.size)
    logs = np.tensordot(times, np.log(evidence + NEVER), axes=1)
    chances = np.exp(logs - logs.max()).ravel()[best_first]
    upto = np.cumsum(chances) / chances.sum()
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


def explained(prior: Prior, n: Ints, c: Ints) -> tuple[Floats, list[Floats]]:
    """Chance of the counts of each issue, at every rank and at every rate of each arm.

    (issues, ranks) and, for each arm, (issues, rates); all up to one factor for each issue.
    """
    together = np.ones((len(n), prior.ranks.size))
    alone = []
    for arm, rates in enumerate(prior.rates):
        alone.append(likelihoods(n[:, arm], c[:, arm], RATES))
        together *= alone[-1][:, np.searchsorted(RATES, rates)]
    return together, alone


def _shared(n: Ints, c: Ints, prior: Prior) -> float:
    """Share of issues that are equally hard for all arms, averaged by how well it explains."""
    first, kind = distinct(*n.T, *c.T)
    of_ranks, of_rates = explained(prior, n[first], c[first])
    together, alone = of_ranks @ prior.ranks, np.ones(first.size)
    for chance, own in zip(of_rates, prior.own, strict=True):
        alone *= chance @ own
    mixed = _SHARES[:, None] * together + (1 - _SHARES[:, None]) * alone
    logs = np.log(mixed + NEVER) @ np.bincount(kind, minlength=first.size)
    chances = np.exp(logs - logs.max())
    return float(chances @ _SHARES / chances.sum())
