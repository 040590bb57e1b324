"""The issues of a run one by one: who solved which, and a few of the samples to look at.

A page holds a few samples of every solver on an issue, and of their patches the beginnings: so
many that a run of thousands of issues is still a page that opens. What is left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.table import NO_PATCH, PENDING, SampleTable
from eval.verdict import OUTCOMES
from ksolve.figures.charts import level_of

SAMPLES_SHOWN, CHARACTERS_SHOWN = 2_400, 1_200_000
"""Samples and characters of patches on one page, about."""

MOST_SAMPLES, MOST_CHARACTERS = 16, 6_000
"""Samples of one solver on one issue, and characters of one patch, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One sample."""

    index: int
    outcome: str
    # One of `OUTCOMES`, or "pending".
    input_tokens: int
    output_tokens: int
    seconds: float
    # From its first request to its patch.
    cost: float | None
    patch: str
    # Its beginning.
    lines: int
    lines_left: int
    # Of the patch, and of them those that are not shown.


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What one solver did about one issue."""

    solver: int
    resolved: int
    judged: int
    drawn: int
    samples: Sequence[Listed]
    # Resolved ones first, some of them.

    @property
    def share(self) -> float | None:
        """Of its verdicts, how many are `resolved`; None where there is no verdict."""
        return self.resolved / self.judged if self.judged else None

    @property
    def level(self) -> str:
        """The shade of the share."""
        return "none" if self.share is None else str(level_of(self.share))


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueRow:
    """One issue and every solver's cell, None where the issue is not part of the solver's run."""

    name: str
    is_flaky: bool
    cells: Sequence[Cell | None]

    @property
    def share(self) -> float:
        """Mean share over the solvers, which issues are ordered by."""
        known = [cell.share for cell in self.cells if cell is not None and cell.share is not None]
        return sum(known) / len(known) if known else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One solver's samples, and how to read their patches."""

    table: SampleTable
    arm: int
    patch: Callable[[str, int], str]
    # Of a task and index.


def issue_rows(solvers: Sequence[Drawn], flaky: Sequence[str] | set[str]) -> list[IssueRow]:
    """Return every issue of the solvers' runs, the most often resolved ones first."""
    names = list(dict.fromkeys(name for one in solvers for name in one.table.tasks))
    pairs = max(sum(len(one.table.tasks) for one in solvers), 1)
    most = min(max(SAMPLES_SHOWN // pairs, 1), MOST_SAMPLES)
    characters = min(CHARACTERS_SHOWN // (pairs * most), MOST_CHARACTERS)
    columns = [_cells(one, i, most, characters) for i, one in enumerate(solvers)]
    rows = [
        IssueRow(name=name, is_flaky=name in flaky, cells=[cells.get(name) for cells in columns])
        for name in names
    ]
    return sorted(rows, key=lambda row: (-row.share, row.name))


def _cells(solver: Drawn, number: int, most: int, characters: int) -> dict[str, Cell]:
    table = solver.table
    mine = np.flatnonzero(table.arm == solver.arm)
    # By issue; within one, resolved samples first, those that are pending last.
    rank = np.where(table.resolved[mine], 0, np.where(table.outcome[mine] == PENDING, 2, 1))
    mine = mine[np.lexsort([table.index[mine], rank, table.task[mine]])]
    judged, resolved = table.counts(solver.arm)
    starts = np.searchsorted(table.task[mine], np.arange(len(table.tasks) + 1))
    cells = {}
    for task, name in enumerate(table.tasks):
        chosen = _some(mine[starts[task] : starts[task + 1]], table, most)
        cells[name] = Cell(
            solver=number,
            resolved=int(resolved[task]),
            judged=int(judged[task]),
            drawn=int(starts[task + 1] - starts[task]),
            samples=[_listed(solver, name, int(row), characters) for row in chosen],
        )
    return cells


def _some(
    rows: np.ndarray[tuple[int], np.dtype[np.int64]], table: SampleTable, most: int
) -> list[int]:
    """Choose at most so many, half of them resolved ones where there are more of both."""
    if rows.size <= most:
        return rows.tolist()
    resolved = int(table.resolved[rows].sum())
    first = min(resolved, max((most + 1) // 2, most - (rows.size - resolved)))
    return [*rows[:first].tolist(), *rows[resolved : resolved + most - first].tolist()]


def _listed(solver: Drawn, name: str, row: int, characters: int) -> Listed:
    table = solver.table
    outcome = int(table.outcome[row])
    index = int(table.index[row])
    patch = "" if table.patch[row] == NO_PATCH else solver.patch(name, index)
    shown = patch[:characters].rsplit("\n", 1)[0] if len(patch) > characters else patch
    cost = float(table.cost[row])
    return Listed(
        index=index,
        outcome="pending" if outcome == PENDING else OUTCOMES[outcome],
        input_tokens=int(table.input_tokens[row]),
        output_tokens=int(table.output_tokens[row]),
        seconds=float(table.seconds[row]),
        cost=None if np.isnan(cost) else cost,
        patch=shown,
        lines=patch.count("\n"),
        lines_left=patch.count("\n") - shown.count("\n"),
    )
