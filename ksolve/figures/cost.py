"""What the solves cost, on the axis of the report: a solve against k, and coverage against cost."""

from __future__ import annotations

from collections.abc import Iterator

from eval.axes import UNITS, Axis, written
from eval.cost_at_k import AtK
from eval.coverage import ladder
from ksolve.figures.charts import Point, Series, frontier_chart, solve_cost_chart
from ksolve.figures.figure import INTERVAL, Figure
from ksolve.findings import Findings
from ksolve.pages.tables import Cell, Table, cost, heads, number, share
from ksolve.sentences import not_on_frontier

MARKS = 16
"""Values of k that are each marked on the frontier; of more, the powers of two and the last."""


def solve_cost(of: Findings) -> Figure:
    """Cost of a solve against k."""
    series = [
        Series(
            name=solver.label,
            points=[
                Point(
                    x=at.k,
                    y=at.per_solve,
                    low=at.low,
                    high=at.high,
                    told=f"{solver.label}: {written(at.per_solve, of.axis, has_unit=True)} a solve "
                    f"at k={at.k}",
                    hollow=bool(at.excluded),
                )
                for at in solver.costs
                if at.per_solve
            ],
        )
        for solver in of.solvers
    ]
    title = "Cost per solve, when all k samples of an issue are drawn"
    known = any(one.points for one in series)
    return Figure(
        name="cost-per-solve",
        caption=f"{title}. Bands: {INTERVAL}.",
        drawn=solve_cost_chart(series, title=title, axis=of.axis) if known else None,
        table=Table(
            caption=f"Expected cost ({UNITS[of.axis]}) of drawing all k samples of an issue, and "
            f"of drawing until its first solve; in small the {INTERVAL}",
            head=heads(
                of.names.kind,
                "k",
                "a sample",
                "an issue",
                "a solve",
                "an issue, until solved",
                "a solve, until solved",
                "verification an issue",
                "issues",
            ),
            rows=[
                [Cell(text=solver.label), *_cost_cells(every, until, of.axis)]
                for solver in of.solvers
                for every, until in zip(solver.costs, solver.until_solved, strict=True)
            ],
        ),
        notes=[
            f"{solver.label}: what its solves cost in {UNITS[of.axis]} is unknown."
            for solver in of.solvers
            if solver.arm.samples and solver.spent.totals[of.axis] is None
        ],
    )


def frontier(of: Findings) -> Figure:
    """Coverage against cost, and which of it is worth its cost."""
    options = of.frontier.options if of.frontier else ()
    known = [option for option in options if option.cost]
    depths = {
        one.label: max((k.k for k in known if k.arm == one.label), default=0) for one in of.solvers
    }
    marked = {
        name: range(depth + 1) if depth <= MARKS else ladder(depth)
        for name, depth in depths.items()
    }
    series = [
        Series(
            name=solver.label,
            points=[
                Point(
                    x=option.cost,
                    y=option.coverage,
                    told=f"{solver.label} at k={option.k}: {option.coverage:.1%} "
                    f"for {written(option.cost, of.axis, has_unit=True)} an issue",
                    hollow=not option.on_frontier,
                )
                for option in known
                if option.arm == solver.label and option.cost and option.k in marked[solver.label]
            ],
        )
        for solver in of.solvers
    ]
    stairs = sorted((one.cost or 0.0, one.coverage) for one in known if one.on_frontier)
    title = "Coverage and what an issue costs, and the frontier"
    issues = of.frontier.issues if of.frontier else 0
    return Figure(
        name="frontier",
        caption=f"{title}, when all k samples are drawn: no other model and k covers as much for "
        f"less than a full mark; a hollow one is dominated. On the {issues:,} issues that all of "
        "them have verdicts of.",
        drawn=frontier_chart(series, stairs, title=title, axis=of.axis) if known else None,
        table=Table(
            caption=f"Models and k by cost ({UNITS[of.axis]}) and coverage. Stability: the share "
            "of bootstrap resamples of the issues in which it is on the frontier",
            head=heads(
                of.names.kind, "k", "cost an issue", "coverage", "on the frontier", "stability"
            ),
            rows=[
                [
                    Cell(text=option.arm),
                    number(option.k),
                    cost(option.cost, of.axis),
                    share(option.coverage, issues=issues),
                    Cell(text={True: "yes", False: "no", None: "unknown"}[option.on_frontier]),
                    share(option.stability),
                ]
                for option in options
            ],
        ),
        notes=[*not_on_frontier(of), *_free(of)],
    )


def _free(of: Findings) -> Iterator[str]:
    for solver in of.solvers:
        if solver.arm.samples and solver.spent.totals[of.axis] == 0:
            yield f"{solver.label} is not drawn: it is free, and the axis is logarithmic."


def _cost_cells(every: AtK, until: AtK, axis: Axis) -> list[Cell]:
    return [
        number(every.k),
        cost(every.per_sample, axis),
        cost(every.per_issue, axis),
        cost(every.per_solve, axis, every.low, every.high),
        cost(until.per_issue, axis),
        cost(until.per_solve, axis, until.low, until.high),
        number(every.verify_seconds, ",.1f", unit=" s"),
        number(every.issues),
    ]
