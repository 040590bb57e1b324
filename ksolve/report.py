"""Findings for people, as text: terminal and Markdown.

It shows what the findings hold and computes nothing but percentages. What is unknown is called
unknown, what is pending or failed is said beside the rates that it is not part of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from eval.axes import UNITS, written
from eval.cost import percent
from eval.cost_at_k import AtK
from eval.coverage import Coverage
from eval.summary import Arm, Steady
from ksolve import each, of_k, pairs, sentences
from ksolve.findings import Findings
from ksolve.grid import NAME_WIDTHS, Cell, Grid, markdown_table, spread, terminal_table
from ksolve.headline import headline
from ksolve.sentences import counted

COLUMNS = (5, 4, 3)
"""Values of k that a terminal shows beside each other, the first number that fits."""

ROWS = 3
"""Values of k of each solver whose cost a terminal shows."""

OUTCOME_HEADERS = {"not_applied": "not\napplied", "no_patch": "no\npatch"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A table and what is said below it; either may be missing."""

    grid: Grid | None = None
    notes: Sequence[str] = ()
    is_main: bool = False
    # What a reader looks for first.


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terminal:
    """The report, laid out for the width that it is printed at."""

    of: Findings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        for place, part in enumerate(_parts(self.of, width)):
            if part.grid is not None:
                caption = part.grid.caption
                if place or caption:
                    yield Text("\n" * bool(place and caption) + caption + "\n" * bool(caption))
                yield terminal_table(part.grid, width)
            if part.notes:
                style = "bold" if part.is_main else ""
                yield Text("\n" + "\n".join(part.notes), style=style)


def terminal(of: Findings) -> RenderableType:
    """Return what `rich` prints: readable from 80 columns on, with or without colour."""
    return _Terminal(of=of)


def markdown(of: Findings) -> str:
    """Return the report as GitHub-flavoured Markdown, every k of the ladder in it."""
    texts: list[str] = []
    for part in _parts(of, None):
        if part.grid is not None:
            texts += [part.grid.caption, markdown_table(part.grid)]
        if part.is_main:
            texts += [f"**{note}**" for note in part.notes]
        else:
            texts.append("\n".join(f"- {note}" for note in part.notes))
    return "\n\n".join(filter(None, texts)) + "\n"


def _parts(of: Findings, width: int | None) -> Iterator[_Part]:
    """Give all that is told, for a terminal so wide or, without `width`, at full length."""
    yield _Part(notes=list(headline(of)), is_main=True)
    yield _Part(grid=_fitted(of, width))
    if of.summary.flaky:
        yield _Part(grid=_without_flaky(of, _ks(of, COLUMNS[-1] if width else None)))
    if sentences.suspicious(of):
        yield _Part(grid=_without_suspicious(of, _ks(of, COLUMNS[-1] if width else None)))
    yield _Part(grid=_outcomes(of))
    told = (
        (_costs(of, width), ()),
        (each.spent(of), _notes(of)),
        (each.needed(of), each.never(of)),
        (each.laws(of), each.no_laws(of)),
        (each.choosing(of), each.not_chosen(of)),
        _chosen_of_k(of, width),
        (each.frontier(of), _no_frontier(of)),
    )
    for grid, notes in told:
        yield from _part(grid, notes)
    if len(of.equal_costs) > 1:
        yield from _part(pairs.ways(of), pairs.untold(of))
        yield from _part(pairs.as_much(of), ())
    yield from _part(pairs.differences(of), pairs.against_whom(of))


def _chosen_of_k(of: Findings, width: int | None) -> tuple[Grid, Iterator[str]]:
    worths = of_k.worths_of(of)
    every = [_ks(of)] if width is None else [_ks(of, columns) for columns in COLUMNS]
    return of_k.grid(worths, every, width), of_k.peaks(worths)


def _part(grid: Grid, notes: Iterator[str] | Sequence[str]) -> Iterator[_Part]:
    found = list(notes)
    if grid.rows or found:
        yield _Part(grid=grid if grid.rows else None, notes=found)


