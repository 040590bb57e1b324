"""Every figure of a report, in the order of its page."""

from __future__ import annotations

from ksolve.figures.cost import frontier, solve_cost
from ksolve.figures.coverage import coverage
from ksolve.figures.figure import Figure
from ksolve.figures.samples import heat, outcomes, selection
from ksolve.findings import Findings


def figures(of: Findings) -> list[Figure]:
    """Return every figure that the findings carry, in the order of the page."""
    drawn = (coverage, solve_cost, frontier, selection, heat, outcomes)
    return [one(of) for one in drawn] if of.solvers else []
