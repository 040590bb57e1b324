"""A run in figures: per model and strategy what was solved, what it cost, what is still pending.

`summarise` judges nothing: outcomes and costs are as the table has them. A failure of the system is
never in a rate, and neither is a sample that has no verdict yet.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.backend import Usage
from eval import cost
from eval.coverage import Coverage, coverage, ladder
from eval.sample import Failed
from eval.table import NO_PATCH, Ints, SampleTable
from eval.verdict import OUTCOMES

SCHEMA = 2
"""Of the JSON form; rises when a key changes its meaning or goes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Steady:
    """What an arm solved where something is left out or not believed."""

    issues: int
    solved: int
    pass_at_k: tuple[Coverage, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """What one model did under one strategy."""

    model: str
    strategy: str
    label: str
    # Short, and unlike every other arm's.
    issues: int
    solved: int
    # Issues with at least one resolved sample.
    samples: int
    # Drawn, with or without a verdict.
    pending_samples: int
    # Still to be drawn, of those asked for.
    pending_verdicts: int
    # Drawn, without a verdict yet: in no rate.
    failures: int
    # Of the system: in no rate.
    pass_at_k: tuple[Coverage, ...]
    outcomes: dict[str, int]
    # Samples by outcome, every one of `OUTCOMES`.
    distinct_patches: int
    # Different non-empty patches, counted within each issue.
    usage: Usage
    # Summed over all samples.
    verify_seconds: float
    # A patch that came several times for an issue was verified, and counts, once.
    cost: float | None
    # Money for all samples and for failed draws, None when any of it is unknown.
    failed_cost: float | None
    # The failed draws' part of it.
    failed_usage: Usage | None
    # What these used, which is not in `usage`; None when any of it is unknown.
    cost_per_sample: float | None
    cost_per_solve: float | None
    # Money for each issue solved.
    price_note: str
    # What the price is, or "" when nothing is known of it.
    without_flaky: Steady | None
    # None when no issue of the run is known to be flaky.
    suspicious: int = 0
    """Samples that are resolved by patches which look like reward hacking."""
    without_suspicious: Steady | None = None
    """With these counted as unresolved; None when the run has none."""

    @property
    def failed(self) -> Failed:
        """What failed draws used and cost."""
        return Failed(cost=self.failed_cost, usage=self.failed_usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A whole run."""

    issues: int
    samples_per_issue: int
    # Asked for, of each arm.
    solvers: tuple[Arm, ...]
    failures: dict[str, int]
    flaky: tuple[str, ...]
    # Issues whose tests are known to change their mind; they are in all other figures.
    adaptive: bool = False
    # Samples went where a solve was likely: solved issues have few, so pass@k is no fair estimate.


def summarise(
    table: SampleTable,
    *,
    samples: int,
    price_notes: Mapping[str, str],
    failures: Mapping[tuple[str, str], int],
    wanted: Mapping[tuple[str, str], int] = MappingProxyType({}),
    failed: Mapping[tuple[str, str], Failed] = MappingProxyType({}),
    flaky: Collection[str] = (),
    adaptive: bool = False,
) -> Summary:
    """Sum up a run of `samples` for every task by every arm, of which `wanted` says another number.

    `price_notes` are by model, `failures` and `failed` (what failed draws used) by arm. What was
    solved is told once more without the issues that `flaky` names, where the run has any.
    `adaptive` says that what was drawn depended on what was solved.
    """
    asked = [wanted.get(arm, samples) for arm in table.arms]
    ks = sorted({k for depth in asked for k in ladder(depth)})
    flaky = frozenset(flaky)
    steady = np.array([task_id not in flaky for task_id in table.tasks], dtype=np.bool_)
    labels = solver_labels(table.arms)
    tallies = [_tally(table, arm) for arm in range(len(table.arms))]
    arms = tuple(
        _arm(
            arm,
            tally,
            samples=depth,
            ks=ks,
            label=labels[arm],
            failures=failures.get(arm, 0),
            failed=failed.get(arm, Failed()),
            price_note=price_notes.get(arm[0], ""),
            steady=steady,
            has_suspicious=any(one.suspicious.any() for one in tallies),
        )
        for arm, tally, depth in zip(table.arms, tallies, asked, strict=True)
    )
    return Summary(
        issues=len(table.tasks),
        samples_per_issue=max(asked, default=samples),
        solvers=arms,
        failures=_by_model(failures),
        flaky=tuple(task_id for task_id in table.tasks if task_id in flaky),
        adaptive=adaptive,
    )


def at_ks(summary: Summary, table: SampleTable, ks: Sequence[int]) -> Summary:
    """Have the coverage of every arm at each of `ks` too, up to the deepest that it has.

    `table` is what was summed up.
    """
    steady = np.array([task_id not in summary.flaky for task_id in table.tasks], dtype=np.bool_)
    arms = []
    for position, arm in enumerate(summary.solvers):
        judged, resolved = table.counts(position)
        points = _more_points(arm.pass_at_k, ks, judged, resolved)
        without = arm.without_flaky and dataclasses.replace(
            arm.without_flaky,
            pass_at_k=_more_points(
                arm.without_flaky.pass_at_k, ks, judged[steady], resolved[steady]
            ),
        )
        believed = table.strict().counts(position)[1]
        strict = arm.without_suspicious and dataclasses.replace(
            arm.without_suspicious,
            pass_at_k=_more_points(arm.without_suspicious.pass_at_k, ks, judged, believed),
        )
        arms.append(
            dataclasses.replace(
                arm, pass_at_k=points, without_flaky=without, without_suspicious=strict
            )
        )
    return dataclasses.replace(summary, solvers=tuple(arms))


def _more_points(
    points: Sequence[Coverage], ks: Sequence[int], judged: Ints, resolved: Ints
) -> tuple[Coverage, ...]:
    known = {point.k: point for point in points}
    wanted = sorted({*known, *(k for k in ks if k <= max(known, default=0))})
    return tuple(known.get(k) or coverage(judged, resolved, k) for k in wanted)


def to_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain dicts and lists, keyed by the field names above.

    `schema` is `SCHEMA`. Shares are 0 to 1, money is dollars, null is unknown.
    """
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(summary), allow_nan=False))
    return {"schema": SCHEMA, **plain}


