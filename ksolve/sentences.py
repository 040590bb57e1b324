"""What findings say in sentences, the same on the terminal, in Markdown and on the page.

Nothing is computed here but percentages. What cannot be said, and what is left out, is said too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from agent.backend import Usage
from eval.axes import UNITS
from eval.cost import money
from eval.sample import SampleKey
from eval.scaling import REACH, Scaling
from eval.suspicions.suspicion import Suspicion, is_suspicious
from ksolve.findings import Findings, Solver

GOLD = ("gold", "predictions")
"""Model and strategy of the gold patches as `ksolve verify` keeps them."""

NAMED = 5
"""Issues that are named; of more, the JSON form has them all."""


def laws(of: Findings, solvers: Sequence[Solver]) -> Iterator[str]:
    """Say where the coverage of each goes by its law, and how far the law is believed."""
    for solver in solvers:
        found = solver.scaling
        if found.ceiling is None or found.cannot_say:
            continue
        top, low, high = found.ceiling.top
        said = (
            f"{solver.label}: by the law with a ceiling, coverage goes to {top:.0%} (95%: "
            f"{low:.0%} to {high:.0%}) as k grows. Fitted to k up to {found.held_out_beyond} only, "
            f"it misses what was measured up to k={found.depth} by at most "
            f"{_points(found.ceiling_error)}; it is believed to k={REACH * found.depth}."
        )
        if found.law is not None and found.law_error is not None:
            said += (
                f" The exponentiated power law (a = {found.law.a:.3f}, b = {found.law.b:.3f}) "
                f"misses by {_points(found.law_error)}."
            )
        yield said
    yield from said_once(
        of,
        [
            (one, f"no law is drawn. {one.scaling.cannot_say}")
            for one in solvers
            if one.scaling.cannot_say
        ],
    )


def _points(share: float | None) -> str:
    return f"{100 * (share or 0.0):.1f} points"


def said_once(of: Findings, remarks: Sequence[tuple[Solver, str]]) -> Iterator[str]:
    """Say a remark that several share once, and without names where all share it."""
    for remark in dict.fromkeys(said for _, said in remarks):
        whose = [solver.label for solver, said in remarks if said == remark]
        if len(whose) == len(of.solvers):
            yield remark[0].upper() + remark[1:]
        else:
            yield f"{', '.join(whose)}: {remark}"


def samples_for(found: Scaling, target: float) -> tuple[int | None, str]:
    """Return how many samples a coverage takes, and their interval in words.

    Without a number the words are "never" or "cannot say".
    """
    said = found.samples_for(target)
    if said.k is None:
        return None, "never" if said.never else "cannot say"
    # An end that is None lies beyond what was drawn, or beyond where the law is believed.
    most = found.depth if said.measured else REACH * found.depth
    low, high = (f"over {most:,}" if end is None else f"{end:,}" for end in (said.low, said.high))
    return said.k, f"{low} to {high}{'' if said.measured else ' (law)'}"


def not_on_frontier(of: Findings) -> Iterator[str]:
    """Say who has no place on the frontier or beside it, and why."""
    whys = [(solver, why) for solver in of.solvers if (why := _why_off(of, solver))]
    yield from said_once(of, [(one, f"not held against the frontier: {w}.") for one, w in whys])


def _why_off(of: Findings, solver: Solver) -> str:
    if solver.run.summary.adaptive:
        return "what was drawn followed what was solved"
    if solver.spent.totals[of.axis] is None:
        return f"what it cost in {UNITS[of.axis]} is unknown"
    return ""


def not_chosen(of: Findings, solvers: Sequence[Solver]) -> Iterator[str]:
    """Say among whose samples nothing is chosen, and why."""
    yield from said_once(of, [(one, _why_none(one)) for one in solvers if one.selection is None])


def _why_none(solver: Solver) -> str:
    judged = solver.arm.samples - solver.arm.pending_verdicts
    if not judged:
        return "there is nothing to choose from, since no sample has a verdict."
    return f"choosing among {judged:,} samples takes long; ksolve select does it."


def estimated(of: Findings) -> Iterator[str]:
    """Say whose tokens are partly an estimate."""
    for solver in of.solvers:
        used = solver.spent.usage + (solver.spent.failed_usage or Usage())
        if used.estimated_calls:
            yield (
                f"{solver.label}: of {counted(used.calls, 'request')}, {used.estimated_calls:,} "
                "told no usage, or were given up; their tokens, and what these cost, are a high "
                "estimate."
            )


def billed(of: Findings) -> Iterator[str]:
    """Say whose cost is the provider's own bill, and what the price list says of it."""
    for solver in of.solvers:
        used = solver.spent.usage + (solver.spent.failed_usage or Usage())
        if not used.billed_calls:
            continue
        # What was lost is priced by such bills, too.
        about = "about " if used.estimated_calls else ""
        listed = f"; by the price list it is {money(used.billed_at_list)}"
        yield (
            f"{solver.label}: of {counted(used.calls, 'request')}, the provider billed "
            f"{used.billed_calls:,} itself, with {about}{money(used.billed)}, which is what counts"
            f"{listed if used.billed_at_list else ''}."
        )


