"""A summary for people and programs: terminal, Markdown, JSON.

It shows what `eval.summary` holds and computes nothing but percentages. What is unknown is called
unknown, what is owed or failed is said beside the rates that it is not part of.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from eval.cost import money, percent
from eval.coverage import Coverage
from eval.paired import Paired
from eval.summary import Arm, Summary, to_json

WIDE = 96
"""Columns of a terminal from which five values of k are shown; three on a narrower one."""

NAMED = 5
"""Flaky issues that are named; of more, the JSON form has them all."""

Join = Callable[[str, str], str]
Cells = list[str]

OUTCOME_HEADERS = {"not_applied": "not\napplied", "no_patch": "no\npatch"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terminal:
    """The report, laid out for the width that it is printed at."""

    summary: Summary
    pairs: Sequence[Paired]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        label_width = 17 if wide else 11
        ks = _spread(_ladder(self.summary), 5 if wide else 3)
        yield Text(_heading(self.summary) + "\n")
        yield _table(*_results(self.summary, ks, "{}\n{}".format), label_width)
        if self.summary.flaky:
            yield Text(f"\n{_flaky(self.summary)}\n")
            yield _table(*_without_flaky(self.summary, ks, "{}\n{}".format), label_width)
        yield Text()
        yield _table(*_outcomes(self.summary), label_width)
        notes = list(_notes(self.summary))
        if notes:
            yield Text("\n" + "\n".join(notes))
        for sentence in _comparisons(self.summary):
            yield Text("\n" + sentence, style="bold")
        for pair in self.pairs:
            yield Text("\n" + paired(pair))


def terminal(summary: Summary, pairs: Sequence[Paired] = ()) -> RenderableType:
    """Return what `rich` prints: readable from 80 columns on, with or without colour."""
    return _Terminal(summary=summary, pairs=pairs)


def markdown(summary: Summary, pairs: Sequence[Paired] = ()) -> str:
    """Return the report as GitHub-flavoured Markdown, every k of the ladder in it."""
    ks = _ladder(summary)
    without_flaky = [
        _flaky(summary),
        markdown_table(*_without_flaky(summary, ks, "{} ({})".format)),
    ]
    parts = [
        _heading(summary),
        markdown_table(*_results(summary, ks, "{} ({})".format)),
        *(without_flaky if summary.flaky else ()),
        markdown_table(*_outcomes(summary)),
        "\n".join(f"- {note}" for note in _notes(summary)),
        *(f"**{sentence}**" for sentence in _comparisons(summary)),
        "\n".join(f"- {paired(pair)}" for pair in pairs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(summary: Summary) -> str:
    """Return the JSON text of `eval.summary.to_json`."""
    return json.dumps(to_json(summary), indent=2) + "\n"


def paired(pair: Paired) -> str:
    """Say what two solvers did on the issues that both have, and whether that may be chance."""
    if pair.difference is None or pair.pass_a is None or pair.pass_b is None:
        return f"{pair.a} and {pair.b} have no issue in common with {pair.k} verdicts each."
    shares = [percent(share, pair.issues) for share in (pair.pass_a, pair.pass_b)]
    said = (
        f"{pair.a} against {pair.b} at k={pair.k} on {_number(pair.issues, 'issue')}: {shares[0]} "
        f"and {shares[1]}, a difference of {100 * pair.difference:+.1f} points"
    )
    if pair.low is not None and pair.high is not None:
        said += f" (95%: {100 * pair.low:+.0f} to {100 * pair.high:+.0f})"
    if pair.permutation_holm is None:
        return f"{said}."
    p = pair.permutation_holm
    chance = "p under 0.001" if p < 0.001 else f"p = {p:.3f}"  # noqa: PLR2004 - three decimals
    return f"{said}; {chance} (sign flips, Holm)."


def _heading(summary: Summary) -> str:
    return (
        f"Coverage (pass@k) of {_number(summary.issues, 'issue')}, "
        f"{_number(summary.samples_per_issue, 'sample')} each asked for; "
        "95% bootstrap intervals over issues."
    )


def _results(summary: Summary, ks: Sequence[int], join: Join) -> tuple[Cells, list[Cells]]:
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
            arm.label,
            *_coverages(arm.pass_at_k, ks, join),
            f"{arm.solved}/{arm.issues}",
            str(arm.owed_samples + arm.owed_verdicts),
            money(arm.cost) if arm.samples else "-",
            "-" if arm.cost is not None and not arm.solved else money(arm.cost_per_solve),
            _tokens(arm),
        ]
        for arm in summary.arms
    ]


def _flaky(summary: Summary) -> str:
    named = ", ".join(summary.flaky[:NAMED])
    more = f" and {len(summary.flaky) - NAMED:,} more" if len(summary.flaky) > NAMED else ""
    return (
        f"The same without {_number(len(summary.flaky), 'issue')} known to be flaky "
        f"({named}{more}):"
    )


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


ADAPTIVE = (
    "Samples went where a solve was likely (--allocate adaptive): solved issues have few and "
    "unsolved ones many, so pass@k, and owed samples, say little of this run; solved and cost say "
    "what it bought."
)


def _notes(summary: Summary) -> Iterator[str]:
    if summary.adaptive:
        yield ADAPTIVE
    for arm in summary.arms:
        facts = [f"price {arm.price_note or 'unknown'}"]
        if arm.usage.accelerator_seconds:
            facts.append(f"{arm.usage.accelerator_seconds:,.0f} accelerator seconds")
        if arm.failed_cost:
            facts.append(f"{money(arm.failed_cost)} of the cost for failed attempts")
        yield f"{arm.label}: {', '.join(facts)}."
        if arm.owed_samples or arm.owed_verdicts:
            yield (
                f"{arm.label}: {_number(arm.owed_samples, 'sample')} and "
                f"{_number(arm.owed_verdicts, 'verdict')} owed, in no rate."
            )
        short = [point for point in arm.pass_at_k if point.excluded]
        if short:
            stands = ", ".join(f"pass@{point.k} on {point.issues}" for point in short)
            yield f"* {arm.label}: {stands} of {arm.issues} issues; the others have fewer verdicts."
    for name, count in summary.failures.items():
        if count:
            yield f"{name}: {_number(count, 'failure')} of the system, in no rate."


def _comparisons(summary: Summary) -> Iterator[str]:
    for comparison in summary.comparisons:
        issues, depth = comparison.issues, comparison.depth
        whole = issues == summary.issues and depth == summary.samples_per_issue
        scope = "" if whole or not depth else f"On {_number(issues, 'issue')}, k up to {depth}: "
        yield scope + comparison.sentence


def _coverage(point: Coverage, join: Join) -> str:
    if point.coverage is None:
        return "-"
    share = percent(point.coverage, point.issues) + "*" * bool(point.excluded)
    if point.low is None or point.high is None:
        return share
    return join(share, f"{100 * point.low:.0f}-{100 * point.high:.0f}")


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


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