def _by_model(failures: Mapping[tuple[str, str], int]) -> dict[str, int]:
    by_model: Counter[str] = Counter()
    for (model, _), count in failures.items():
        by_model[model] += count
    return dict(by_model)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tally:
    """What there is of one arm. Arrays have one entry an issue."""

    drawn: Ints
    judged: Ints
    resolved: Ints
    suspicious: Ints
    """Resolved by patches that look like reward hacking."""
    outcomes: dict[str, int]
    distinct_patches: int
    verify_seconds: float
    usage: Usage
    cost: float | None


def _tally(table: SampleTable, arm: int) -> _Tally:
    chosen = table.arm == arm
    judged, resolved = table.counts(arm)
    outcomes = np.bincount(table.outcome[chosen & table.judged], minlength=len(OUTCOMES)).tolist()
    # Exact, so that it does not depend on the order in which the samples came.
    total = math.fsum(table.cost[chosen].tolist())
    patched = chosen & (table.patch != NO_PATCH)
    # A patch that came several times for an issue was verified once.
    patches, which = np.unique(
        table.task[patched] * (table.patch.max(initial=0) + 1) + table.patch[patched],
        return_inverse=True,
    )
    verify_seconds = np.zeros(patches.size)
    np.maximum.at(verify_seconds, which, np.nan_to_num(table.verify_seconds[patched]))
    return _Tally(
        drawn=np.bincount(table.task[chosen], minlength=len(table.tasks)),
        judged=judged,
        resolved=resolved,
        suspicious=resolved - table.strict().counts(arm)[1],
        outcomes=dict(zip(OUTCOMES, outcomes, strict=True)),
        distinct_patches=patches.size,
        verify_seconds=float(verify_seconds.sum()),
        usage=table.usage(chosen),
        cost=None if math.isnan(total) else total,
    )