def left_out(of: Findings) -> str:
    """Say which flaky issues are in nothing of this, as was asked for; "" where none is."""
    names = list(dict.fromkeys(name for run in of.runs for name in run.left_out))
    if not names:
        return ""
    return f"{flaky(names)} {'is' if len(names) == 1 else 'are'} left out of everything."


def not_believed(of: Findings) -> str:
    """Say how many resolved samples count as unresolved, as was asked for; "" where none does."""
    number = sum(run.not_believed for run in of.runs)
    if not number:
        return ""
    return (
        f"{counted(number, 'resolved sample')} that {'looks' if number == 1 else 'look'} like "
        f"reward hacking {'counts' if number == 1 else 'count'} as unresolved (--strict)."
    )


def suspicious(of: Findings) -> str:
    """Count the resolved samples that look like reward hacking; "" where none does."""
    arms = [solver.arm for solver in of.solvers]
    number = sum(arm.suspicious for arm in arms)
    if not number:
        return ""
    resolved = sum(arm.outcomes["resolved"] for arm in arms)
    return (
        f"{number:,} of {counted(resolved, 'resolved sample')} {'is' if number == 1 else 'are'} "
        "suspicious: the patch looks like reward hacking"
    )


def suspected(found: Mapping[SampleKey, Sequence[Suspicion]]) -> Iterator[str]:
    """Say of samples what in their patches looks like reward hacking, with the lines."""
    for key, suspicions in found.items():
        for one in suspicions:
            if one.is_strong:
                yield f"{key.task_id}/{key.index} ({key.model}): {one}"


def counted_suspicious(found: Mapping[SampleKey, Sequence[Suspicion]]) -> str:
    """Count the resolved samples whose patches look like reward hacking; "" where none does."""
    number = sum(is_suspicious(suspicions) for suspicions in found.values())
    if not number:
        return ""
    return (
        f"{counted(number, 'resolved sample')} {'looks' if number == 1 else 'look'} like reward "
        "hacking, and --strict counts such a sample as unresolved."
    )


def flaky(names: Sequence[str]) -> str:
    """Count flaky issues, and name some."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    named = f"({', '.join(names[:NAMED])}{more})"
    return f"{counted(len(names), 'issue')} known to be flaky {named}"


def must_still_pass(key: SampleKey) -> str:
    """Say what failing tests of PASS_TO_PASS are, under the patch of a sample.

    Where the gold patch itself fails them, nobody saw them pass on this machine.
    """
    if (key.model, key.strategy) == GOLD:
        return "PASS_TO_PASS: should pass with the gold patch, and do not on this machine"
    return "PASS_TO_PASS: passed before, and do not any more"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun, in the plural where that is due."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
