"""Paired tests against enumeration and closed forms, and what is left out of them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.backend import Usage
from eval.paired import FLIPS, Side, compare, compare_all, holm, mcnemar, side, sign_flips
from eval.table import SampleRow, table_of

P_VALUES = st.lists(st.floats(0, 1), max_size=6)


def of(name: str, c: dict[str, int], n: int = 4) -> Side:
    """Make a side whose resolved verdicts came first."""
    solved = np.array(list(c.values()), dtype=np.int64)
    return Side(
        name=name,
        tasks=tuple(c),
        n=np.full(len(c), n),
        c=solved,
        first=(solved > 0).astype(np.int64),
    )


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_the_two_sided_binomial(alone_a: int, alone_b: int) -> None:
    size = alone_a + alone_b
    tail = sum(math.comb(size, i) for i in range(min(alone_a, alone_b) + 1)) / 2**size
    assert mcnemar(alone_a, alone_b) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(alone_a, alone_b) == mcnemar(alone_b, alone_a)


@given(st.lists(st.integers(-4, 4), max_size=9))
@settings(deadline=None)
def test_sign_flips_are_all_tried_while_there_are_few(differences: list[int]) -> None:
    values = np.array(differences) / 4
    flipped = np.array(list(itertools.product([1, -1], repeat=values.size))) @ values
    expected = np.mean(np.abs(flipped) >= abs(values.sum()) - 1e-12)
    assert sign_flips(values) == pytest.approx(expected)


def test_shares_that_are_equal_but_for_rounding_are_no_difference() -> None:
    assert sign_flips(np.full(12, -5.6e-17)) == 1.0


@given(st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=20, deadline=None)
def test_the_two_tests_agree_where_every_issue_is_solved_or_not(a: int, b: int) -> None:
    differences = np.repeat([1.0, -1.0, 0.0], [a, b, 5])
    assert sign_flips(differences) == pytest.approx(mcnemar(a, b), abs=0.02)


def test_many_issues_are_flipped_at_random_and_never_give_nothing() -> None:
    assert sign_flips(np.ones(200)) == pytest.approx(2 / (FLIPS + 1))
    draw = np.random.default_rng(1).normal(size=300)
    assert sign_flips(draw - draw.mean()) > 0.9
    assert sign_flips(draw) == sign_flips(draw)


def test_models_alike_are_told_apart_as_seldom_as_it_says() -> None:
    draw = np.random.default_rng(5)
    found = 0
    for _ in range(200):
        rates = draw.beta(1, 2, size=10)
        found += sign_flips((draw.binomial(8, rates) - draw.binomial(8, rates)) / 8) <= 0.05
    assert found <= 20


@given(P_VALUES)
def test_holm_is_never_below_the_p_value_nor_above_bonferroni(p_values: list[float]) -> None:
    corrected = [p for p in holm(p_values) if p is not None]
    assert len(corrected) == len(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1.0, len(p_values) * p)
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]
    assert holm([]) == []


def test_only_issues_that_both_carry_are_compared_and_the_rest_is_counted() -> None:
    a = of("a", {"only": 4, "x": 4, "y": 2, "shallow": 4})
    a.n[3] = 4
    b = of("b", {"y": 0, "x": 4, "shallow": 1, "other": 0, "unjudged": 0})
    b.n[2], b.n[4] = 1, 0
    found = compare(a, b, k=2)
    assert (found.issues, found.too_few, found.only_a, found.only_b) == (2, 1, 1, 1)
    # x is solved by both; y by two of a's four: pass@2 is 1 - 1/6.
    assert found.pass_a == pytest.approx(11 / 12)
    assert found.pass_b == 0.5
    assert found.difference == pytest.approx(5 / 12)
    assert (found.both, found.alone_a, found.alone_b, found.neither) == (1, 1, 0, 0)
    assert found.mcnemar == 1.0


def test_sides_swapped_are_the_same_comparison_turned_round() -> None:
    draw = np.random.default_rng(2)
    a, b = (of(n, {str(i): int(c) for i, c in enumerate(draw.integers(0, 5, 30))}) for n in "ab")
    there, back = compare(a, b), compare(b, a)
    assert there.difference == pytest.approx(-(back.difference or 0.0))
    assert there.low == pytest.approx(-(back.high or 0.0))
    assert there.mcnemar == back.mcnemar
    assert there.low is not None
    assert there.high is not None
    assert there.difference is not None
    assert there.low <= there.difference <= there.high


def test_nothing_in_common_is_no_answer() -> None:
    found = compare(of("a", {"x": 1}), of("b", {"y": 1}))
    assert (found.issues, found.only_a, found.only_b) == (0, 1, 1)
    assert (found.difference, found.low, found.mcnemar, found.permutation) == (None,) * 4


def test_a_side_compared_with_itself_does_not_differ() -> None:
    a = of("a", {"x": 1, "y": 4})
    found = compare(a, a)
    assert found.difference == 0.0
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 0.0 <= found.high
    assert (found.mcnemar, found.permutation) == (1.0, 1.0)


def test_several_pairs_are_corrected_together() -> None:
    best = of("best", {str(i): 4 for i in range(8)})
    worst = of("worst", {str(i): 0 for i in range(8)})
    middle = of("middle", {str(i): i % 2 * 4 for i in range(8)})
    pairs = compare_all([best, worst, middle])
    assert [(pair.a, pair.b) for pair in pairs] == [
        ("best", "worst"),
        ("best", "middle"),
        ("worst", "middle"),
    ]
    assert pairs[0].mcnemar == pytest.approx(2 / 2**8)
    assert pairs[0].mcnemar_holm == pytest.approx(3 * 2 / 2**8)
    assert pairs[1].permutation == pytest.approx(2 / 2**4)
    assert pairs[1].permutation_holm == pytest.approx(2 * 2 / 2**4)


def test_a_side_solves_with_its_first_k_in_the_order_of_the_samples() -> None:
    outcomes: dict[str, list[str | None]] = {
        "x": ["unresolved", None, "resolved", "resolved"],
        "y": ["timeout"],
        "z": [],
    }
    rows = [
        SampleRow(
            task_id=task,
            model=model,
            strategy="s",
            index=index,
            outcome=outcome,
            usage=Usage(),
            cost=None,
            patch_digest="p",
            verify_seconds=1.0,
        )
        for task, told in outcomes.items()
        for index, outcome in enumerate(told)
        for model in ("m", "other")
    ]
    table = table_of(rows[::-1], tasks=["x", "y", "z"], arms=[("m", "s"), ("other", "s")])
    found = side(table, 0, "m")
    assert found.n.tolist() == [3, 1, 0]
    assert found.c.tolist() == [2, 0, 0]
    # The pending sample is no miss.
    assert found.first.tolist() == [2, 0, 0]
    assert compare(found, found, k=1).neither == 2
    assert compare(found, found, k=2).both == 1