def _heading(of: Findings) -> str:
    whose = f" by {of.names.shared}" if of.names.shared else ""
    pending = any(one.arm.pending_samples or one.arm.pending_verdicts for one in of.solvers)
    said = (
        f"Coverage (pass@k) of {counted(of.summary.issues, 'issue')}{whose}, {_asked(of)} each "
        f"asked for{'' if pending else ', none pending'}; 95% intervals over issues."
    )
    more = [sentences.left_out(of), sentences.not_believed(of), of.axis_why]
    return " ".join(filter(None, [said, *more]))


def _asked(of: Findings) -> str:
    """Say how many samples of an issue the solvers were to draw."""
    numbers = [number for run in of.runs for number in run.config["samples"]]
    least, most = min(numbers), max(numbers)
    return counted(most, "sample") if least == most else f"{least:,} to {most:,} samples"


def _fitted(of: Findings, width: int | None) -> Grid:
    """Show as many k as leave the names whole, or three of them beside broken ones."""
    if width is None:
        return _results(of, _ks(of))
    grids = [_results(of, _ks(of, columns)) for columns in COLUMNS]
    fitting = (grid for names in NAME_WIDTHS for grid in grids if grid.fits(width, names))
    return next(fitting, grids[-1])


def _results(of: Findings, ks: Sequence[int]) -> Grid:
    pending = [one.arm.pending_samples + one.arm.pending_verdicts for one in of.solvers]
    return Grid(
        caption=_heading(of),
        headers=[
            of.names.kind,
            *(f"pass\n@{k}" for k in ks),
            "solved",
            *(["pending"] if any(pending) else ()),
            "cost",
            "cost per\nsolve",
            "tokens in\n(cached)\n/ out",
        ],
        rows=[
            [
                solver.label,
                *_coverages(arm.pass_at_k, ks),
                f"{arm.solved}/{arm.issues}",
                *([f"{waiting:,}"] if any(pending) else ()),
                written(total, of.axis) if arm.samples else "-",
                "-"
                if total is not None and not arm.solved
                else written(solver.spent.per_solve(of.axis), of.axis),
                _tokens(arm),
            ]
            for solver, waiting in zip(of.solvers, pending, strict=True)
            for arm, total in [(solver.arm, solver.spent.totals[of.axis])]
        ],
    )


def _without_flaky(of: Findings, ks: Sequence[int]) -> Grid:
    steady = [solver.arm.without_flaky for solver in of.solvers]
    return _again(of, ks, steady, f"The same without {sentences.flaky(of.summary.flaky)}:")


def _without_suspicious(of: Findings, ks: Sequence[int]) -> Grid:
    strict = [solver.arm.without_suspicious for solver in of.solvers]
    caption = f"{sentences.suspicious(of)}. The same with these as unresolved:"
    return _again(of, ks, strict, caption)


def _again(of: Findings, ks: Sequence[int], solved: Sequence[Steady | None], caption: str) -> Grid:
    return Grid(
        caption=caption,
        headers=[of.names.kind, *(f"pass\n@{k}" for k in ks), "solved"],
        rows=[
            [
                solver.label,
                *_coverages(steady.pass_at_k, ks),
                f"{steady.solved}/{steady.issues}",
            ]
            for solver, steady in zip(of.solvers, solved, strict=True)
            if steady is not None
        ],
    )


def _outcomes(of: Findings) -> Grid:
    outcomes = list(of.solvers[0].arm.outcomes) if of.solvers else []
    headers = [OUTCOME_HEADERS.get(outcome, outcome) for outcome in outcomes]
    return Grid(
        headers=["samples", *headers, "distinct\npatches"],
        rows=[
            [
                solver.label,
                *(f"{solver.arm.outcomes[outcome]:,}" for outcome in outcomes),
                f"{solver.arm.distinct_patches:,}",
            ]
            for solver in of.solvers
        ],
    )


