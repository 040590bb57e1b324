"""Plain text tables with aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textfold.errors import TextfoldError

GAP = "  "

_ALIGN = {"l": str.ljust, "r": str.rjust, "c": str.center}


def column_widths(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column: that of its longest cell, header included."""
    widths = [len(header) for header in headers]
    for row in rows:
        for index, cell in enumerate(row):
            widths[index] = max(widths[index], len(cell))
    return widths


def format_line(cells: Sequence[str], widths: Sequence[int], align: str) -> str:
    """One line of the table, without trailing spaces."""
    padded = [
        _ALIGN[letter](cell, width) for cell, width, letter in zip(cells, widths, align)
    ]
    return GAP.join(padded).rstrip()


def format_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    align: str | None = None,
) -> str:
    """A table with a rule under its headers.

    `align` has one letter for each column: `l`, `r` or `c`; left when not given.
    """
    align = align or "l" * len(headers)
    if len(align) != len(headers) or set(align) - set(_ALIGN):
        raise TextfoldError(f"align {align!r} does not fit {len(headers)} columns")
    texts = [[str(cell) for cell in row] for row in rows]
    for number, row in enumerate(texts, start=1):
        if len(row) != len(headers):
            raise TextfoldError(f"row {number} has {len(row)} cells, not {len(headers)}")
    widths = column_widths(headers, texts)
    lines = [format_line(headers, widths, align)]
    lines.append(GAP.join("-" * width for width in widths))
    lines.extend(format_line(row, widths, align) for row in texts)
    return "\n".join(lines)
