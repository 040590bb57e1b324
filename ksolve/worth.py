"""What choosing is worth as text: for a terminal, and as Markdown.

It shows what `eval.selection.evaluate` found and computes nothing but percentages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from eval.cost import money, percent
from eval.selection.evaluate import Result, Share
from ksolve.chosen import Worth, method_name
from ksolve.grid import Grid, markdown_table

_HEADERS = ("method", "solved", "of the gap", "cost", "requests", "runs", "seconds")
_Join = Callable[[str, str], str]

WIDE = 96
"""Columns of a terminal from which an interval stands beside its share, not under it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terminal:
    """Tables, laid out for the width that they are printed at."""

    worths: Sequence[Worth]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        join = "{} ({})" if options.max_width >= WIDE else "{}\n{}"
        for one in self.worths:
            yield Text(f"\n{heading(one)}\n")
            yield plain_table(_HEADERS, list(_rows(one, join.format)))


def terminal(worths: Sequence[Worth]) -> RenderableType:
    """Return what `rich` prints, a table for each."""
    return _Terminal(worths=worths)


def markdown(worths: Sequence[Worth]) -> str:
    """Return the same as GitHub-flavoured Markdown; "" of nothing."""
    parts = [
        part
        for one in worths
        for part in (
            heading(one),
            markdown_table(Grid(headers=_HEADERS, rows=list(_rows(one, "{} ({})".format)))),
        )
    ]
    return "".join(f"{part}\n\n" for part in parts)


def heading(worth: Worth) -> str:
    """Say what was chosen among."""
    of, as_of = worth.evaluation, f" {worth.as_of}" if worth.as_of else ""
    issues = f"{of.issues:,} issue{'' if of.issues == 1 else 's'}"
    samples = f"{of.candidates:,} sample{'' if of.candidates == 1 else 's'}"
    return (
        f"{worth.label}{as_of}: one patch for each of {issues} out of {samples}, chosen without "
        "the oracle; 95% intervals over issues."
    )


def plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> Table:
    """Lay out rows of which the first `words` cells are text and the others numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for place, header in enumerate(headers):
        table.add_column(
            header,
            style="bold" if not place else None,
            justify="left" if place < words else "right",
            no_wrap=place > 0,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _rows(worth: Worth, join: _Join) -> Iterator[tuple[str, ...]]:
    of = worth.evaluation
    nothing = ("-",) * 5
    yield "random choice", _share(of.random, of.issues, join), *nothing
    for result in of.results:
        yield (
            method_name(result, names={}),
            _share(result.solved, of.issues, join),
            "-" if result.recovered is None else _share(result.recovered, 0, join),
            *_used(result),
        )
    yield "oracle", _share(of.oracle, of.issues, join), *nothing


def _used(result: Result) -> tuple[str, ...]:
    effort = result.effort
    return (
        money(effort.cost),
        f"{effort.usage.calls:,}",
        f"{effort.runs:,}",
        f"{effort.seconds:,.1f}",
    )


def _share(share: Share, issues: int, join: _Join) -> str:
    said = percent(share.share, issues)
    if share.low is None or share.high is None:
        return said
    low, high = (round(100 * end) for end in (share.low, share.high))
    return join(said, f"{low}-{high}" if low >= 0 else f"{low} to {high}")
