"""What methods of selection are worth, between the random floor and the oracle's ceiling.

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

from eval.resampling import bounds, resampled_means
from eval.selection.candidates import Bools, Effort, Floats, Selection

SCHEMA = 1
"""Of the JSON form; rises when a key changes its meaning or goes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A share of issues, 0 to 1, with its 95% interval."""

    share: float
    low: float | None
    high: float | None
    # None of a single issue.


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one method solved, and what it used for that."""

    method: str
    settings: Mapping[str, Any]
    # Who judges, say; as in `Selection`.
    solved: Share
    recovered: Share | None
    # Of the gap from floor to ceiling; below 0 where the method is worse than chance. None where
    # there is no gap.
    effort: Effort


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """All methods over one pool."""

    issues: int
    candidates: int
    floor: Share
    # Of a candidate taken at random, one without a patch as any other: pass@1.
    ceiling: Share
    # With at least one resolved candidate: what a perfect choice would solve.
    results: tuple[Result, ...]


def evaluate(
    resolved: Sequence[Bools], selections: Sequence[Selection], *, seed: int = 0
) -> Evaluation:
    """Hold choices against verdicts.

    `resolved` has one array an issue with one entry a candidate, in the order of the pool. Raises
    ValueError for an empty pool, and where shapes differ.
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
    means, again = values.mean(0), resampled_means(values, seed=seed)
    floor, ceiling, *solved = (
        _share(mean, column, issues=issues)
        for mean, column in zip(means.tolist(), again.T, strict=True)
    )
    recovered = (
        _recovered(
            column - again[:, 0],
            again[:, 1] - again[:, 0],
            one.share - floor.share,
            ceiling.share - floor.share,
            issues,
        )
        for one, column in zip(solved, again.T[2:], strict=True)
    )
    return Evaluation(
        issues=issues,
        candidates=sum(one.size for one in resolved),
        floor=floor,
        ceiling=ceiling,
        results=tuple(
            Result(
                method=selection.method,
                settings=selection.settings,
                solved=share,
                recovered=part,
                effort=selection.effort,
            )
            for selection, share, part in zip(selections, solved, recovered, strict=True)
        ),
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


def _share(mean: float, resamples: Floats, *, issues: int) -> Share:
    low, high = bounds(resamples).tolist() if issues > 1 else (None, None)
    return Share(share=mean, low=low, high=high)


def _recovered(aboves: Floats, gaps: Floats, above: float, gap: float, issues: int) -> Share | None:
    if gap <= 0:
        return None
    # A resample without a gap says nothing of it.
    ratios = np.divide(aboves, gaps, out=np.full_like(gaps, np.nan), where=gaps > 0)
    return _share(above / gap, ratios, issues=issues)
