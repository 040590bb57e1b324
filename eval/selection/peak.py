"""Whether a method chooses better out of fewer samples than out of all that were drawn.

The k of the best of many shares looks better than it is, since it was looked for. So all k are
tested at once: where more samples made no difference, each issue's differences might as well have
the other sign, whatever k they are at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.coverage import common_depth
from eval.intervals import SAME, TAIL
from eval.paired import flips_at_once
from eval.selection.candidates import Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """The k at which a method chooses best, where that is before the last one beyond chance."""

    k: int
    share: float
    last: int
    share_at_last: float
    """Both 0 to 1, over the issues that have as many samples as `last`."""
    issues: int
    p_value: float
    """One-sided, corrected for all k that were looked at."""


def peak(chance: Floats, ks: Sequence[int], *, seed: int = 0) -> Peak | None:
    """Return where a curve is highest; None where that is its end, or may be by chance.

    `chance` is (issues, len(ks)), NaN where an issue has fewer than k samples. The test is
    `eval.paired.flips_at_once`, over all k.
    """
    depths = np.where(np.isnan(chance), 0, np.asarray(ks)).max(axis=1, initial=0)
    depth = common_depth(depths)
    values = chance[depths >= depth][:, np.asarray(ks) <= depth]
    shares = values.mean(axis=0) if values.size else np.zeros(0)
    if not shares.size or shares.max() < shares[-1] + SAME:
        return None
    # The first of equals.
    best = int((shares > shares.max() - SAME).argmax())
    p_value = float(flips_at_once(values - values[:, -1:], above=True, seed=seed)[best])
    # As often as the truth lies below a 95% interval.
    if p_value >= TAIL:
        return None
    return Peak(
        k=int(ks[best]),
        share=float(shares[best]),
        last=int(ks[len(shares) - 1]),
        share_at_last=float(shares[-1]),
        issues=len(values),
        p_value=p_value,
    )
