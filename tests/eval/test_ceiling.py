"""The law with a ceiling: recovered, rising, and as sure as the counts make it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import ceiling
from eval.ceiling import Ceiling, Ints

KS = [1, 2, 4, 16, 64, 1000]


def counts(issues: int, n: int, never: float, seed: int = 0) -> tuple[Ints, Ints]:
    draw = np.random.default_rng(seed)
    rates = draw.beta(1, 2, issues) * (draw.random(issues) >= never)
    return np.full(issues, n), draw.binomial(n, rates)


def test_the_law_of_many_counts_is_the_one_that_they_were_drawn_by() -> None:
    of = ceiling.fit(*counts(2_000, 64, never=0.3))
    truth = [0.7 * (1 - 2 / (k + 2)) for k in KS]
    assert of.coverage(KS) == pytest.approx(truth, abs=0.03)
    top, low, high = of.top
    assert low - 0.02 < 0.7 < high + 0.02
    assert high - low < 0.06
    assert low <= top <= high


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=12))
@settings(max_examples=15, deadline=None)
def test_coverage_rises_with_k_to_no_more_than_the_ceiling(pairs: list[tuple[int, int]]) -> None:
    of = ceiling.fit([n for n, _ in pairs], [min(c, n) for n, c in pairs])
    curve = of.coverage(KS)
    assert np.all(np.diff(curve) >= -1e-12)
    assert curve[0] >= 0
    assert curve[-1] <= of.top[0] + 1e-9
    for k in KS:
        low, high = of.interval(k)
        assert 0 <= low <= high <= 1


def test_an_entry_may_stand_for_many_issues() -> None:
    n, c = counts(50, 8, never=0.2)
    one = ceiling.fit(n, c)
    kinds, often = np.unique(c, return_counts=True)
    same = ceiling.fit(np.full(kinds.size, 8), kinds, often)
    assert same.coverage(KS) == pytest.approx(one.coverage(KS))


def test_samples_for_a_target_are_those_at_which_the_curve_reaches_it() -> None:
    of = ceiling.fit(*counts(2000, 32, never=0.3))
    k, low, high = of.samples(0.6, most=128)
    assert of.coverage([k])[0] == pytest.approx(0.6, abs=0.01)
    assert low <= k <= high
    assert of.samples(0.9, most=128)[0] == np.inf


def test_more_samples_of_unsolved_issues_make_it_surer_that_they_are_never_solved() -> None:
    def ceiling_of(n: int) -> Ceiling:
        return ceiling.fit([n] * 60, [n // 4] * 30 + [0] * 30)

    few, many = ceiling_of(4), ceiling_of(64)
    assert few.top[2] > 0.9
    assert many.top[2] < 0.75
