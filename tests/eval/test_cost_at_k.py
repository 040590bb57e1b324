"""What k samples cost, against every order in which recorded samples can be drawn."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.backend import Usage
from eval.axes import amounts
from eval.cost_at_k import (
    Costs,
    cost_curve,
    costs,
    expected_cost,
    expected_verification,
    hits,
    misses,
    patches,
)
from eval.coverage import pass_at_k
from eval.table import SampleRow, SampleTable, table_of


def table(*samples: tuple[str, str, bool | None, str, float | None]) -> SampleTable:
    """Make a table of (task, model, resolved, patch, cost); seconds are by patch."""
    names = {True: "resolved", False: "unresolved", None: None}
    rows = [
        SampleRow(
            task_id=task,
            model=model,
            strategy="s",
            index=index,
            outcome=names[resolved],
            usage=Usage(),
            cost=cost,
            patch_digest=patch,
            verify_seconds=None if resolved is None else 1.0 + ord(patch) % 7,
        )
        for index, (task, model, resolved, patch, cost) in enumerate(samples)
    ]
    tasks = sorted({row.task_id for row in rows})
    return table_of(rows, tasks=tasks, arms=[(m, "s") for m in sorted({r.model for r in rows})])


def money(of: SampleTable, arm: int = 0, failed_cost: float | None = 0.0) -> Costs:
    return costs(of, arm, amounts(of, "money"), failed_cost=failed_cost)


@st.composite
def issues(draw: st.DrawFn) -> list[tuple[bool, str, float]]:
    """Draw the samples of one issue: resolved, patch, cost. A patch has one outcome."""
    kinds = st.tuples(st.sampled_from("abcd"), st.floats(0.01, 10))
    return [(patch in "ab", patch, cost) for patch, cost in draw(st.lists(kinds, max_size=6))]


@given(issues(), st.booleans(), st.integers(1, 6))
@settings(max_examples=60)
def test_the_expectation_is_the_mean_over_all_orders(
    samples: list[tuple[bool, str, float]], stop: bool, k: int
) -> None:
    of = table(("t", "m", None, "z", 1.0), *(("t", "m", *sample) for sample in samples))
    mine = money(of)
    if k > len(samples):
        assert np.isnan(expected_cost(mine, k, stop=stop)).all()
        return
    drawn, paid, verified = [], [], []
    for order in itertools.permutations(samples):
        first = next((i for i, (resolved, *_) in enumerate(order, 1) if resolved), k)
        taken = order[: min(first, k) if stop else k]
        drawn.append(len(taken))
        paid.append(sum(cost for *_, cost in taken))
        verified.append(sum(1.0 + ord(patch) % 7 for patch in {patch for _, patch, _ in taken}))
    n, c = mine.n, mine.c
    number = misses(n, c, k, stop=stop) + hits(n, c, k, stop=stop)
    assert number == pytest.approx([np.mean(drawn)])
    assert expected_cost(mine, k, stop=stop) == pytest.approx([np.mean(paid)])
    assert expected_verification(mine, k, stop=stop) == pytest.approx([np.mean(verified)])


@given(st.integers(1, 60), st.data())
def test_the_number_of_attempts_is_the_negative_hypergeometric_mean(
    n: int, data: st.DataObject
) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    number = misses(n, c, k, stop=True) + hits(n, c, k, stop=True)
    survivors = [math.comb(n - c, j) / math.comb(n, j) for j in range(k)]
    assert number == pytest.approx(sum(survivors))
    assert number == pytest.approx((n + 1) / (c + 1) * pass_at_k(n + 1, c + 1, k))


@given(st.integers(1, 40), st.data(), st.floats(0, 100), st.floats(0, 100))
def test_to_stop_at_the_first_solve_never_costs_more(
    n: int, data: st.DataObject, unresolved: float, resolved: float
) -> None:
    c = data.draw(st.integers(0, n))
    of = Costs(
        n=np.array([n]),
        c=np.array([c]),
        unresolved=np.array([unresolved if c < n else 0.0]),
        resolved=np.array([resolved if c else 0.0]),
    )
    costs = [
        [expected_cost(of, k, stop=stop)[0] for k in range(1, n + 1)] for stop in (True, False)
    ]
    for stopped, whole in zip(*costs, strict=True):
        assert stopped <= whole * (1 + 1e-9) + 1e-9
    assert np.all(np.diff(costs[0]) >= -1e-9)
    assert costs[1][-1] == pytest.approx(of.unresolved[0] + of.resolved[0])


def test_it_is_unbiased_for_a_model_that_is_asked_until_it_solves() -> None:
    n, k, rate = 9, 4, 0.3
    c = np.arange(n + 1)
    weight = [math.comb(n, i) * rate**i * (1 - rate) ** (n - i) for i in c]
    number = misses(n, c, k, stop=True) + hits(n, c, k, stop=True)
    assert np.dot(weight, number) == pytest.approx((1 - (1 - rate) ** k) / rate)


def test_what_failed_attempts_were_billed_is_borne_by_all_samples() -> None:
    of = table(("t", "m", True, "a", 1.0), ("t", "m", False, "c", 2.0), ("t", "m", None, "d", 4.0))
    assert expected_cost(money(of, failed_cost=3.0), 2, stop=False) == pytest.approx([5.0])


def test_an_unknown_cost_is_never_nothing() -> None:
    known = table(("t", "m", True, "a", 1.0), ("u", "m", False, "c", 1.0))
    unknown = table(("t", "m", True, "a", 1.0), ("u", "m", False, "c", None))
    for of in (money(known, failed_cost=None), money(unknown)):
        (point,) = cost_curve(of, [1])
        assert point.coverage == 0.5
        assert (point.per_issue, point.per_sample, point.per_solve) == (None, None, None)
        assert (point.low, point.high) == (None, None)


def test_an_unknown_cost_that_is_not_drawn_on_does_not_spread() -> None:
    of = table(("t", "a", True, "a", 1.0), ("t", "b", True, "a", None))
    assert expected_cost(money(of, 0), 1, stop=True) == pytest.approx([1.0])
    assert np.isnan(expected_cost(money(of, 1), 1, stop=True)).all()


def test_a_point_says_what_it_stands_on() -> None:
    of = table(
        ("t", "m", True, "a", 1.0),
        ("t", "m", False, "c", 3.0),
        ("u", "m", False, "c", 2.0),
        ("u", "m", False, "c", 2.0),
        ("v", "m", True, "a", 9.0),
    )
    draw, stop = (cost_curve(money(of), [2], stop=stop)[0] for stop in (False, True))
    assert (draw.issues, draw.excluded, draw.coverage) == (2, 1, 0.5)
    assert (draw.samples, draw.per_issue, draw.per_sample) == (2.0, 4.0, 2.0)
    assert draw.per_solve == 8.0
    # Of two issues one is solved: it may be nearly none.
    assert draw.low is not None
    assert draw.high is not None
    assert draw.low < 8.0
    assert draw.high > 80.0
    # a: 1 + 97 % 7 = 7 seconds, c: 2; u has one patch twice.
    assert draw.verify_seconds == pytest.approx((7 + 2 + 2) / 2)
    assert stop.samples == pytest.approx((1.5 + 2) / 2)
    assert stop.per_issue == pytest.approx((2.5 + 4) / 2)
    assert stop.verify_seconds == pytest.approx((7 + 1 + 2) / 2)


def test_a_k_that_nothing_carries_is_unknown() -> None:
    (point,) = cost_curve(money(table(("t", "m", True, "a", 1.0))), [3])
    assert (point.issues, point.excluded) == (0, 1)
    assert (point.coverage, point.samples, point.per_issue, point.per_solve) == (None,) * 4
    assert cost_curve(money(table(("t", "m", True, "a", 1.0))), []) == ()


def test_the_interval_of_cost_per_solve_holds_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        c = draw.binomial(4, draw.beta(1, 2, size=80)).astype(np.int64)
        n = np.full(80, 4)
        of = Costs(n=n, c=c, unresolved=(n - c).astype(float), resolved=c.astype(float))
        (point,) = cost_curve(of, [1])
        assert point.low is not None
        assert point.high is not None
        covered += point.low <= 3.0 <= point.high
    assert covered >= 88


def test_equal_patches_of_an_issue_are_one_whatever_their_order() -> None:
    of = table(
        ("t", "m", False, "d", 1.0),
        ("u", "m", False, "d", 1.0),
        ("t", "m", True, "a", 1.0),
        ("t", "m", False, "d", 1.0),
        ("t", "m", None, "e", 1.0),
        ("u", "n", True, "a", 1.0),
    )
    found = patches(of, 0)
    assert sorted(zip(found.issue, found.size, found.resolved, strict=True)) == [
        (0, 1, True),
        (0, 2, False),
        (1, 1, False),
    ]


def test_no_sample_is_no_patch() -> None:
    assert patches(table(("t", "m", None, "e", 1.0)), 0).seconds.size == 0


def test_a_patch_that_was_judged_twice_with_two_outcomes_is_two() -> None:
    """As when the image of an issue was made anew while its run went on."""
    of = money(table(*[("t", "m", resolved, "a", 1.0) for resolved in (True, True, False)]))
    assert of.patches is not None
    assert (of.patches.size.tolist(), of.patches.resolved.tolist()) == ([1, 2], [False, True])
    (every,) = cost_curve(of, [3])
    (until,) = cost_curve(of, [3], stop=True)
    seconds = float(of.patches.seconds[0])
    assert every.verify_seconds == pytest.approx(2 * seconds)
    # The miss comes before both solves in one order of three.
    assert until.verify_seconds == pytest.approx(seconds + seconds / 3)
