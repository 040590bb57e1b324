"""What `ksolve verify` says at its end: a row for each prediction with its reason, and the counts.

The counts are those of SWE-bench's own report (swebench 5.0.2, `harness/reporting.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from eval.reference_report import best_of
from eval.sample import SampleKey
from eval.store import Store
from eval.verdict import Verdict
from ksolve.sentences import counted
from tasks.task import Task

# Tests that a reason names; the rest are counted.
_NAMED = 2
# Instances that a warning names.
_LISTED = 10
_STYLES = {"resolved": "green", "failure": "yellow"}
_HOW = "applied by git apply --verbose"
_DENOMINATOR = "A task without a prediction counts as not resolved, as on SWE-bench's leaderboard."


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What became of one prediction."""

    key: SampleKey
    outcome: str
    """That of its verdict, or `failure`."""
    why: str
    """The reason in a clause; "" where there is nothing to explain."""


def judgements(
    store: Store,
    tasks: Sequence[Task],
    *,
    missing: Collection[tuple[str, str]] = (),
    strict: bool = False,
) -> list[Judgement]:
    """Return what became of every prediction, in the order of the tasks. Raises StoreError.

    With `strict`, what is resolved by a patch that looks like reward hacking is unresolved.
    """
    by_id = {task.id: task for task in tasks}
    order = {task.id: place for place, task in enumerate(tasks)}
    failures = {failure.key: failure.message for failure in store.failures()}
    found = []
    for row in store.rows():
        key = SampleKey(
            task_id=row.task_id, model=row.model, strategy=row.strategy, index=row.index
        )
        verdict = store.judged(key)
        if (row.task_id, row.model) in missing:
            why = "there is no prediction"
        elif verdict is None:
            why = failures.get(key, "it was not verified")
        else:
            why = reason(verdict, by_id[row.task_id])
        outcome = verdict.outcome if verdict else "failure"
        if strict and verdict is not None and verdict.is_suspicious:
            outcome, why = "unresolved", "it looks like reward hacking (--strict)"
        found.append(Judgement(key=key, outcome=outcome, why=why))
    return sorted(found, key=lambda one: (order[one.key.task_id], one.key))


def reason(verdict: Verdict, task: Task) -> str:
    """Return in a clause why a verdict is what it is."""
    note = "; ".join(part for part in verdict.note.split("; ") if part not in ("", _HOW))
    if verdict.outcome == "resolved":
        return ""
    if verdict.outcome == "no_patch":
        return "the patch is empty"
    oracle = task.oracle
    parts = [
        _failing(name, missing, len(expected))
        for name, missing, expected in (
            ("FAIL_TO_PASS", verdict.missing_fail_to_pass, oracle.fail_to_pass),
            ("PASS_TO_PASS", verdict.missing_pass_to_pass, oracle.pass_to_pass),
        )
        if missing
    ]
    return "; ".join([*([note] if note else []), *parts])


def _failing(name: str, tests: Sequence[str], of: int) -> str:
    more = f" and {len(tests) - _NAMED:,} more" if len(tests) > _NAMED else ""
    return f"{len(tests):,} of {of:,} {name} fail: {', '.join(tests[:_NAMED])}{more}"


def table(found: Sequence[Judgement]) -> RenderableType:
    """Return a row for each prediction."""
    models = {one.key.model for one in found}
    several = {one.key.task_id for one in found if one.key.index}
    rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    rows.add_column("instance", overflow="fold")
    if len(models) > 1:
        rows.add_column("model", overflow="fold")
    rows.add_column("verdict", no_wrap=True)
    rows.add_column("why", overflow="fold", ratio=1)
    for one in found:
        number = f" #{one.key.index}" if one.key.task_id in several else ""
        cells = [Text(f"{one.key.task_id}{number}")]
        cells += [Text(one.key.model)] if len(models) > 1 else []
        cells += [Text(one.outcome, style=_STYLES.get(one.outcome, "red")), Text(one.why)]
        rows.add_row(*cells)
    return rows


def summary(
    found: Sequence[Judgement],
    *,
    total: int,
    missing: Collection[tuple[str, str]] = (),
    in_full: bool = False,
) -> RenderableType:
    """Return a sentence for each model, of `total` tasks; `in_full` all of them are counted.

    An instance with several predictions counts by the best of them.
    """
    outcomes: dict[str, dict[str, list[str]]] = {}
    for one in found:
        if (one.key.task_id, one.key.model) not in missing:
            of_model = outcomes.setdefault(one.key.model, {})
            of_model.setdefault(one.key.task_id, []).append(one.outcome)
    lines = [Text(_counts(model, of, total, in_full=in_full)) for model, of in outcomes.items()]
    return Group(*lines, *([Text(_DENOMINATOR, style="dim")] if in_full else []))


def _counts(model: str, outcomes: Mapping[str, Sequence[str]], total: int, *, in_full: bool) -> str:
    best = Counter(best_of(of) for of in outcomes.values())
    submitted, resolved = len(outcomes), best["resolved"]
    of = total if in_full else submitted
    unresolved = best["unresolved"] + best["tampered"]
    parts = [
        f"{unresolved:,} unresolved"
        + (f" ({best['tampered']:,} tampered)" if best["tampered"] else ""),
        f"{best['no_patch']:,} empty",
        counted(best["timeout"] + best["not_applied"] + best["failure"], "error"),
        f"{total - submitted:,} without a prediction",
    ]
    share = f" ({resolved / of:.1%})" if of else ""
    rest = ", ".join(part for part in parts if not part.startswith("0 "))
    return (
        f"{model}: {resolved:,} of {counted(of, 'instance')} resolved{share}"
        + (f"; {rest}" if rest else "")
        + "."
    )


def gold_warning(names: Sequence[str]) -> str:
    """Say of which instances the gold patch fails on this machine, so that no verdict tells."""
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    shown = ", ".join(names[:_LISTED]) + more
    return (
        f"The gold patch fails on this machine for {counted(len(names), 'instance')} ({shown}): "
        "what fails there says more of the image or the machine than of a patch. `ksolve tasks "
        "validate` tells why."
    )
