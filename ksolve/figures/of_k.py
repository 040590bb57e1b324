"""What one patch solves that is chosen out of k samples, against k."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eval.cost import percent
from eval.coverage import Coverage, ladder
from ksolve.chosen import Worth, method_name
from ksolve.figures.axes import STYLES
from ksolve.figures.charts import Point, Series, coverage_chart
from ksolve.figures.figure import INTERVAL, Figure
from ksolve.figures.measured import points_of
from ksolve.findings import Findings
from ksolve.of_k import PLAIN, peaks, worths_of
from ksolve.pages.tables import Cell, Table, heads, number, share

TITLE = "One patch chosen out of k samples, without the oracle"


def chosen_of_k(of: Findings) -> Figure:
    """What choosing solves at each k, between a sample at random and knowing the answer."""
    worths = worths_of(of)
    series = [one for worth in worths for one in _series(worth)]
    edges = [one for worth in worths for one in _edges(worth)]
    # Of more than there are marks for, the methods alone.
    shown = [*series, *edges] if len(series) + len(edges) <= STYLES else series
    return Figure(
        name="selection-at-k",
        caption=f"{TITLE}: what is expected of all choices of k from the samples that were drawn. "
        f"The oracle is pass@k; random is pass@1. Bands: {INTERVAL}. A hollow mark "
        "stands on fewer issues.",
        drawn=coverage_chart(shown, title=TITLE, name="selection-at-k") if series else None,
        table=Table(
            caption=f"Issues solved by the patch that is chosen out of k; in small the {INTERVAL}",
            head=heads(of.names.kind, "method", "k", "solved", "issues", words=("method",)),
            rows=[
                [
                    Cell(text=worth.label),
                    Cell(text=method),
                    number(point.k),
                    share(point.coverage, point.low, point.high, issues=point.issues),
                    number(point.issues),
                ]
                for worth in worths
                for method, points in _curves(worth)
                for point in points
            ],
        ),
        notes=[*peaks(worths)],
    )


def _curves(worth: Worth) -> Iterator[tuple[str, list[Coverage]]]:
    """Yield each method that is told of, and the oracle, at the k that are shown."""
    of = worth.evaluation
    marks = {*ladder(of.oracle_at_k[-1].k), *(one.peak.k for one in of.results if one.peak)}
    for name, points in (
        *((method_name(one), one.at_k) for one in of.results if one.at_k),
        ("oracle", of.oracle_at_k),
    ):
        yield name, [point for point in points if point.k in marks]


def _series(worth: Worth) -> Iterator[Series]:
    plain = {method_name(one) for one in worth.evaluation.results if one.method in PLAIN}
    for name, points in _curves(worth):
        if name not in {*plain, "oracle"}:
            yield _curve(f"{worth.label}: {name}", points)


def _edges(worth: Worth) -> Iterator[Series]:
    *_, (_, oracle) = _curves(worth)
    yield _curve(f"{worth.label}: oracle", oracle)
    random = worth.evaluation.random.share
    name = f"{worth.label}: random"
    told = f"{name}: {percent(random, worth.evaluation.issues)}"
    ends = (oracle[0].k, oracle[-1].k)
    yield Series(name=name, points=[Point(x=k, y=random, told=told) for k in ends])


def _curve(name: str, points: Sequence[Coverage]) -> Series:
    def told(point: Coverage) -> str:
        return f"{name}: {percent(point.coverage or 0.0, point.issues)} at k={point.k}"

    return Series(name=name, points=points_of(points, told))