def _costs(of: Findings, width: int | None) -> Grid:
    """Return a row for each solver and k of what the samples cost, where that is known.

    A terminal has some k of each solver, its first and its last among them, and no intervals.
    """

    def per_solve(at: AtK) -> Cell:
        if not at.coverage:
            return "-"
        text = written(at.per_solve, of.axis)
        if at.low is None or width is not None:
            return text
        high = "or more" if at.high is None else f"to {written(at.high, of.axis)}"
        return text, f"{written(at.low, of.axis)} {high}"

    return Grid(
        caption=f"Expected cost ({UNITS[of.axis]}) of drawing all k samples of an issue, and of "
        "drawing until its first solve; verification in seconds beside it.",
        headers=[
            "cost",
            "k",
            "all k:\nan issue",
            "all k:\na solve",
            "until\nsolved:\nan issue",
            "until\nsolved:\na solve",
            "verifying\nan issue",
        ],
        rows=[
            [
                solver.label,
                f"{every.k:,}",
                written(every.per_issue, of.axis),
                per_solve(every),
                written(until.per_issue, of.axis),
                per_solve(until),
                "unknown" if every.verify_seconds is None else f"{every.verify_seconds:,.1f} s",
            ]
            for solver in of.solvers
            for shown in [spread([at.k for at in solver.costs], ROWS if width else None)]
            for every, until in zip(solver.costs, solver.until_solved, strict=True)
            if every.k in shown and every.per_issue is not None
        ],
    )


ADAPTIVE = (
    "Samples went where a solve was likely (--allocate adaptive): solved issues have few and "
    "unsolved ones many, so pass@k, and pending samples, say little of this run; solved and cost "
    "say what it bought."
)


def _notes(of: Findings) -> Iterator[str]:
    if of.summary.adaptive:
        yield ADAPTIVE
    yield from each.prices(of)
    for solver in of.solvers:
        arm = solver.arm
        if arm.pending_samples or arm.pending_verdicts:
            yield (
                f"{solver.label}: {counted(arm.pending_samples, 'sample')} and "
                f"{counted(arm.pending_verdicts, 'verdict')} pending, in no rate."
            )
        short = [point for point in arm.pass_at_k if point.excluded]
        if short:
            stands = ", ".join(f"pass@{point.k} on {point.issues}" for point in short)
            yield (
                f"{solver.label}, marked * or -: {stands} of {arm.issues} issues; the others have "
                "fewer verdicts."
            )
    yield from of.unread
    yield from sentences.estimated(of)
    yield from sentences.billed(of)
    for name, count in of.summary.failures.items():
        if count:
            yield f"{name}: {counted(count, 'failure')} of the system, in no rate."


def _no_frontier(of: Findings) -> Iterator[str]:
    yield from each.no_frontier(of)
    if of.frontier is not None or of.summary.adaptive:
        yield from sentences.not_on_frontier(of)


def _tokens(arm: Arm) -> str:
    used = arm.usage
    cached = f" ({used.cached_tokens / used.input_tokens:.0%})" if used.input_tokens else ""
    return f"{_count(used.input_tokens)}{cached}\n/ {_count(used.output_tokens)}"


def _count(tokens: int) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if tokens >= 10 * size:
            return f"{tokens / size:.0f}{unit}"
        if tokens >= size:
            return f"{tokens / size:.1f}{unit}"
    return str(tokens)


def _ks(of: Findings, columns: int | None = None) -> list[int]:
    """Return so many k of all that are told, or each."""
    ks = {point.k for solver in of.solvers for point in solver.arm.pass_at_k}
    return spread(sorted(ks), columns)


def _coverages(points: Sequence[Coverage], ks: Sequence[int]) -> list[Cell]:
    """Return a cell for each k; empty where an arm was not to go so deep."""
    by_k = {point.k: _coverage(point) for point in points}
    return [by_k.get(k, "") for k in ks]


def _coverage(point: Coverage) -> Cell:
    if point.coverage is None:
        return "-"
    share = percent(point.coverage, point.issues) + "*" * bool(point.excluded)
    if point.low is None or point.high is None:
        return share
    return share, f"{100 * point.low:.0f}-{100 * point.high:.0f}"
