"""A run in figures: per model and strategy what was solved, what it cost, what is still owed.

`summarise` reads the rows of a run once, as they come, and keeps counts only. It judges nothing:
outcomes and costs are taken as recorded. A failure of the system is never in a rate, and neither
is a sample that has no verdict yet.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.backend import Usage
from eval import cost
from eval.coverage import Coverage, coverage, ladder, pass_at_k
from eval.verdict import OUTCOMES

SCHEMA = 1
"""Of the JSON form; rises when a key changes its meaning or goes."""

CURVE_POINTS = 256
"""Values of k at which two models are compared, at most; up to there it is every k."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRow:
    """One sample as the store gives it."""

    task_id: str
    model: str
    strategy: str
    index: int
    outcome: str | None
    # One of `eval.verdict.OUTCOMES`, None while the verdict is owed.
    usage: Usage
    cost: float | None
    # Money, None when the price is unknown.
    patch_digest: str
    # Of the normalised patch; what it is does not matter where there is no patch.
    verify_seconds: float | None
    # Of the verification that gave the outcome, even when it ran for an equal patch; None while
    # the verdict is owed.


@dataclass(frozen=True, kw_only=True, slots=True)
class Steady:
    """What an arm solved of the issues that are not known to be flaky."""

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
    owed_samples: int
    # Still to be drawn, of those asked for.
    owed_verdicts: int
    # Drawn, without a verdict yet: in no rate.
    failures: int
    # Of the system, over all strategies of the model: in no rate.
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
    # Money for all samples and for failed attempts, None when any of it is unknown.
    failed_cost: float | None
    # The failed attempts' part of it.
    cost_per_attempt: float | None
    cost_per_solve: float | None
    # Money for each issue solved.
    price_note: str
    # What the price is, or "" when nothing is known of it.
    without_flaky: Steady | None
    # None when no issue of the run is known to be flaky.


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A whole run."""

    issues: int
    samples_per_issue: int
    # Asked for, of each arm.
    arms: tuple[Arm, ...]
    failures: dict[str, int]
    comparisons: tuple[cost.Comparison, ...]
    # Every pair of arms.
    flaky: tuple[str, ...]
    # Issues whose tests are known to change their mind; they are in all other figures.


def summarise(
    rows: Iterable[SampleRow],
    *,
    task_ids: Sequence[str],
    models: Sequence[str],
    samples: int,
    price_notes: Mapping[str, str],
    failures: Mapping[str, int],
    wanted: Mapping[tuple[str, str], int] = MappingProxyType({}),
    failed_costs: Mapping[tuple[str, str], float | None] = MappingProxyType({}),
    flaky: Collection[str] = (),
) -> Summary:
    """Sum up a run of `samples` for every task, model and strategy.

    The order of `models` is kept. `price_notes` and `failures` are by model, `failed_costs` (what
    failed attempts were billed) by model and strategy, and so is `wanted`: the samples asked for
    of each issue. Without it every strategy that has rows counts for every model. What was solved
    is told once more without the issues that `flaky` names, where the run has any. Raises
    ValueError for a row of another task or model, or of an outcome that is not one of `OUTCOMES`.
    """
    tallies = _tally(rows, task_ids, models, wanted)
    depths = sorted({wanted.get(arm, samples) for arm in tallies})
    ks = sorted({k for depth in depths for k in ladder(depth)})
    flaky = frozenset(flaky)
    steady = np.array([task_id not in flaky for task_id in task_ids], dtype=np.bool_)
    labels = _labels(list(tallies))
    arms = tuple(
        _arm(
            arm,
            tally,
            samples=wanted.get(arm, samples),
            ks=ks,
            label=labels[arm],
            failures=failures.get(arm[0], 0),
            failed_cost=failed_costs.get(arm, 0.0),
            price_note=price_notes.get(arm[0], ""),
            steady=steady,
        )
        for arm, tally in tallies.items()
    )
    pairs = itertools.combinations(zip(arms, tallies.values(), strict=True), 2)
    return Summary(
        issues=len(task_ids),
        samples_per_issue=max(depths, default=samples),
        arms=arms,
        failures=dict(failures),
        comparisons=tuple(_compare(a, of_a, b, of_b) for (a, of_a), (b, of_b) in pairs),
        flaky=tuple(task_id for task_id in task_ids if task_id in flaky),
    )


def to_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain dicts and lists, keyed by the field names above.

    `schema` is `SCHEMA`. Shares are 0 to 1, money is dollars, null is unknown.
    """
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(summary), allow_nan=False))
    return {"schema": SCHEMA, **plain}


class _Tally:
    """Running counts of one arm."""

    def __init__(self, issues: int) -> None:
        # By issue: samples, verdicts, and verdicts that resolved it.
        self.drawn: NDArray[np.int64] = np.zeros(issues, dtype=np.int64)
        self.judged = self.drawn.copy()
        self.resolved = self.drawn.copy()
        self.outcomes: Counter[str] = Counter()
        # By sample with a patch: a hash of issue and patch, and the seconds of its verification.
        self.patches = array("q")
        self.verify_seconds = array("d")
        self.usage = Usage()
        self.cost: float | None = 0.0

    def add(self, row: SampleRow, issue: int) -> None:
        self.drawn[issue] += 1
        if row.outcome is not None:
            self.judged[issue] += 1
            self.outcomes[row.outcome] += 1
            self.resolved[issue] += row.outcome == "resolved"
        if row.outcome != "no_patch":
            # 64 bits tell a million patches apart, but for a chance of 3 in 10^8.
            self.patches.append(hash((issue, row.patch_digest)))
            self.verify_seconds.append(row.verify_seconds or 0.0)
        self.usage += row.usage
        self.cost = cost.add(self.cost, row.cost)


