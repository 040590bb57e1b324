"""Points of a measured curve of coverage, for every chart that shows one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eval.coverage import Coverage
from ksolve.figures.charts import Point


def points_of(measured: Sequence[Coverage], told: Callable[[Coverage], str]) -> list[Point]:
    """Points at each k that is known, hollow where fewer issues carry it; `told` names each."""
    return [
        Point(
            x=point.k,
            y=point.coverage,
            low=point.low,
            high=point.high,
            told=told(point),
            hollow=bool(point.excluded),
        )
        for point in measured
        if point.coverage is not None
    ]
