"""Tables of a report with a row for each pair of solvers: equal cost, as much, the difference.

They show what the findings hold and compute nothing but percentages. Of many solvers not every
pair is told: each is held against one, and it is said which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from eval.axes import UNITS
from eval.break_even import BreakEven
from eval.cost import percent
from eval.equal_cost import EqualCost
from eval.paired import COMPARED, Paired
from ksolve.findings import Findings
from ksolve.grid import Cell, Grid
from ksolve.sentences import counted

ALL = 4
"""Solvers of which every pair is told; of more, each is held against the one that solves most."""

Pair = TypeVar("Pair", BreakEven, EqualCost, Paired)


def against(of: Findings) -> str | None:
    """Return whom each of many solvers is held against; None where every pair is told."""
    pairs = next(iter(of.paired.values()), ())
    names = {name for pair in pairs for name in (pair.a, pair.b)}
    if len(names) <= ALL:
        return None
    # Among those whose costs are known, so that one stands in every table.
    priced = {name for one in of.equal_costs for name in (one.a, one.b)}
    among = [one for one in of.solvers if one.label in (priced or names)]
    return max(among, key=lambda one: one.arm.solved).label


def against_whom(of: Findings) -> Iterator[str]:
    """Say that not every pair is told, where that is so."""
    one = against(of)
    if one is not None:
        count = max(map(len, of.paired.values()))
        fair = sum(not solver.run.summary.adaptive for solver in of.solvers)
        which = "all pairs" if fair <= COMPARED else "the pairs of the best few"
        yield (
            f"Each is compared with {one}, which solves the most issues; {which} ({count} in all) "
            "are in --json and on the page (--html)."
        )


def ways(of: Findings) -> Grid:
    """Who of two solves more for the same cost."""
    told = list(_told(of, of.equal_costs, lambda one: (one.a, one.b)))
    on, issues = _issues(told)
    return Grid(
        caption=f"For the same cost{_unit(of)}{on}: who solves more, and the coverage of the first "
        "minus that of the second in points, on average over all costs that both drew; p of the "
        "clearest difference, corrected for all costs and pairs.",
        words=3,
        beside=True,
        headers=["first", "second", "solves more", *issues, "differ", "95%", "p"],
        rows=[
            [
                one.a,
                one.b,
                _leader(one),
                *(f"{one.issues:,}" for _ in issues),
                "-" if one.difference is None else f"{100 * one.difference:+.1f}",
                _between(one),
                _p_value(min(one.p_values, default=None)),
            ]
            for one in told
        ],
    )


def untold(of: Findings) -> Iterator[str]:
    """Say what a row cannot: whose cost is unknown, and where another one leads."""
    for one in _told(of, of.equal_costs, lambda one: (one.a, one.b)):
        is_unpriced = one.verdict == "unknown" and one.issues > 0
        if is_unpriced or one.verdict in ("a then b", "b then a"):
            yield one.sentence


def as_much(of: Findings) -> Grid:
    """At which k the one that is cheaper by the sample does what the other does, and for what."""
    told = list(_told(of, of.break_evens, lambda one: (one.cheap, one.dear)))
    on, issues = _issues(told)
    with_k = " or ".join(sorted({f"k={one.k_dear}" for one in told}))
    return Grid(
        caption="What the first, cheaper by the sample, takes to solve as much as the second does "
        f"with {with_k}{on}, and the ratio of their costs{_unit(of)}.",
        words=2,
        beside=True,
        headers=[
            "first",
            "second",
            *issues,
            "solves",
            "takes k",
            "times\nits cost",
        ],
        rows=[
            [
                one.cheap,
                one.dear,
                *(f"{one.issues:,}" for _ in issues),
                _share(one.coverage, one.issues),
                *_takes(one),
            ]
            for one in told
        ],
    )


def differences(of: Findings) -> Grid:
    """What two solvers did on the issues that both have, and whether that may be chance."""
    told = [
        pair
        for pairs in of.paired.values()
        for pair in _told(of, pairs, lambda one: (one.a, one.b))
    ]
    on, issues = _issues(told)
    return Grid(
        caption=f"First minus second{on}, in points of coverage and paired by issue; p of sign "
        "flips, corrected for all pairs at one k (Holm).",
        words=2,
        headers=[
            "first",
            "second",
            "k",
            *issues,
            "first",
            "second",
            "differ",
            "95%",
            "p",
        ],
        rows=[
            [
                pair.a,
                pair.b,
                f"{pair.k:,}",
                *(f"{pair.issues:,}" for _ in issues),
                _share(pair.pass_a, pair.issues),
                _share(pair.pass_b, pair.issues),
                "-" if pair.difference is None else f"{100 * pair.difference:+.1f}",
                _between(pair),
                _p_value(pair.permutation_holm),
            ]
            for pair in told
        ],
    )


def _told(
    of: Findings, pairs: Sequence[Pair], names: Callable[[Pair], tuple[str, str]]
) -> Iterator[Pair]:
    one = against(of)
    return (pair for pair in pairs if one is None or one in names(pair))


def _issues(
    pairs: Sequence[BreakEven] | Sequence[EqualCost] | Sequence[Paired],
) -> tuple[str, list[str]]:
    """Say on how many issues pairs stand: once, or under the head of a column where that varies."""
    counts = {pair.issues for pair in pairs}
    if len(counts) > 1:
        return "", ["issues"]
    return "".join(f" on {counted(count, 'issue')}" for count in counts), []


def _leader(one: EqualCost) -> str:
    said = {
        "unknown": "cannot say" if one.issues else "no issue in common",
        "same": "neither",
        "unsaid": "cannot say",
        "a": one.a,
        "b": one.b,
        "a then b": f"{one.a}, then {one.b}",
        "b then a": f"{one.b}, then {one.a}",
    }
    return said[one.verdict]


def _takes(one: BreakEven) -> tuple[Cell, Cell]:
    """Write how many samples the cheap one takes, and the ratio of the costs."""
    if one.coverage == 0:
        return "0", "-"
    if one.is_too_little:
        return f"over {one.depth}", "-"
    if one.k.value is None:
        return "cannot say", "-"
    k, ratio = one.k, one.ratio
    most = f"over {one.depth}" if k.high is None else f"{k.high:.0f}"
    upper = "or more" if ratio.high is None else f"to {ratio.high:.2g}"
    takes, costs = f"{k.value:.0f}", "unknown" if ratio.value is None else f"{ratio.value:.2g}"
    return (
        takes if k.low is None else (takes, f"{k.low:.0f} to {most}"),
        costs if ratio.low is None else (costs, f"{ratio.low:.2g} {upper}"),
    )


def _between(pair: EqualCost | Paired) -> str:
    if pair.low is None or pair.high is None:
        return "-"
    return f"{100 * pair.low:+.0f} to {100 * pair.high:+.0f}"


def _unit(of: Findings) -> str:
    """Say what is compared, where that is not money."""
    return "" if of.axis == "money" else f" in {UNITS[of.axis]}"


def _p_value(p: float | None) -> str:
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004 - three decimals


def _share(share: float | None, issues: int = 0) -> str:
    return "-" if share is None else percent(share, issues)