def _arm(
    arm: tuple[str, str],
    tally: _Tally,
    *,
    samples: int,
    ks: Sequence[int],
    label: str,
    failures: int,
    failed: Failed,
    price_note: str,
    steady: NDArray[np.bool_],
    has_suspicious: bool,
) -> Arm:
    drawn = int(tally.drawn.sum())
    solved = int(np.count_nonzero(tally.resolved))
    total = cost.add(tally.cost, failed.cost)
    return Arm(
        model=arm[0],
        strategy=arm[1],
        label=label,
        issues=tally.drawn.size,
        solved=solved,
        samples=drawn,
        pending_samples=int(np.maximum(samples - tally.drawn, 0).sum()),
        pending_verdicts=drawn - int(tally.judged.sum()),
        failures=failures,
        pass_at_k=tuple(coverage(tally.judged, tally.resolved, k) for k in ks if k <= samples),
        outcomes=tally.outcomes,
        distinct_patches=tally.distinct_patches,
        usage=tally.usage,
        verify_seconds=tally.verify_seconds,
        cost=total,
        failed_cost=failed.cost,
        failed_usage=failed.usage,
        cost_per_sample=cost.cost_per_sample(total, drawn),
        cost_per_solve=cost.cost_per_solve(total, solved),
        price_note=price_note,
        without_flaky=None
        if steady.all()
        else _solved(tally.judged[steady], tally.resolved[steady], ks, samples),
        suspicious=int(tally.suspicious.sum()),
        without_suspicious=_solved(tally.judged, tally.resolved - tally.suspicious, ks, samples)
        if has_suspicious
        else None,
    )


def _solved(judged: Ints, resolved: Ints, ks: Sequence[int], samples: int) -> Steady:
    return Steady(
        issues=judged.size,
        solved=int(np.count_nonzero(resolved)),
        pass_at_k=tuple(coverage(judged, resolved, k) for k in ks if k <= samples),
    )


def solver_labels(arms: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Shorten the models' names to their last part, where that tells them apart.

    The strategy is named where there are several.
    """
    short = {model: last_part(model) for model, _ in arms}
    taken = Counter(short.values())
    several = len({strategy for _, strategy in arms}) > 1
    return {
        (model, strategy): (short[model] if taken[short[model]] == 1 else model)
        + (f" ({strategy})" if several else "")
        for model, strategy in arms
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What solvers are called where they are shown together."""

    each: tuple[str, ...]
    # In their order, each unlike every other.
    shared: str
    # What all of them have in common, and none is called by.
    kind: str
    # What tells them apart: "model", "strategy", "run", or "solver" where it is more than one.


def short_names(arms: Sequence[tuple[str, str]], runs: Sequence[str] = ()) -> Names:
    """Name solvers as shortly as tells them apart.

    Only by the strategy where all share a model, only by the model where all share a strategy,
    else by both. `runs` are those of the arms, where they are to be named too.
    """
    short = {model: last_part(model) for model, _ in arms}
    taken = Counter(short.values())
    models = [short[model] if taken[short[model]] == 1 else model for model, _ in arms]
    strategies = [strategy for _, strategy in arms]
    # A model is a better name than none, and than a strategy that is the only one.
    by_model = len(short) > 1 or len(set(strategies)) == 1
    by_strategy = len(set(strategies)) > 1
    if by_model and by_strategy:
        names = [
            f"{model} ({strategy})" for model, strategy in zip(models, strategies, strict=True)
        ]
        kind, shared = "solver", ""
    else:
        names = strategies if by_strategy else models
        kind = "strategy" if by_strategy else "model"
        shared = next(iter(models if by_strategy else strategies), "")
    if not runs:
        return Names(each=tuple(names), shared=shared, kind=kind)
    if len(set(names)) == 1:
        return Names(each=tuple(runs), shared=f"{names[0]} ({shared})", kind="run")
    named = (f"{run}: {name}" for run, name in zip(runs, names, strict=True))
    return Names(each=tuple(named), shared=shared, kind=kind)


def last_part(model: str) -> str:
    """Return what is left of `vllm:/models/qwen`, or of `http://host/v1#org/qwen`: `qwen`."""
    within = model.partition("#")[2] or model.partition(":")[2] or model
    return within.rstrip("/").rpartition("/")[2] or model
