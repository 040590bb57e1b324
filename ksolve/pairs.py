"""Tables of a report with a row for each pair of solvers: the cheaper way, as much, the difference.

They show what the findings hold and compute nothing but percentages. Of many solvers not every
pair is told: each is held against one, and it is said which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from eval.axes import UNITS, written
from eval.break_even import BreakEven, Crossing
from eval.cost import percent
from eval.coverage import RESAMPLES
from eval.paired import Paired
from ksolve.findings import Findings
from ksolve.grid import Cell, Grid
from ksolve.sentences import counted

ALL = 4
"""Solvers of which every pair is told; of more, each is held against the one that solves most."""

Pair = TypeVar("Pair", BreakEven, Crossing, Paired)


def against(of: Findings) -> str | None:
    """Return whom each of many solvers is held against; None where every pair is told."""
    pairs = next(iter(of.paired.values()), ())
    names = {name for pair in pairs for name in (pair.a, pair.b)}
    if len(names) <= ALL:
        return None
    # Among those whose costs are known, so that one stands in every table.
    priced = {name for one in of.crossings for name in (one.first, one.second)}
    among = [one for one in of.solvers if one.label in (priced or names)]
    return max(among, key=lambda one: one.arm.solved).label


def against_whom(of: Findings) -> Iterator[str]:
    """Say that not every pair is told, or that none is, where that is so."""
    fair = sum(not solver.run.summary.adaptive for solver in of.solvers)
    if fair > 1 and not of.paired:
        yield f"So many solvers ({fair}) are not compared in pairs; name fewer runs to have that."
    one = against(of)
    if one is not None:
        count = max(map(len, of.paired.values()))
        yield (
            f"Each is compared with {one}, which solves the most issues; all {count} pairs are in "
            "--json and on the page (--html)."
        )


def ways(of: Findings) -> Grid:
    """Which of two is the cheaper way to what both reach."""
    told = list(_told(of, of.crossings, lambda one: (one.first, one.second)))
    turns = any(one.verdict == "second above" for one in told)
    on, issues = _issues(told)
    return Grid(
        caption=f"The cheaper way{_unit(of)} to what both reach{on}, and in how many of "
        f"{RESAMPLES:,} resamples the first is it always, or the second from the start.",
        words=3,
        beside=True,
        headers=[
            "first",
            "second",
            "cheaper",
            *issues,
            "both\nreach",
            "first\nalways",
            "second\nalways",
            *(["second\nabove"] if turns else ()),
        ],
        rows=[
            [
                one.first,
                one.second,
                _cheaper(one),
                *(f"{one.issues:,}" for _ in issues),
                _share(one.reach, one.issues),
                _share(one.first_always),
                _share(one.second_always),
                *([_turn(of, one)] if turns else ()),
            ]
            for one in told
        ],
    )


def untold(of: Findings) -> Iterator[str]:
    """Say what a row cannot: whose cost is unknown, and who changes places more than once."""
    for one in _told(of, of.crossings, lambda one: (one.first, one.second)):
        is_unpriced = one.verdict == "unknown" and one.issues > 0
        if is_unpriced or (one.verdict == "second above" and one.changes > 1):
            yield one.sentence


def as_much(of: Findings) -> Grid:
    """At which k the one that is cheaper by the sample does what the other does, and for what."""
    told = list(_told(of, of.break_evens, lambda one: (one.cheap, one.dear)))
    on, issues = _issues(told)
    with_k = " or ".join(sorted({f"k={one.k_dear}" for one in told}))
    return Grid(
        caption="What the first, cheaper by the sample, takes to solve as much as the second does "
        f"with {with_k}{on}, and the ratio of their costs{_unit(of)}; in how many "
        "resamples all that it drew is too little.",
        words=2,
        beside=True,
        headers=[
            "first",
            "second",
            *issues,
            "solves",
            "takes k",
            "times\nits cost",
            "too\nlittle",
        ],
        rows=[
            [
                one.cheap,
                one.dear,
                *(f"{one.issues:,}" for _ in issues),
                _share(one.coverage, one.issues),
                *_takes(one),
                _share(one.none),
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
    pairs: Sequence[BreakEven] | Sequence[Crossing] | Sequence[Paired],
) -> tuple[str, list[str]]:
    """Say on how many issues pairs stand: once, or under the head of a column where that varies."""
    counts = {pair.issues for pair in pairs}
    if len(counts) > 1:
        return "", ["issues"]
    return "".join(f" on {counted(count, 'issue')}" for count in counts), []


def _cheaper(one: Crossing) -> str:
    said = {
        "unknown": "cannot say" if one.issues else "no issue in common",
        "nothing in common": "no coverage in common",
        "same": "cost the same",
        "unsaid": "cannot say",
        "second above": f"{one.first}, then {one.second}",
    }
    return said.get(one.verdict, one.first)


def _turn(of: Findings, one: Crossing) -> Cell:
    """Write above what the second is the cheaper way, and what an issue costs there."""
    if one.verdict != "second above":
        return "-"
    at, cost = percent(one.coverage.value or 0.0, one.issues), written(one.cost.value, of.axis)
    if one.first_always is None:
        return f"{at} for {cost}"
    low, high = percent(one.coverage.low or 0.0, one.issues), one.coverage.high
    end = "beyond" if high is None else percent(high, one.issues)
    return f"{at} for {cost}", f"{low} to {end}"


def _takes(one: BreakEven) -> tuple[Cell, Cell]:
    """Write how many samples the cheap one takes, and the ratio of the costs."""
    if one.coverage == 0:
        return "0", "-"
    if one.none == 1.0:
        return f"over {one.depth}", "-"
    if not one.is_said:
        return "cannot say", "-"
    k, ratio = one.k, one.ratio
    most = f"over {one.depth}" if k.high is None else f"{k.high:.0f}"
    upper = "or more" if ratio.high is None else f"to {ratio.high:.2g}"
    takes, costs = f"{k.value:.0f}", "unknown" if ratio.value is None else f"{ratio.value:.2g}"
    return (
        takes if k.low is None else (takes, f"{k.low:.0f} to {most}"),
        costs if ratio.low is None else (costs, f"{ratio.low:.2g} {upper}"),
    )


def _between(pair: Paired) -> str:
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
