"""Findings for people, as text: terminal and Markdown.

It shows what the findings hold and computes nothing but percentages. What is unknown is called
unknown, what is owed or failed is said beside the rates that it is not part of.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from eval.attempts import AtK
from eval.axes import UNITS, written
from eval.cost import money, percent
from eval.coverage import Coverage
from eval.summary import Arm, Summary
from ksolve import sentences
from ksolve.findings import Findings
from ksolve.sentences import counted

WIDE = 96
"""Columns of a terminal from which five values of k are shown; three on a narrower one."""

PAIRS = 6
"""Pairs of solvers of which is told; of more, the page and the JSON form have them all."""

Join: TypeAlias = Callable[[str, str], str]
Cells: TypeAlias = list[str]

OUTCOME_HEADERS = {"not_applied": "not\napplied", "no_patch": "no\npatch"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terminal:
    """The report, laid out for the width that it is printed at."""

    of: Findings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        of, summary = self.of, self.of.summary
        wide = options.max_width >= WIDE
        label_width = 17 if wide else 11
        ks = _spread(_ladder(summary), 5 if wide else 3)
        yield Text(_heading(of) + "\n")
        yield _table(*_results(of, ks, "{}\n{}".format), label_width)
        if summary.flaky:
            yield Text(f"\n{_flaky(summary)}\n")
            yield _table(*_without_flaky(summary, ks, "{}\n{}".format), label_width)
        yield Text()
        yield _table(*_outcomes(summary), label_width)
        headers, rows = _costs(of, ks, _alone)
        if rows:
            yield Text(f"\n{_cost_heading(of)}\n")
            yield _table(headers, _named_once(rows), label_width)
        for notes in filter(None, map("\n".join, (_notes(of), _analysis(of)))):
            yield Text("\n" + notes)
        for sentence in _worth(of):
            yield Text("\n" + sentence, style="bold")
        for sentence in _paired(of):
            yield Text("\n" + sentence)


def terminal(of: Findings) -> RenderableType:
    """Return what `rich` prints: readable from 80 columns on, with or without colour."""
    return _Terminal(of=of)


def markdown(of: Findings) -> str:
    """Return the report as GitHub-flavoured Markdown, every k of the ladder in it."""
    summary = of.summary
    ks = _ladder(summary)
    without_flaky = [
        _flaky(summary),
        markdown_table(*_without_flaky(summary, ks, "{} ({})".format)),
    ]
    headers, rows = _costs(of, ks, "{} ({})".format)
    parts = [
        _heading(of),
        markdown_table(*_results(of, ks, "{} ({})".format)),
        *(without_flaky if summary.flaky else ()),
        markdown_table(*_outcomes(summary)),
        *([_cost_heading(of), markdown_table(headers, rows)] if rows else ()),
        *("\n".join(f"- {one}" for one in notes) for notes in (_notes(of), _analysis(of))),
        *(f"**{sentence}**" for sentence in _worth(of)),
        "\n".join(f"- {sentence}" for sentence in _paired(of)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(of: Findings) -> str:
    said = (
        f"Coverage (pass@k) of {counted(of.summary.issues, 'issue')}, "
        f"{_asked(of)} each asked for; "
        "95% bootstrap intervals over issues."
    )
    return " ".join(filter(None, [said, sentences.left_out(of), of.axis_why]))


def _asked(of: Findings) -> str:
    """Say how many samples of an issue the solvers were to draw."""
    numbers = [number for run in of.runs for number in run.config["samples"]]
    least, most = min(numbers), max(numbers)
    return counted(most, "sample") if least == most else f"{least:,} to {most:,} samples"


def _results(of: Findings, ks: Sequence[int], join: Join) -> tuple[Cells, list[Cells]]:
    headers = [
        "model",
        *(f"pass\n@{k}" for k in ks),
        "solved",
        "owed",
        "cost",
        "cost per\nsolve",
        "tokens in\n(cached)\n/ out",
    ]
    return headers, [
        [
            solver.label,
            *_coverages(arm.pass_at_k, ks, join),
            f"{arm.solved}/{arm.issues}",
            str(arm.owed_samples + arm.owed_verdicts),
            written(total, of.axis) if arm.samples else "-",
            "-"
            if total is not None and not arm.solved
            else written(solver.spent.per_solve(of.axis), of.axis),
            _tokens(arm),
        ]
        for solver in of.solvers
        for arm, total in [(solver.arm, solver.spent.totals[of.axis])]
    ]


def _flaky(summary: Summary) -> str:
    return f"The same without {sentences.flaky(summary.flaky)}:"


def _without_flaky(summary: Summary, ks: Sequence[int], join: Join) -> tuple[Cells, list[Cells]]:
    return ["model", *(f"pass\n@{k}" for k in ks), "solved"], [
        [
            arm.label,
            *_coverages(steady.pass_at_k, ks, join),
            f"{steady.solved}/{steady.issues}",
        ]
        for arm in summary.arms
        if (steady := arm.without_flaky) is not None
    ]


def _outcomes(summary: Summary) -> tuple[Cells, list[Cells]]:
    outcomes = list(summary.arms[0].outcomes) if summary.arms else []
    headers = [OUTCOME_HEADERS.get(outcome, outcome) for outcome in outcomes]
    return ["samples", *headers, "distinct\npatches"], [
        [arm.label, *(f"{arm.outcomes[o]:,}" for o in outcomes), f"{arm.distinct_patches:,}"]
        for arm in summary.arms
    ]


def _cost_heading(of: Findings) -> str:
    unit = UNITS[of.axis]
    return (
        f"Expected cost ({unit}) of drawing all k samples of an issue, and of drawing until its "
        "first solve; verification in seconds beside it."
    )


def _costs(of: Findings, ks: Sequence[int], join: Join) -> tuple[Cells, list[Cells]]:
    """Return a row for each solver and k of what the attempts cost, where that is known."""
    headers = [
        "model",
        "k",
        "all k:\nan issue",
        "all k:\na solve",
        "until\nsolved:\nan issue",
        "until\nsolved:\na solve",
        "verifying\nan issue",
    ]

    def per_solve(at: AtK) -> str:
        text = written(at.per_solve, of.axis)
        if at.low is None:
            return text
        high = "or more" if at.high is None else f"to {written(at.high, of.axis)}"
        return join(text, f"{written(at.low, of.axis)} {high}")

    return headers, [
        [
            solver.label,
            f"{every.k:,}",
            written(every.per_issue, of.axis),
            per_solve(every) if every.coverage else "-",
            written(until.per_issue, of.axis),
            per_solve(until) if until.coverage else "-",
            "unknown" if every.verify_seconds is None else f"{every.verify_seconds:,.1f} s",
        ]
        for solver in of.solvers
        for every, until in zip(solver.costs, solver.until_solved, strict=True)
        if every.k in ks and every.per_issue is not None
    ]


def _named_once(rows: list[Cells]) -> list[Cells]:
    """Leave the names out that stand in the row above."""
    names = [None, *(row[0] for row in rows)]
    return [
        ["" if row[0] == above else row[0], *row[1:]]
        for above, row in zip(names, rows, strict=False)
    ]


ADAPTIVE = (
    "Samples went where a solve was likely (--allocate adaptive): solved issues have few and "
    "unsolved ones many, so pass@k, and owed samples, say little of this run; solved and cost say "
    "what it bought."
)


def _notes(of: Findings) -> Iterator[str]:
    summary = of.summary
    if summary.adaptive:
        yield ADAPTIVE
    for solver, arm in zip(of.solvers, summary.arms, strict=True):
        facts = [f"price {arm.price_note or 'unknown'}"]
        per_attempt = solver.spent.per_attempt(of.axis)
        if per_attempt is not None:
            facts.append(f"{written(per_attempt, of.axis, has_unit=True)} a sample")
        if arm.usage.accelerator_seconds and of.axis != "accelerator_seconds":
            facts.append(f"{arm.usage.accelerator_seconds:,.0f} accelerator seconds")
        if arm.failed_cost:
            part = "of the cost" if of.axis == "money" else "besides"
            facts.append(f"{money(arm.failed_cost)} {part} for failed attempts")
        yield f"{arm.label}: {', '.join(facts)}."
        if arm.owed_samples or arm.owed_verdicts:
            yield (
                f"{arm.label}: {counted(arm.owed_samples, 'sample')} and "
                f"{counted(arm.owed_verdicts, 'verdict')} owed, in no rate."
            )
        short = [point for point in arm.pass_at_k if point.excluded]
        if short:
            stands = ", ".join(f"pass@{point.k} on {point.issues}" for point in short)
            yield (
                f"{arm.label}, marked *: {stands} of {arm.issues} issues; the others have fewer "
                "verdicts."
            )
    yield from of.unread
    yield from sentences.estimated(of)
    for name, count in summary.failures.items():
        if count:
            yield f"{name}: {counted(count, 'failure')} of the system, in no rate."


def _analysis(of: Findings) -> Iterator[str]:
    """Say how coverage goes on, what choosing a patch is worth, and what is worth its cost."""
    for solver in of.solvers:
        # Of one sample of each issue there is nothing to choose from, and nothing that goes on.
        if len(solver.arm.pass_at_k) > 1:
            yield sentences.law(solver)
            if solver.scaling.ks:
                yield sentences.needed(solver)
            if not any(one.is_kept and not one.as_of for one in solver.choices):
                yield sentences.selection(solver)
    if of.frontier is not None:
        yield sentences.frontier(of)
    if of.frontier is not None or of.summary.adaptive:
        yield from sentences.not_on_frontier(of)


def _worth(of: Findings) -> Iterator[str]:
    """Say which of two solvers is the cheaper way, and how often it takes the one to do as well."""
    for crossing, break_even in list(zip(of.crossings, of.break_evens, strict=True))[:PAIRS]:
        yield crossing.sentence
        yield break_even.sentence
    yield from _more(len(of.crossings))


def _paired(of: Findings) -> Iterator[str]:
    for pairs in of.paired.values():
        yield from map(sentences.paired, pairs[:PAIRS])
    yield from _more(max(map(len, of.paired.values()), default=0))


def _more(pairs: int) -> Iterator[str]:
    if pairs > PAIRS:
        yield f"{pairs - PAIRS} more pairs are compared on the page (--html) and in --json."


def _coverage(point: Coverage, join: Join) -> str:
    if point.coverage is None:
        return "-"
    share = percent(point.coverage, point.issues) + "*" * bool(point.excluded)
    if point.low is None or point.high is None:
        return share
    return join(share, f"{100 * point.low:.0f}-{100 * point.high:.0f}")


def _alone(text: str, _: str) -> str:
    """Leave an interval out."""
    return text


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


def _ladder(summary: Summary) -> list[int]:
    return sorted({point.k for arm in summary.arms for point in arm.pass_at_k})


def _coverages(points: Sequence[Coverage], ks: Sequence[int], join: Join) -> list[str]:
    """Return a cell for each k; empty where an arm was not to go so deep."""
    by_k = {point.k: _coverage(point, join) for point in points}
    return [by_k.get(k, "") for k in ks]


def _spread(ks: Sequence[int], columns: int) -> list[int]:
    """Choose that many of `ks`, the first and the last among them."""
    if len(ks) <= columns:
        return list(ks)
    return [ks[round(i * (len(ks) - 1) / (columns - 1))] for i in range(columns)]


def _table(headers: Cells, rows: list[Cells], label_width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(headers[0], style="bold", vertical="top")
    for header in headers[1:]:
        table.add_column(header, justify="right", no_wrap=True)
    for label, *cells in rows:
        # Names break at their hyphens; rich would break them anywhere.
        table.add_row(Text(textwrap.fill(label, label_width)), *map(Text, cells))
    return table


def markdown_table(headers: Cells, rows: list[Cells]) -> str:
    """Return a table whose first column is text and whose others are numbers."""
    lines = [headers, ["---", *["---:"] * (len(headers) - 1)], *rows]
    flat = [[cell.replace("\n", " ").replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in flat)
