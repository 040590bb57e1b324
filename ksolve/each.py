"""Tables of a report with a row for each solver, and what is the same for all of them said once.

They show what the findings hold and compute nothing but percentages. A table without rows is one
of which there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from eval.axes import UNITS, written
from eval.cost import money, percent
from eval.frontier import Option
from eval.scaling import REACH, Scaling
from ksolve import sentences
from ksolve.chosen import method_name
from ksolve.findings import TARGETS, Findings, Solver
from ksolve.grid import Cell, Grid
from ksolve.sentences import counted, samples_for


def spent(of: Findings) -> Grid:
    """What a sample cost, and what else was used; columns of which nobody has anything are out."""
    solvers = [one for one in of.solvers if one.spent.per_sample(of.axis) is not None]
    columns: list[tuple[str, list[Cell]]] = [
        (
            "a sample" if of.axis == "money" else f"{UNITS[of.axis]}\na sample",
            [written(one.spent.per_sample(of.axis), of.axis) for one in solvers],
        )
    ]
    if of.axis != "accelerator_seconds" and any(
        one.arm.usage.accelerator_seconds for one in solvers
    ):
        seconds = [f"{one.arm.usage.accelerator_seconds:,.0f}" for one in solvers]
        columns.append(("accelerator\nseconds", [*seconds]))
    if any(one.arm.failed_cost for one in solvers):
        part = "of it," if of.axis == "money" else "besides,"
        failed = [money(one.arm.failed_cost) for one in solvers]
        columns.append((f"{part} failed\ndraws", [*failed]))
    return Grid(
        headers=["spent", *(header for header, _ in columns)],
        rows=[
            [one.label, *(cells[row] for _, cells in columns)] for row, one in enumerate(solvers)
        ],
    )


def prices(of: Findings) -> Iterator[str]:
    """Say what the prices are, once where all have one."""
    yield from sentences.said_once(
        of, [(one, f"price {one.arm.price_note or 'unknown'}.") for one in of.solvers]
    )


UNSAID = (None, "cannot say")


def needed(of: Findings) -> Grid:
    """How many samples of an issue a coverage takes; coverages that nobody reaches are out."""
    solvers = [one for one in _deep(of) if one.scaling.ks]
    found = {
        (one.label, target): samples_for(one.scaling, target)
        for one in solvers
        for target in TARGETS
    }
    said = [t for t in TARGETS if any(found[one.label, t] != UNSAID for one in solvers)]
    unsaid = [f"{target:.0%}" for target in TARGETS if target not in said]
    rest = f"; of {', '.join(unsaid)} it cannot be said" if unsaid else ""

    def cell(k: int | None, reach: str) -> Cell:
        return reach if k is None else (f"{k:,}", reach)

    return Grid(
        caption=f"Samples of an issue that a coverage takes{rest}.",
        headers=["samples for", *(f"{target:.0%}" for target in said)],
        rows=[
            [one.label, *(cell(*found[one.label, target]) for target in said)]
            for one in solvers
            if said
        ],
    )


def never(of: Findings) -> Iterator[str]:
    """Say it where for no coverage anything can be said."""
    if any(one.scaling.ks for one in _deep(of)) and not needed(of).rows:
        targets = ", ".join(f"{target:.0%}" for target in TARGETS)
        yield f"How many samples of an issue a coverage of {targets} takes cannot be said."


def laws(of: Findings) -> Grid:
    """The laws that coverages follow, and how far they are believed."""
    told = [one for one in _deep(of) if one.scaling.ceiling and not one.scaling.cannot_say]
    return Grid(
        caption="Coverage by two laws, one with a ceiling and the exponentiated power law, fitted "
        "to all samples; in points, what each misses when it is fitted to a quarter of them.",
        headers=[
            "law",
            "ceiling",
            "misses\nby",
            "power law\na, b",
            "misses\nby",
            f"coverage\nat {REACH}n",
            "by the\npower law",
        ],
        rows=[_law(one.label, one.scaling) for one in told],
    )


def _law(label: str, found: Scaling) -> list[Cell]:
    top, low, high = found.ceiling.top if found.ceiling else (0.0, 0.0, 0.0)
    ahead = found.predict(REACH * found.depth)
    reach = f"{100 * (ahead.low or 0.0):.0f}-{100 * (ahead.high or 0.0):.0f}"
    return [
        label,
        (f"{top:.0%}", f"{100 * low:.0f}-{100 * high:.0f}"),
        f"{100 * (found.ceiling_error or 0.0):.1f}",
        "-" if found.law is None else f"{found.law.a:.3f}, {found.law.b:.3f}",
        "-" if found.law_error is None else f"{100 * found.law_error:.1f}",
        (percent(ahead.coverage or 0.0, found.issues), reach),
        "-" if ahead.power_law is None else percent(ahead.power_law, found.issues),
    ]


def no_laws(of: Findings) -> Iterator[str]:
    """Say of whom no law is drawn, and why."""
    drawn = {row[0] for row in laws(of).rows}
    yield from sentences.laws(of, [one for one in _deep(of) if one.label not in drawn])


def choosing(of: Findings) -> Grid:
    """What one patch of each issue, chosen without the oracle, solves."""
    solvers = [
        (one, found)
        for one in _deep(of)
        if not _was_chosen(one) and (found := one.selection) is not None
    ]
    methods = list(dict.fromkeys(method_name(r) for _, found in solvers for r in found.results))
    shares = [{method_name(r): r.solved.share for r in found.results} for _, found in solvers]
    return Grid(
        caption="Issues that one patch each solves, chosen without the oracle: between a sample at "
        "random and knowing the answer (the oracle).",
        headers=["chosen", "random", *(name.replace(" ", "\n", 1) for name in methods), "oracle"],
        rows=[
            [
                one.label,
                percent(found.random.share, found.issues),
                *(percent(by[name], found.issues) if name in by else "-" for name in methods),
                percent(found.oracle.share, found.issues),
            ]
            for (one, found), by in zip(solvers, shares, strict=True)
        ],
    )


def not_chosen(of: Findings) -> Iterator[str]:
    """Say among whose samples it is not tried to choose, and why."""
    yield from sentences.not_chosen(of, [one for one in _deep(of) if not _was_chosen(one)])


def frontier(of: Findings) -> Grid:
    """Which solver at which k is worth its cost, the cheapest first."""
    options = of.frontier.options if of.frontier else ()
    chosen = [option for option in options if option.on_frontier]
    chosen.sort(key=lambda option: (option.cost or 0.0, option.coverage))
    stretches = [list(some) for _, some in groupby(chosen, key=lambda option: option.arm)]
    issues = of.frontier.issues if of.frontier else 0
    return Grid(
        caption=f"The frontier on the {counted(issues, 'issue')} that all have verdicts of: "
        "nothing that costs less, or the same, covers as much.",
        headers=["frontier", "k", "coverage", "an issue"],
        rows=[_stretch(of, some[0], some[-1], issues) for some in stretches],
    )


def no_frontier(of: Findings) -> Iterator[str]:
    """Say why there is no frontier where costs are known."""
    if of.frontier is None or frontier(of).rows:
        return
    issues = of.frontier.issues
    if issues:
        yield f"No solver solves any of the {counted(issues, 'issue')} that all have verdicts of."
    else:
        yield "There is no frontier: no issue has verdicts of all solvers."


def _stretch(of: Findings, first: Option, last: Option, issues: int) -> list[Cell]:
    """Say the ends of what one solver has of the frontier in a row."""
    ends = [first] if first is last else [first, last]
    texts = (
        [f"{end.k:,}" for end in ends],
        [percent(end.coverage, issues) for end in ends],
        [written(end.cost, of.axis) for end in ends],
    )
    return [first.arm, *(" to ".join(dict.fromkeys(text)) for text in texts)]


def _deep(of: Findings) -> list[Solver]:
    """Leave those out that draw one sample: it does not go on, and leaves nothing to choose."""
    return [one for one in of.solvers if len(one.arm.pass_at_k) > 1]


def _was_chosen(solver: Solver) -> bool:
    """Whether `ksolve select` chose here, which is shown by itself."""
    return any(one.is_kept and not one.as_of for one in solver.choices)
