"""Every figure of a report, in the order of its page."""

from __future__ import annotations

from dataclasses import replace

from ksolve.figures.axes import slim
from ksolve.figures.cost import frontier, solve_cost
from ksolve.figures.coverage import coverage
from ksolve.figures.figure import Figure
from ksolve.figures.of_k import chosen_of_k
from ksolve.figures.samples import heat, outcomes, selection
from ksolve.findings import Findings


def figures(of: Findings) -> list[Figure]:
    """Return every figure that the findings carry, in the order of the page."""
    drawn = (coverage, solve_cost, frontier, selection, chosen_of_k, heat, outcomes)
    if not of.solvers:
        return []
    with slim():
        for_phones = [one(of).drawn for one in drawn]
    both = zip((one(of) for one in drawn), for_phones, strict=True)
    return [replace(figure, slim=narrow) for figure, narrow in both]