def _tally(
    rows: Iterable[SampleRow],
    task_ids: Sequence[str],
    models: Sequence[str],
    wanted: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], _Tally]:
    """Count the rows by arm, those that are wanted and have none included."""
    position = {task_id: i for i, task_id in enumerate(task_ids)}
    tallies: dict[tuple[str, str], _Tally] = {}
    for row in rows:
        issue = position.get(row.task_id)
        if issue is None or row.model not in models:
            raise ValueError(f"A sample of {row.task_id} by {row.model} is not part of this run.")
        if row.outcome is not None and row.outcome not in OUTCOMES:
            raise ValueError(f"{row.outcome!r} of {row.task_id} is not an outcome of a verdict.")
        arm = row.model, row.strategy
        tally = tallies.get(arm)
        if tally is None:
            tally = tallies[arm] = _Tally(len(task_ids))
        tally.add(row, issue)
    arms = list(wanted)
    if not arms:
        seen = dict.fromkeys(strategy for _, strategy in tallies) or {"": None}
        arms = list(itertools.product(models, seen))
    return {arm: tallies.get(arm) or _Tally(len(task_ids)) for arm in [*arms, *tallies]}


def _arm(
    arm: tuple[str, str],
    tally: _Tally,
    *,
    samples: int,
    ks: Sequence[int],
    label: str,
    failures: int,
    failed_cost: float | None,
    price_note: str,
    steady: NDArray[np.bool_],
) -> Arm:
    drawn = int(tally.drawn.sum())
    solved = int(np.count_nonzero(tally.resolved))
    total = cost.add(tally.cost, failed_cost)
    patches, which = np.unique(np.frombuffer(tally.patches, np.int64), return_inverse=True)
    verify_seconds = np.zeros(patches.size)
    np.maximum.at(verify_seconds, which, np.frombuffer(tally.verify_seconds))
    return Arm(
        model=arm[0],
        strategy=arm[1],
        label=label,
        issues=tally.drawn.size,
        solved=solved,
        samples=drawn,
        owed_samples=int(np.maximum(samples - tally.drawn, 0).sum()),
        owed_verdicts=drawn - int(tally.judged.sum()),
        failures=failures,
        pass_at_k=tuple(coverage(tally.judged, tally.resolved, k) for k in ks if k <= samples),
        outcomes={outcome: tally.outcomes[outcome] for outcome in OUTCOMES},
        distinct_patches=patches.size,
        usage=tally.usage,
        verify_seconds=float(verify_seconds.sum()),
        cost=total,
        failed_cost=failed_cost,
        cost_per_attempt=cost.cost_per_attempt(total, drawn),
        cost_per_solve=cost.cost_per_solve(total, solved),
        price_note=price_note,
        without_flaky=None if steady.all() else _without_flaky(tally, ks, samples, steady),
    )


def _without_flaky(
    tally: _Tally, ks: Sequence[int], samples: int, steady: NDArray[np.bool_]
) -> Steady:
    judged, resolved = tally.judged[steady], tally.resolved[steady]
    return Steady(
        issues=judged.size,
        solved=int(np.count_nonzero(resolved)),
        pass_at_k=tuple(coverage(judged, resolved, k) for k in ks if k <= samples),
    )


def _compare(a: Arm, of_a: _Tally, b: Arm, of_b: _Tally) -> cost.Comparison:
    """Compare two arms on the issues that both were judged on, to the depth that both have.

    While a run is incomplete, depth and issues trade against each other: those that keep the
    most samples are taken.
    """
    both = np.minimum(of_a.judged, of_b.judged)
    deepest_first = np.sort(np.append(both, 0))[::-1]
    depth = int(deepest_first[np.argmax(deepest_first * np.arange(1, both.size + 2))])
    chosen = both >= max(depth, 1)
    ks: Sequence[int] = range(1, depth + 1)
    if depth > CURVE_POINTS:
        ks = np.unique(np.geomspace(1, depth, CURVE_POINTS).round().astype(int)).tolist()

    def curve(arm: Arm, t: _Tally) -> cost.Curve:
        judged, resolved = t.judged[chosen], t.resolved[chosen]
        return cost.Curve(
            name=arm.label,
            k=tuple(ks),
            coverage=tuple(float(pass_at_k(judged, resolved, k).mean()) for k in ks),
            cost_per_attempt=arm.cost_per_attempt,
            issues=int(chosen.sum()),
        )

    return cost.cheaper_at_equal_coverage(curve(a, of_a), curve(b, of_b))


def _labels(arms: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Shorten the models' names to their last part, where that tells them apart.

    The strategy is named where there are several.
    """
    short = {model: _last_part(model) for model, _ in arms}
    taken = Counter(short.values())
    several = len({strategy for _, strategy in arms}) > 1
    return {
        (model, strategy): (short[model] if taken[short[model]] == 1 else model)
        + (f" ({strategy})" if several else "")
        for model, strategy in arms
    }


def _last_part(model: str) -> str:
    """`vllm:/models/qwen` and `http://host/v1#org/qwen` are both `qwen`."""
    within = model.partition("#")[2] or model.partition(":")[2] or model
    return within.rstrip("/").rpartition("/")[2] or model
