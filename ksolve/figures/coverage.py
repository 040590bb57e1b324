"""How much is solved: coverage against k, the law that it seems to follow, and what that says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from eval.cost import percent
from eval.coverage import Coverage
from eval.scaling import REACH, Scaling
from ksolve.figures.charts import Point, Series, coverage_chart
from ksolve.figures.figure import INTERVAL, Figure
from ksolve.figures.measured import points_of
from ksolve.findings import TARGETS, Findings, Solver
from ksolve.pages.tables import Cell, Table, between, heads, number, share
from ksolve.sentences import laws, samples_for

FIT_POINTS = 48
"""Places of a fitted curve."""


def coverage(of: Findings) -> Figure:
    """Coverage against k."""
    series = [
        Series(
            name=solver.label,
            points=points_of(solver.arm.pass_at_k, partial(_told, solver.label)),
            fit=_fitted(solver),
        )
        for solver in of.solvers
    ]
    title = "Coverage: issues that at least one of k samples solves"
    drawn = coverage_chart(series, title=title) if any(one.points for one in series) else None
    return Figure(
        name="coverage",
        caption=f"{title}. Bands: {INTERVAL}. A hollow mark stands on fewer issues. Dashed: the "
        "law with a ceiling; dotted: the same beyond what was drawn.",
        drawn=drawn,
        table=Table(
            caption=f"Coverage (pass@k) with its {INTERVAL}",
            head=heads(of.names.kind, "k", "coverage", "issues", "left out"),
            rows=[
                [
                    Cell(text=solver.label),
                    number(point.k),
                    share(point.coverage, point.low, point.high, issues=point.issues),
                    number(point.issues),
                    number(point.excluded),
                ]
                for solver in of.solvers
                for point in solver.arm.pass_at_k
            ],
        ),
        notes=[*_unfinished(of.solvers), *laws(of, of.solvers)],
    )


def together(of: Findings) -> Table | None:
    """What all solvers solve together, by the samples that they draw of an issue in all."""
    if of.together is None:
        return None
    arms = sum(not solver.run.summary.adaptive for solver in of.solvers)
    ways = [
        *(("any of them, k each", point, arms * point.k) for point in of.together.union),
        *(("round robin, k in all", point, point.k) for point in of.together.round_robin),
    ]
    return Table(
        caption=f"Coverage of all {arms} together, on the issues that all of them have verdicts "
        f"of; in small the {INTERVAL}",
        head=heads("drawn", "k", "samples an issue", "coverage", "issues"),
        rows=[
            [
                Cell(text=way),
                number(point.k),
                number(samples),
                share(point.coverage, point.low, point.high, issues=point.issues),
                number(point.issues),
            ]
            for way, point, samples in ways
        ],
    )


def needed(of: Findings) -> Table:
    """How many samples an issue a coverage takes."""
    return Table(
        caption="Samples of each issue for a coverage, measured or (law) beyond what was drawn; "
        f"in small the {INTERVAL}",
        head=heads(of.names.kind, *(f"{target:.0%}" for target in TARGETS)),
        rows=[
            [Cell(text=solver.label), *(_needed(solver.scaling, target) for target in TARGETS)]
            for solver in of.solvers
        ],
    )


def _told(label: str, point: Coverage) -> str:
    reach = between(point.low, point.high, point.issues)
    return (
        f"{label}: {percent(point.coverage or 0.0, point.issues)} at k={point.k}"
        f"{reach and f' ({reach})'}, {point.issues} issues"
    )


def _unfinished(solvers: Sequence[Solver]) -> Iterator[str]:
    for solver in solvers:
        short = [point for point in solver.arm.pass_at_k if point.excluded]
        if short:
            yield (
                f"{solver.label}: from k={short[0].k} on, fewer than the {solver.arm.issues:,} "
                "issues have as many verdicts; the others are left out there."
            )


def _fitted(solver: Solver) -> list[Point]:
    """Return the law from k = 1 as far as it is believed, closely spaced."""
    depth = solver.scaling.depth
    if solver.scaling.cannot_say or not depth:
        return []
    ks = np.unique(np.geomspace(1, REACH * depth, FIT_POINTS).round().astype(int))
    found = [solver.scaling.predict(k) for k in [*ks.tolist(), depth]]
    points = [
        Point(x=one.k, y=one.coverage, low=one.low, high=one.high)
        for one in found
        if one.coverage is not None
    ]
    return sorted(points, key=lambda point: point.x)


def _needed(found: Scaling, target: float) -> Cell:
    k, reach = samples_for(found, target)
    return Cell(text=reach) if k is None else Cell(text=f"{k:,}", value=k, small=reach)
