"""What a reader of a report should know first: how sure it can be, who solves more, and for what.

It says nothing that the findings do not hold, claims no more than their tests do, and never praises
a solver without saying that another one solves more.
"""

from __future__ import annotations

from collections.abc import Iterator

from eval.axes import written
from eval.cost import percent
from eval.coverage import Coverage
from eval.equal_cost import ERROR
from eval.paired import Paired
from ksolve.findings import Findings, Solver
from ksolve.sentences import counted

WIDE = 0.1
"""Half the width of an interval from which on the issues are called few."""


def headline(of: Findings) -> Iterator[str]:
    """Sentences, the one about too few issues first."""
    yield from _few(of)
    fair = [one for one in of.solvers if not one.run.summary.adaptive]
    if len(fair) == 1:
        yield from _alone(of, fair[0])
    elif of.paired:
        yield from _more(of)
        if len(of.equal_costs) == 1:
            yield of.equal_costs[0].sentence
            yield of.break_evens[0].sentence


def _few(of: Findings) -> Iterator[str]:
    points = [_last(one) for one in of.solvers]
    widths = [
        (point.high - point.low) / 2
        for point in points
        if point is not None and point.low is not None and point.high is not None
    ]
    if widths and max(widths) > WIDE:
        issues = counted(of.summary.issues, "issue")
        yield (
            f"{issues} {'is' if of.summary.issues == 1 else 'are'} few: coverage of issues like "
            f"these is known to about {100 * max(widths):.0f} points either way, and only large "
            "differences can be told."
        )


def _alone(of: Findings, solver: Solver) -> Iterator[str]:
    last = _last(solver)
    if last is None or last.coverage is None:
        return
    said = f"{solver.label} solves {_share(last)} with {counted(last.k, 'sample')} each"
    first = solver.arm.pass_at_k[0]
    if first.k < last.k and first.coverage is not None:
        said += f", and {percent(first.coverage, first.issues)} with one"
    cost = solver.spent.per_solve(of.axis)
    if cost is not None:
        said += f"; a solve cost {written(cost, of.axis, has_unit=True)}"
    yield said + "."


def _more(of: Findings) -> Iterator[str]:
    pairs = of.paired[max(of.paired)]
    scores = {name: share for pair in pairs for name, share in _shares(pair) if share is not None}
    if not scores:
        return
    best = max(scores, key=scores.__getitem__)
    against = [pair for pair in pairs if best in (pair.a, pair.b)]
    below = [_other(pair, best) for pair in against if (pair.permutation_holm or 0.0) <= ERROR]
    even = [_other(pair, best) for pair in against if _other(pair, best) not in below]
    issues, k = against[0].issues, against[0].k
    said = f"{best} solves the most at k={k}: {percent(scores[best], issues)} of {issues} issues"
    if below:
        others = (f"{name} ({percent(scores[name], issues)})" for name in below)
        said += f", more than {', '.join(others)}"
    if even:
        others = (f"{name} ({percent(scores[name], issues)})" for name in even)
        said += f"; that it solves more than {', '.join(others)} may be chance"
    yield said + "."


def _shares(pair: Paired) -> tuple[tuple[str, float | None], ...]:
    return (pair.a, pair.pass_a), (pair.b, pair.pass_b)


def _other(pair: Paired, name: str) -> str:
    return pair.b if pair.a == name else pair.a


def _last(solver: Solver) -> Coverage | None:
    """Coverage at the largest k that any issue carries."""
    told = [point for point in solver.arm.pass_at_k if point.coverage is not None]
    return told[-1] if told else None


def _share(point: Coverage) -> str:
    said = f"{percent(point.coverage or 0.0, point.issues)} of {counted(point.issues, 'issue')}"
    if point.low is None or point.high is None:
        return said
    return f"{said} (95%: {100 * point.low:.0f} to {100 * point.high:.0f})"
