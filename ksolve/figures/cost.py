"""What the solves cost: a solve against k, and the coverage that money buys."""

from __future__ import annotations

from collections.abc import Iterator

from eval.attempts import AtK
from eval.cost import money
from eval.coverage import ladder
from ksolve.figures.charts import Point, Series, money_chart, solve_cost_chart
from ksolve.figures.figure import INTERVAL, Figure
from ksolve.findings import Findings, Solver
from ksolve.pages.tables import Cell, Table, dollars, heads, number, share

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
                    told=f"{solver.label}: {money(at.per_solve)} a solve at k={at.k}",
                    hollow=bool(at.excluded),
                )
                for at in solver.costs
                if at.per_solve
            ],
        )
        for solver in of.solvers
    ]
    title = "Cost per solve, when all k samples of an issue are drawn"
    return Figure(
        name="cost-per-solve",
        caption=f"{title}. Bands: {INTERVAL}.",
        drawn=solve_cost_chart(series, title=title) if any(one.points for one in series) else None,
        table=Table(
            caption=f"Expected cost at k samples an issue; in small the {INTERVAL}",
            head=heads(
                "model", "k", "a sample", "an issue", "a solve", "verification an issue", "issues"
            ),
            rows=[[Cell(text=solver.label), *_cost_cells(at)] for solver, at in _at_k(of)],
        ),
        notes=[
            f"The price of {solver.label} is unknown, and so is what its solves cost."
            for solver in of.solvers
            if solver.arm.samples and solver.arm.cost is None
        ],
    )


def frontier(of: Findings) -> Figure:
    """Coverage against money, and which of it is worth its money."""
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
                    f"for {money(option.cost)} an issue",
                    hollow=not option.on_frontier,
                )
                for option in known
                if option.arm == solver.label and option.cost and option.k in marked[solver.label]
            ],
        )
        for solver in of.solvers
    ]
    stairs = sorted((one.cost or 0.0, one.coverage) for one in known if one.on_frontier)
    title = "Coverage that a dollar buys, and the frontier"
    issues = of.frontier.issues if of.frontier else 0
    return Figure(
        name="frontier",
        caption=f"{title}: no other model and k covers as much for less than a full mark; a hollow "
        f"one is dominated. On the {issues:,} issues that all of them have verdicts of.",
        drawn=money_chart(series, stairs, title=title) if known else None,
        table=Table(
            caption="Models and k by cost and coverage. Stability: the share of resampled issues "
            "on which it is on the frontier",
            head=heads("model", "k", "cost an issue", "coverage", "on the frontier", "stability"),
            rows=[
                [
                    Cell(text=option.arm),
                    number(option.k),
                    dollars(option.cost),
                    share(option.coverage, issues=issues),
                    Cell(text={True: "yes", False: "no", None: "unknown"}[option.on_frontier]),
                    number(option.stability, ".0%"),
                ]
                for option in options
            ],
        ),
        notes=list(_left_out(of)),
    )


def _left_out(of: Findings) -> Iterator[str]:
    """Say who is not on the frontier's plane, and why."""
    for solver in of.solvers:
        if solver.run.summary.adaptive:
            why = "what was drawn followed what was solved"
        elif solver.arm.cost is None:
            why = "its price is unknown"
        elif solver.arm.cost == 0 and solver.arm.samples:
            why = "it is free, and the axis is logarithmic"
        else:
            continue
        yield f"{solver.label} is not drawn: {why}."


def _at_k(of: Findings) -> Iterator[tuple[Solver, AtK]]:
    return ((solver, at) for solver in of.solvers for at in solver.costs)


def _cost_cells(at: AtK) -> list[Cell]:
    return [
        number(at.k),
        dollars(at.per_attempt),
        dollars(at.per_issue),
        dollars(at.per_solve, at.low, at.high),
        number(at.verify_seconds, ",.1f", unit=" s"),
        number(at.issues),
    ]
