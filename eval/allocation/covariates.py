"""What is known of an issue before it is sampled, and how the prior follows from it.

A covariate goes with an issue's place in the order of difficulty: both, as normal scores, have a
correlation rho (a Gaussian copula), so the rates over all issues stay as they are. Rho is averaged
over by how well it explains the counts, small ones being likelier beforehand, so that a covariate
that says nothing moves little.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from eval.allocation.prior import NEVER, Counts, Prior, explained
from eval.table import Floats, Ints
from tasks.task import Task

_FILE = re.compile(r"\w[\w./\\-]*\.[A-Za-z]{1,5}\b")
_RHOS = np.linspace(-0.8, 0.8, 17)
# The standard deviation of rho beforehand: few things say much of how hard an issue is.
_USUAL_RHO = 0.3
_BINS = 6
_GROUPS = 16


class Groups(NamedTuple):
    """Issues that the covariates do not tell apart."""

    # (issues,): the group of each.
    of: Ints
    # (groups, covariates): normal scores.
    scores: Floats


def shown(names: Sequence[str], tasks: Iterable[Task]) -> Floats:
    """Return what issues show beforehand, length and files that they name; (issues, 2).

    They are in the order of `names`; NaN of those that are not among `tasks`.
    """
    of = {task.id: task.issue.statement for task in tasks}
    columns = [
        (len(of[name]), len(set(_FILE.findall(of[name])))) if name in of else (np.nan, np.nan)
        for name in names
    ]
    return np.array(columns, dtype=np.float64).reshape(-1, 2)


def groups_of(covariates: Floats) -> Groups:
    """Group issues by their covariates, (issues, covariates): up to six parts of one by rank.

    One that is not known, NaN, counts as a middling one.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    places = rankdata(covariates, axis=0, nan_policy="omit")
    known = np.maximum((~np.isnan(covariates)).sum(axis=0), 1)
    share = np.where(np.isnan(covariates), 0.5, (places - 0.5) / known)
    parts = max(1, min(_BINS, int(_GROUPS ** (1 / max(covariates.shape[1], 1)))))
    bins = np.minimum((share * parts).astype(np.int64), parts - 1)
    scores = ndtri(share)
    for column, part in zip(scores.T, bins.T, strict=True):
        sums = np.bincount(part, column, minlength=parts)
        column[:] = (sums / np.maximum(np.bincount(part, minlength=parts), 1))[part]
    if not covariates.shape[1]:
        return Groups(np.zeros(len(covariates), dtype=np.int64), np.zeros((1, 0)))
    _, first, of = np.unique(bins, axis=0, return_index=True, return_inverse=True)
    return Groups(of.reshape(-1), scores[first])


def by_group(prior: Prior, counts: Counts, groups: Groups) -> tuple[Prior, ...]:
    """Return the prior of each group; `counts` are of the issues that are grouped."""
    if not groups.scores.shape[1]:
        return (prior,)
    # (candidates, groups): what moves a group under one of the covariates and one rho.
    shift = np.concatenate([np.multiply.outer(_RHOS, one) for one in groups.scores.T])
    rho = np.tile(_RHOS, groups.scores.shape[1])
    ranks = _moved(prior.ranks, shift, rho)
    owns = [_moved(own, shift, rho) for own in prior.own]
    seen = counts.n.any(axis=1)
    of = groups.of[seen]
    of_ranks, of_rates = explained(prior, counts.n[seen], counts.c[seen])
    together = np.einsum("ir,kir->ki", of_ranks, ranks[:, of])
    alone = np.ones_like(together)
    for chance, own in zip(of_rates, owns, strict=True):
        alone *= np.einsum("ir,kir->ki", chance, own[:, of])
    mixed = prior.shared * together + (1 - prior.shared) * alone
    logs = np.log(mixed + NEVER).sum(axis=1) - (rho / _USUAL_RHO) ** 2 / 2
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    kept = [np.tensordot(weight, own, axes=1) for own in owns]
    return tuple(
        dataclasses.replace(prior, ranks=of_group, own=np.stack([own[at] for own in kept]))
        for at, of_group in enumerate(np.tensordot(weight, ranks, axes=1))
    )


def _moved(weights: Floats, shift: Floats, rho: Floats) -> Floats:
    """Weights of ordered rates where the score is known; (candidates, groups, rates)."""
    from scipy.special import ndtr, ndtri

    ends = ndtri(np.cumsum(weights)[:-1].clip(0.0, 1.0))
    below = ndtr((ends - shift[..., None]) / np.sqrt(1 - rho**2)[:, None, None])
    moved: Floats = np.diff(below, prepend=0.0, append=1.0, axis=2)
    return moved
