"""Tables as text: laid out for a terminal, narrow ones too, and as Markdown.

A table holds what is said and decides nothing about it; names are broken where room is short, and
numbers never.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from rich.table import Table
from rich.text import Text

Cell: TypeAlias = str | tuple[str, str]
"""What is said; of two texts the second is its interval, or what is said more quietly."""

GAP = 2
"""Spaces between columns."""

NAME_WIDTHS = (40, 24, 17, 11, 8)
"""Widths that names are broken to, the first that lets the table fit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """A table, with the sentence that says what it holds."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    words: int = 1
    # So many columns are names, from the left; the others are numbers.
    beside: bool = False
    # An interval stands beside its value where there is room, else under it.

    def fits(self, width: int, names: int = NAME_WIDTHS[-1]) -> bool:
        """Whether it needs no more columns of a terminal, with names broken to `names`."""
        lines = [self.headers, *map(_stacked, _broken(self, names).rows)]
        widths = [
            max(len(line) for cell in column for line in cell.split("\n"))
            for column in zip(*lines, strict=True)
        ]
        return sum(widths) + GAP * (len(widths) - 1) <= width


def spread(ks: Sequence[int], count: int | None) -> list[int]:
    """Choose so many of `ks`, the first and the last among them; None: all."""
    if count is None or len(ks) <= count:
        return list(ks)
    return [ks[round(i * (len(ks) - 1) / (count - 1))] for i in range(count)]


def terminal_table(grid: Grid, width: int) -> Table:
    """Lay a table out for so many columns of a terminal."""
    if grid.beside:
        flat = replace(grid, rows=[_flat(row) for row in grid.rows])
        grid = flat if flat.fits(width) else grid
    names = next((one for one in NAME_WIDTHS if grid.fits(width, one)), NAME_WIDTHS[-1])
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for place, header in enumerate(grid.headers):
        is_name = place < grid.words
        table.add_column(
            header,
            style="bold" if not place else None,
            justify="left" if is_name else "right",
            vertical="top",
            no_wrap=not is_name,
        )
    for row in _named_once(_broken(grid, names)):
        table.add_row(*map(Text, _stacked(row)))
    return table


def markdown_table(grid: Grid) -> str:
    """Return a table as GitHub-flavoured Markdown, intervals in brackets."""
    words = ["---"] * grid.words + ["---:"] * (len(grid.headers) - grid.words)
    flat = [
        [cell.replace("\n", " ").replace("|", "\\|") for cell in line]
        for line in (grid.headers, words, *map(_flat, grid.rows))
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in flat)


def _flat(row: Sequence[Cell]) -> list[str]:
    return [cell if isinstance(cell, str) else f"{cell[0]} ({cell[1]})" for cell in row]


def _stacked(row: Sequence[Cell]) -> list[str]:
    return [cell if isinstance(cell, str) else "\n".join(cell) for cell in row]


def _broken(grid: Grid, width: int) -> Grid:
    """Break names at their spaces and hyphens; rich would break them anywhere."""
    rows = [
        [
            textwrap.fill(cell, width) if place < grid.words and isinstance(cell, str) else cell
            for place, cell in enumerate(row)
        ]
        for row in grid.rows
    ]
    return replace(grid, rows=rows)


def _named_once(grid: Grid) -> list[Sequence[Cell]]:
    """Leave a name out that stands in the row above."""
    names = [None, *(row[0] for row in grid.rows)]
    return [
        ["", *row[1:]] if row[0] == above else row
        for above, row in zip(names, grid.rows, strict=False)
    ]
