"""What one patch solves that is chosen out of k samples, as text: at the k of the coverage table.

It shows what `eval.selection.evaluate` found and computes nothing but percentages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eval.cost import percent
from eval.coverage import Coverage
from eval.selection.evaluate import Result
from ksolve.chosen import Worth, method_name
from ksolve.findings import Findings
from ksolve.grid import NAME_WIDTHS, Cell, Grid

PLAIN = frozenset({"any", "first"})
"""Methods to which it makes no difference what the samples are: text leaves them to the page."""


def worths_of(of: Findings) -> list[Worth]:
    """Return what is told at several k: where depth did not follow what was solved, and of now."""
    adaptive = any(solver.run.summary.adaptive for solver in of.solvers)
    alone = [
        next((one for one in solver.choices if not one.as_of), None)
        for solver in of.solvers
        if not solver.run.summary.adaptive
    ]
    mixed = [] if adaptive else [one for one in of.together_chosen if not one.as_of]
    return [one for one in (*alone, *mixed) if one and len(one.evaluation.oracle_at_k) > 1]


def grid(worths: Sequence[Worth], every: Sequence[Sequence[int]], width: int | None = None) -> Grid:
    """Return a table at the first of some choices of k that fits so many columns of a terminal."""
    grids = [_grid(worths, ks) for ks in every]
    fitting = (one for names in NAME_WIDTHS for one in grids if width and one.fits(width, names))
    return next(fitting, grids[0] if width is None else grids[-1])


def peaks(worths: Sequence[Worth]) -> Iterator[str]:
    """Say where choosing out of fewer samples solves more than out of all, beyond chance."""
    for one in worths:
        for result in one.evaluation.results:
            if (found := result.peak) is not None and _is_told(result):
                best = percent(found.share, found.issues)
                last = percent(found.share_at_last, found.issues)
                yield (
                    f"{one.label}, {method_name(result)}: best out of k={found.k:,} samples "
                    f"({best}), and falls to {last} at k={found.last:,}."
                )


def _grid(worths: Sequence[Worth], ks: Sequence[int]) -> Grid:
    rows: list[list[Cell]] = []
    for one in worths:
        told = [result for result in one.evaluation.results if _is_told(result)]
        rows += [[one.label, method_name(result), *_cells(result.at_k, ks)] for result in told]
        if told:
            rows.append([one.label, "oracle", *_cells(one.evaluation.oracle_at_k, ks)])
    return Grid(
        caption="Issues solved by one patch that is chosen out of k samples: at k = 1 it is a "
        "sample at random, and the oracle is pass@k.",
        headers=["chosen", "how", *(f"of\n{k}" for k in ks)],
        rows=rows,
        words=2,
    )


def _is_told(result: Result) -> bool:
    return bool(result.at_k) and result.method not in PLAIN


def _cells(points: Sequence[Coverage], ks: Sequence[int]) -> list[str]:
    by_k = {point.k: _cell(point) for point in points}
    return [by_k.get(k, "") for k in ks]


def _cell(point: Coverage) -> str:
    if point.coverage is None:
        return "-"
    return percent(point.coverage, point.issues) + "*" * bool(point.excluded)
