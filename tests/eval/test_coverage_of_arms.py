"""Splits, unions and mixtures of several arms against enumeration and what must hold of them."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.coverage import (
    curve_of,
    mixture_at_ks,
    pass_at_ks,
    round_robin_at_ks,
    split_at,
    union_at_ks,
)

Pair = tuple[tuple[int, int], tuple[int, int]]


@st.composite
def two_arms(draw: st.DrawFn, n_max: int = 40) -> Pair:
    """Verdicts of one issue by two arms, then those that resolved it."""
    n = draw(st.integers(1, n_max)), draw(st.integers(1, n_max))
    return n, (draw(st.integers(0, n[0])), draw(st.integers(0, n[1])))


def columns(pair: Pair) -> tuple[list[list[int]], list[list[int]]]:
    """As (arms, issues) of one issue."""
    return [[n] for n in pair[0]], [[c] for c in pair[1]]


def by_enumeration(n: Sequence[int], c: Sequence[int], shares: Sequence[int]) -> float:
    """Go through every choice of samples of every arm."""
    arms = [
        list(itertools.combinations([True] * solved + [False] * (drawn - solved), share))
        for drawn, solved, share in zip(n, c, shares, strict=True)
    ]
    chosen = [any(map(any, choice)) for choice in itertools.product(*arms)]
    return sum(chosen) / len(chosen)


def test_a_split_is_the_share_of_choices_that_hold_a_resolved_sample() -> None:
    shares = list(itertools.product(range(3), range(4), range(2)))
    for c in itertools.product(range(3), range(4), range(2)):
        chance = split_at([[2], [3], [1]], [[solved] for solved in c], shares)
        expected = [by_enumeration((2, 3, 1), c, share) for share in shares]
        assert chance[0] == pytest.approx(expected, abs=1e-12)


def test_a_mixture_is_the_mean_over_every_order_of_arms() -> None:
    weights = 0.5, 0.2, 0.3
    for c in itertools.product(range(5), range(4), range(4)):
        n = 4, 3, 3
        expected = 0.0
        for order in itertools.product(range(3), repeat=3):
            shares = [order.count(arm) for arm in range(3)]
            chance = math.prod(weights[arm] for arm in order)
            expected += chance * by_enumeration(n, c, shares)
        got = mixture_at_ks([[i] for i in n], [[i] for i in c], [3], [5, 2, 3])
        assert got[0, 0] == pytest.approx(expected, abs=1e-12)


def test_round_robin_gives_the_first_arms_one_more() -> None:
    n, c = [[4], [4], [4]], [[1], [2], [3]]
    shares = [[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1], [2, 2, 1]]
    got = round_robin_at_ks(n, c, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(got, split_at(n, c, shares))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.99), st.integers(1, 6))
def test_a_mixture_is_unbiased(p: float, q: float, weight: float, k: int) -> None:
    c = np.array(list(itertools.product(range(7), repeat=2))).T
    each = [math.comb(6, i) * p**i * (1 - p) ** (6 - i) for i in range(7)]
    other = [math.comb(6, i) * q**i * (1 - q) ** (6 - i) for i in range(7)]
    mean = np.outer(each, other).ravel() @ mixture_at_ks(6, c, [k], [weight, 1 - weight])[:, 0]
    assert mean == pytest.approx(1 - (1 - weight * p - (1 - weight) * q) ** k, abs=1e-9)


@given(two_arms(), st.data())
def test_a_union_solves_what_either_solves_and_a_mixture_no_more_than_the_better(
    pair: Pair, data: st.DataObject
) -> None:
    n, c = columns(pair)
    ks = range(1, min(pair[0]) + 1)
    weight = data.draw(st.floats(0.01, 0.99))
    one, other = pass_at_ks(n, c, ks)[:, 0]
    union = union_at_ks(n, c, ks)[0]
    mixture = mixture_at_ks(n, c, ks, [weight, 1 - weight])[0]
    assert np.all(union >= np.maximum(one, other) - 1e-12)
    assert np.all(union <= np.minimum(one + other, 1) + 1e-12)
    assert np.all(mixture <= np.maximum(one, other) + 1e-9)
    assert np.all(mixture >= -1e-12)
    for chance in (union, mixture, round_robin_at_ks(n, c, ks)[0]):
        assert np.all(np.diff(chance) >= -1e-9)


@given(two_arms(), st.floats(0.01, 0.99))
def test_the_order_of_the_arms_does_not_matter_to_unions_and_mixtures(
    pair: Pair, weight: float
) -> None:
    n, c = columns(pair)
    ks = range(1, min(pair[0]) + 1)
    assert union_at_ks(n, c, ks) == pytest.approx(union_at_ks(n[::-1], c[::-1], ks))
    mixed = mixture_at_ks(n, c, ks, [weight, 1 - weight])
    assert mixed == pytest.approx(mixture_at_ks(n[::-1], c[::-1], ks, [1 - weight, weight]))


@given(two_arms())
def test_a_mixture_of_one_arm_is_that_arm(pair: Pair) -> None:
    n, c = columns(pair)
    ks = range(1, pair[0][0] + 1)
    alone = pass_at_ks(n[0], c[0], ks)
    # The arm of weight 0 need not have verdicts enough.
    assert mixture_at_ks(n, c, ks, [2, 0]) == pytest.approx(alone, abs=1e-12)


def test_an_issue_that_one_arm_lacks_is_left_out_whatever_the_other_gave() -> None:
    n, c = [[4, 4], [4, 1]], [[0, 4], [1, 1]]
    (union,) = curve_of(union_at_ks(n, c, [2]), [2])
    (mixture,) = curve_of(mixture_at_ks(n, c, [2], [0.9, 0.1]), [2])
    (turn,) = curve_of(round_robin_at_ks(n, c, [4]), [4])
    assert (union.issues, union.excluded, union.coverage) == (1, 1, 0.5)
    assert (mixture.issues, mixture.excluded) == (turn.issues, turn.excluded) == (1, 1)


@pytest.mark.parametrize("weights", [[1], [0, 0], [1, -1], [1, math.nan], [1, math.inf]])
def test_weights_that_are_no_chances_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="one weight an arm"):
        mixture_at_ks([[2], [2]], [[1], [1]], [1], weights)


def test_a_mixture_of_no_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="needs k"):
        mixture_at_ks([[2], [2]], [[1], [1]], [0], [1, 1])
