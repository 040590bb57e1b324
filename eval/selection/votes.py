"""Methods that need neither a model nor a container: any, the first, the most frequent.

Pure functions from `Candidates` to scores. A vote says what a model does most often, which is not
what is right; where every candidate is alone, it says nothing.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from eval.selection.behaviour import NONE
from eval.selection.candidates import Candidates, Floats, Pure


def any_patch(candidates: Candidates) -> Floats:
    """Score all alike: what is left of chance when empty answers are never taken."""
    return np.zeros(len(candidates.candidates))


def first_sample(candidates: Candidates) -> Floats:
    """Prefer the lowest index: what one sample would have given, had it held a patch."""
    return -np.array([one.index for one in candidates.candidates], dtype=np.float64)


def majority(candidates: Candidates) -> Floats:
    """Count the candidates that do the same; those that do nothing have no vote."""
    return candidates.spread(sizes(candidates))


def weighted(candidates: Candidates, scores: Floats) -> Floats:
    """Sum the scores of the candidates that do the same: a vote in which some count more.

    The weighted majority of "Self-Consistency" (Wang et al. 2022, arXiv 2203.11171).
    """
    by_group: dict[int, float] = {}
    for group, score in zip(candidates.behaviour.tolist(), scores.tolist(), strict=True):
        if group != NONE and np.isfinite(score):
            by_group[group] = by_group.get(group, 0.0) + score
    return candidates.spread(by_group)


def sizes(candidates: Candidates) -> dict[int, float]:
    """Return how many candidates are in each group, `NONE` left out."""
    counts = Counter(candidates.behaviour.tolist())
    return {group: float(count) for group, count in sorted(counts.items()) if group != NONE}


ANY = Pure("any", any_patch)
FIRST = Pure("first", first_sample)
MAJORITY = Pure("majority", majority)
PURE = (ANY, FIRST, MAJORITY)
"""All of them."""
