"""What findings say in sentences, the same on the terminal, in Markdown and on the page.

Nothing is computed here but percentages. What cannot be said, and what is left out, is said too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from eval.axes import UNITS, written
from eval.cost import percent
from eval.frontier import Option
from eval.paired import Paired
from eval.scaling import REACH, Scaling
from ksolve.chosen import method_name
from ksolve.findings import TARGETS, Findings, Solver

NAMED = 5
"""Issues that are named; of more, the JSON form has them all."""


def law(solver: Solver) -> str:
    """Say which law the coverage follows, and how far it is believed."""
    found = solver.scaling
    if found.law is None or found.held_out_error is None or found.cannot_say:
        return f"{solver.label}: no law is drawn. {found.cannot_say}"
    return (
        f"{solver.label}: a = {found.law.a:.3f}, b = {found.law.b:.3f}. Fitted to k up to "
        f"{found.held_out_beyond} only, it misses what was measured up to k={found.depth} by at "
        f"most {100 * found.held_out_error:.1f} points; it is believed to k={REACH * found.depth}."
    )


def needed(solver: Solver) -> str:
    """Say how many samples of an issue the coverages of `TARGETS` take."""
    said, unsaid = [], []
    for target in TARGETS:
        k, reach = samples_for(solver.scaling, target)
        if k is None:
            unsaid.append(f"{target:.0%}")
        else:
            said.append(f"{k:,} for {target:.0%} ({reach})")
    if unsaid:
        said.append(f"cannot say for {', '.join(unsaid)}")
    return f"{solver.label}: samples of an issue that a coverage takes: {'; '.join(said)}."


def samples_for(found: Scaling, target: float) -> tuple[int | None, str]:
    """Return how many samples a coverage takes, and their interval in words."""
    said = found.samples_for(target)
    if said.k is None:
        return None, ""
    # An end that is None lies beyond what was drawn, or beyond where the law is believed.
    most = found.depth if said.measured else REACH * found.depth
    low, high = (f"over {most:,}" if end is None else f"{end:,}" for end in (said.low, said.high))
    return said.k, f"{low} to {high}{'' if said.measured else ' (law)'}"


def frontier(of: Findings) -> str:
    """Say which solver at which k is worth its cost, the cheapest first."""
    if of.frontier is None:
        return ""
    chosen = [option for option in of.frontier.options if option.on_frontier]
    chosen.sort(key=lambda option: (option.cost or 0.0, option.coverage))
    stretches = [list(some) for _, some in groupby(chosen, key=lambda option: option.arm)]
    said = [_stretch(of, some[0], some[-1]) for some in stretches]
    issues = of.frontier.issues
    if not issues:
        return "There is no frontier: no issue has verdicts of all solvers."
    if not said:
        return f"No solver solves any of the {counted(issues, 'issue')} that all have verdicts of."
    return (
        f"The frontier on the {counted(issues, 'issue')} that all have verdicts of, by the cost of "
        f"an issue: {'; '.join(said)}."
    )


def _stretch(of: Findings, first: Option, last: Option) -> str:
    issues = of.frontier.issues if of.frontier else 0
    ends = [first] if first is last else [first, last]
    ks, shares, costs = (
        " to ".join(dict.fromkeys(texts))
        for texts in (
            [str(end.k) for end in ends],
            [percent(end.coverage, issues) for end in ends],
            [written(end.cost, of.axis, has_unit=end is last) for end in ends],
        )
    )
    return f"{first.arm} at k={ks} ({shares} for {costs})"


def not_on_frontier(of: Findings) -> Iterator[str]:
    """Say who has no place on the frontier or beside it, and why."""
    for solver in of.solvers:
        if solver.run.summary.adaptive:
            why = "what was drawn followed what was solved"
        elif solver.spent.totals[of.axis] is None:
            why = f"what it cost in {UNITS[of.axis]} is unknown"
        else:
            continue
        yield f"{solver.label} is not held against the frontier: {why}."


def selection(solver: Solver) -> str:
    """Say what choosing one patch without the oracle solves, or why that is not said."""
    found = solver.selection
    if found is None:
        return f"{solver.label}: {_why_none(solver)}"
    worths = [
        ("a sample at random (the floor)", found.floor),
        *((method_name(one), one.solved) for one in found.results),
        ("knowing the answer (the ceiling)", found.ceiling),
    ]
    said = ", ".join(f"{way} {percent(worth.share, found.issues)}" for way, worth in worths)
    return f"{solver.label}: of one patch an issue, chosen without the oracle, solve {said}."


def _why_none(solver: Solver) -> str:
    judged = solver.arm.samples - solver.arm.owed_verdicts
    if not judged:
        return "there is nothing to choose from, since no sample has a verdict."
    return f"choosing among {judged:,} samples takes long; ksolve select does it."


def estimated(of: Findings) -> Iterator[str]:
    """Say whose tokens are partly an estimate."""
    for solver in of.solvers:
        used = solver.spent.usage
        if used.estimated_calls:
            yield (
                f"{solver.label}: of {counted(used.calls, 'request')}, {used.estimated_calls:,} "
                "told no usage; their tokens, and what these cost, are a high estimate."
            )


def left_out(of: Findings) -> str:
    """Say which flaky issues are in nothing of this, as was asked for; "" where none is."""
    names = list(dict.fromkeys(name for run in of.runs for name in run.left_out))
    if not names:
        return ""
    return f"{flaky(names)} {'is' if len(names) == 1 else 'are'} left out of everything."


def flaky(names: Sequence[str]) -> str:
    """Count flaky issues, and name some."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    named = f"({', '.join(names[:NAMED])}{more})"
    return f"{counted(len(names), 'issue')} known to be flaky {named}"


def paired(pair: Paired) -> str:
    """Say what two solvers did on the issues that both have, and whether that may be chance."""
    if pair.difference is None or pair.pass_a is None or pair.pass_b is None:
        return (
            f"{pair.a} and {pair.b} have no issue in common with {counted(pair.k, 'verdict')} each."
        )
    shares = [percent(share, pair.issues) for share in (pair.pass_a, pair.pass_b)]
    said = (
        f"{pair.a} against {pair.b} at k={pair.k} on {counted(pair.issues, 'issue')}: {shares[0]} "
        f"and {shares[1]}, a difference of {100 * pair.difference:+.1f} points"
    )
    if pair.low is not None and pair.high is not None:
        said += f" (95%: {100 * pair.low:+.0f} to {100 * pair.high:+.0f})"
    if pair.permutation_holm is None:
        return f"{said}."
    p = pair.permutation_holm
    chance = "p under 0.001" if p < 0.001 else f"p = {p:.3f}"  # noqa: PLR2004 - three decimals
    return f"{said}; {chance} (sign flips, Holm)."


def counted(count: int, noun: str) -> str:
    """Write a count with its noun, in the plural where that is due."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
