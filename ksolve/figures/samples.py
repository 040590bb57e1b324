"""What the samples are: by outcome, by issue, and when one of them has to be chosen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eval.cost import money
from eval.selection.candidates import Effort
from eval.selection.evaluate import Evaluation, Share
from ksolve import sentences
from ksolve.chosen import method_name
from ksolve.figures.charts import Bar, Bars, heat_chart, outcome_chart, selection_chart
from ksolve.figures.figure import INTERVAL, Figure
from ksolve.findings import Findings
from ksolve.pages.tables import Cell, Table, cost, heads, number, share


def selection(of: Findings) -> Figure:
    """What choosing one patch without the oracle solves."""
    title = "One patch chosen, without the oracle"
    groups = [
        Bars(
            name=one.name,
            random=one.evaluation.random.share,
            oracle=one.evaluation.oracle.share,
            bars=[
                Bar(
                    name=method_name(result),
                    value=result.solved.share,
                    low=result.solved.low,
                    high=result.solved.high,
                    used=_used(result.effort),
                )
                for result in one.evaluation.results
            ],
        )
        for one in of.choices
    ]
    return Figure(
        name="selection",
        caption=f"{title}. The tinted field reaches from a sample at random to the "
        f"oracle (whoever knows the answer). Lines: {INTERVAL}. Besides the votes, what ksolve "
        "select --compare was asked to try; on the right what that took by itself.",
        drawn=selection_chart(groups, title=title) if groups else None,
        table=Table(
            caption=f"Issues solved by the patch that is chosen; in small the {INTERVAL}",
            head=heads(
                of.names.kind,
                "method",
                "solved",
                "of the gap",
                "issues",
                "samples",
                "cost",
                "requests",
                "tokens",
                "runs",
                "seconds",
                words=("method",),
            ),
            rows=[
                [
                    Cell(text=one.name),
                    Cell(text=method),
                    share(worth.share, worth.low, worth.high, issues=one.evaluation.issues),
                    _recovered(recovered),
                    number(one.evaluation.issues),
                    number(one.evaluation.candidates),
                    *_took(effort),
                ]
                for one in of.choices
                for method, worth, recovered, effort in _methods(one.evaluation)
            ],
        ),
        notes=[*sentences.not_chosen(of, of.solvers)],
    )


def heat(of: Findings) -> Figure:
    """Which issue which solver resolves how often, the easiest issue first."""
    n, c = np.stack([of.table.counts(i) for i in range(len(of.solvers))], axis=1)
    shares = np.divide(c, n, out=np.full(n.shape, np.nan), where=n > 0)
    known = ~np.isnan(shares)
    mean = np.where(known, shares, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    rows = [
        (solver.label, [None if np.isnan(one) else one for one in row])
        for solver, row in zip(of.solvers, shares[:, np.argsort(-mean, kind="stable")], strict=True)
    ]
    title = "Share of samples that resolve each issue"
    axis = f"{mean.size:,} issues, the one that is resolved most often first"
    return Figure(
        name="issues",
        caption=f"{title}: {axis}. The table below it has the numbers.",
        drawn=heat_chart(rows, title=title, axis=axis),
    )


def outcomes(of: Findings) -> Figure:
    """What became of the samples."""
    counts = [
        (solver.label, {**solver.arm.outcomes, "pending": solver.arm.pending_verdicts})
        for solver in of.solvers
    ]
    title = "Samples by outcome"
    names = list(counts[0][1]) if counts else []
    return Figure(
        name="outcomes",
        caption=f"{title}. Pending: drawn, without a verdict yet; in no rate.",
        drawn=outcome_chart(counts, title=title) if counts else None,
        table=Table(
            caption=title,
            head=heads(
                of.names.kind, *(name.replace("_", " ") for name in names), "distinct patches"
            ),
            rows=[
                [
                    Cell(text=solver.label),
                    *(number(value) for value in row.values()),
                    number(solver.arm.distinct_patches),
                ]
                for solver, (_, row) in zip(of.solvers, counts, strict=True)
            ],
        ),
    )


def _methods(found: Evaluation) -> Iterator[tuple[str, Share, Share | None, Effort | None]]:
    yield "random: any sample", found.random, None, None
    for result in found.results:
        yield method_name(result), result.solved, result.recovered, result.effort
    yield "oracle: knowing the answer", found.oracle, None, None


def _recovered(worth: Share | None) -> Cell:
    if worth is None:
        return Cell(text="-")
    return share(worth.share, worth.low, worth.high)


def _took(effort: Effort | None) -> list[Cell]:
    """Return what a method used: money, requests, tokens, runs, seconds."""
    if effort is None:
        return [Cell(text="-")] * 5
    used = effort.usage
    return [
        cost(effort.cost, "money"),
        number(used.calls),
        number(used.input_tokens + used.output_tokens),
        number(effort.runs),
        number(effort.seconds, ",.1f"),
    ]


def _used(effort: Effort) -> str:
    """Say what a method used, "" where it asked and ran nothing."""
    cost = f"cost {money(effort.cost)}" if effort.cost is None else money(effort.cost)
    return ", ".join(
        [
            *([cost] if effort.usage.calls else []),
            *([f"{effort.runs:,} runs"] if effort.runs else []),
        ]
    )
