"""What methods of selection are worth, between a random choice and the oracle.

Here, and nowhere else, choices and verdicts meet: the choices are made before. Shares are exact
expectations over ties, so nothing is drawn but the resamples of the intervals, which speak of
other issues like these and not of other samples of them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval import intervals
from eval.cost_at_k import finite
from eval.coverage import Coverage, curve_of, pass_at_ks
from eval.selection.at_k import chosen_at_ks, ks_up_to
from eval.selection.candidates import Bools, Effort, Floats, Selection
from eval.selection.peak import Peak, peak

SCHEMA = 1
"""Of the JSON form; rises when a key changes its meaning or goes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A share of issues, 0 to 1, with its 95% interval."""

    share: float
    low: float | None
    high: float | None
    """None of a single issue, and of a quotient that has no bound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one method solved, and what it used for that."""

    method: str
    settings: Mapping[str, Any]
    """Who judges, say; as in `Selection`."""
    solved: Share
    recovered: Share | None
    """Of the gap from a random choice to the oracle; below 0 where the method is worse than
    chance. None where there is no gap."""
    effort: Effort
    at_k: tuple[Coverage, ...] = ()
    """What it solves when only k samples of each issue are drawn, one of which it chooses; empty
    where that cannot be told."""
    peak: Peak | None = None
    """Where it solves most of all k, if that is before the last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """All methods over one pool."""

    issues: int
    candidates: int
    random: Share
    """Of a candidate taken at random, one without a patch as any other: pass@1."""
    oracle: Share
    """With at least one resolved candidate: what a perfect choice would solve."""
    results: tuple[Result, ...]
    oracle_at_k: tuple[Coverage, ...] = ()
    """With at least one resolved of k candidates: pass@k, at the k of every `Result.at_k`."""


def evaluate(
    resolved: Sequence[Bools],
    selections: Sequence[Selection],
    *,
    has_patch: Sequence[Bools] | None = None,
    ks: Sequence[int] = (),
    seed: int = 0,
) -> Evaluation:
    """Hold choices against verdicts.

    `resolved` has one array an issue with one entry a candidate, in the order of the pool, and so
    has `has_patch`; where that is given, it is told what fewer samples are worth, at some k and at
    those of `ks` that an issue has. Raises ValueError for an empty pool, and where shapes differ.
    """
    issues = len(resolved)
    if not issues:
        raise ValueError("There is no issue to choose for.")
    columns = [
        [float(one.mean()) for one in resolved],
        [float(one.any()) for one in resolved],
        *(_expected(resolved, selection) for selection in selections),
    ]
    values = np.array(columns, dtype=np.float64).T
    means, (lows, highs) = values.mean(0), intervals.of_share(values)
    random, oracle, *solved = (
        Share(share=share, low=finite(low), high=finite(high))
        for share, low, high in zip(means.tolist(), lows, highs, strict=True)
    )
    recovered = _recovered(values[:, 2:] - values[:, :1], values[:, 1:2] - values[:, :1])
    n = [one.size for one in resolved]
    told = sorted({*ks_up_to(max(n)), *(k for k in ks if k <= max(n))}) if has_patch else []
    curves = [
        None if has_patch is None else chosen_at_ks(one, resolved, has_patch, told, seed=seed)
        for one in selections
    ]
    return Evaluation(
        issues=issues,
        candidates=sum(one.size for one in resolved),
        random=random,
        oracle=oracle,
        results=tuple(
            Result(
                method=selection.method,
                settings=selection.settings,
                solved=share,
                recovered=part,
                effort=selection.effort,
                at_k=() if curve is None else curve_of(curve, told),
                peak=None if curve is None else peak(curve, told, seed=seed),
            )
            for selection, share, part, curve in zip(
                selections, solved, recovered, curves, strict=True
            )
        ),
        oracle_at_k=curve_of(pass_at_ks(n, [int(one.sum()) for one in resolved], told), told),
    )


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as plain dicts and lists, keyed by the field names; null is unknown."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(evaluation), allow_nan=False))
    return {"schema": SCHEMA, **plain}


def _expected(resolved: Sequence[Bools], selection: Selection) -> list[float]:
    """Return the chance that the choice of each issue is a resolved one."""
    return [
        float(chances @ verdicts)
        for chances, verdicts in zip(selection.chances, resolved, strict=True)
    ]


def _recovered(above: Floats, gap: Floats) -> list[Share | None]:
    """Return the part of the gap, (issues, 1), that each method is above a random choice."""
    if gap.mean() <= 0:
        return [None] * above.shape[1]
    shares = above.mean(0) / gap.mean()
    ends = intervals.of_quotient(above, np.broadcast_to(gap, above.shape))
    return [
        Share(share=float(share), low=finite(low), high=finite(high))
        for share, (low, high) in zip(shares, ends.T, strict=True)
    ]
