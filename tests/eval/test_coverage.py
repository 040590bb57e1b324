"""pass@k against enumeration, exact fractions and closed forms."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.coverage import coverage, interval, ladder, pass_at_k


def exact(n: int, c: int, k: int) -> float:
    return float(1 - Fraction(math.comb(n - c, k), math.comb(n, k)))


@st.composite
def counts(draw: st.DrawFn, n_max: int = 300) -> tuple[int, int, int]:
    n = draw(st.integers(1, n_max))
    return n, draw(st.integers(0, n)), draw(st.integers(1, n))


def test_pass_at_k_is_the_share_of_k_subsets_that_hold_a_resolved_sample() -> None:
    for n in range(1, 8):
        for c, k in itertools.product(range(n + 1), range(1, n + 1)):
            samples = [True] * c + [False] * (n - c)
            subsets = [any(subset) for subset in itertools.combinations(samples, k)]
            assert pass_at_k(n, c, k) == pytest.approx(sum(subsets) / len(subsets), abs=1e-12)


@given(counts())
def test_pass_at_k_is_the_exact_fraction(n_c_k: tuple[int, int, int]) -> None:
    n, c, k = n_c_k
    assert pass_at_k(n, c, k) == pytest.approx(exact(n, c, k), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("n", "c", "k"), [(10_000, 1, 1), (10_000, 1, 9_999), (10_000, 9_000, 3), (10_000, 37, 250)]
)
def test_ten_thousand_samples_neither_overflow_nor_lose_digits(n: int, c: int, k: int) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(exact(n, c, k), rel=1e-9)


@given(st.integers(1, 40), st.floats(0, 1), st.data())
def test_pass_at_k_is_unbiased(n: int, rate: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    c = np.arange(n + 1)
    chance_of_c = [math.comb(n, i) * rate**i * (1 - rate) ** (n - i) for i in range(n + 1)]
    expected = float(np.dot(chance_of_c, pass_at_k(n, c, k)))
    assert expected == pytest.approx(1 - (1 - rate) ** k, abs=1e-9)


@given(counts())
def test_another_sample_or_another_solve_never_lowers_it(n_c_k: tuple[int, int, int]) -> None:
    n, c, k = n_c_k
    here = float(pass_at_k(n, c, k))
    assert 0.0 <= here <= 1.0
    if k < n:
        assert pass_at_k(n, c, k + 1) >= here - 1e-12
    if c < n:
        assert pass_at_k(n, c + 1, k) >= here - 1e-12


def test_issues_of_unequal_n_keep_their_own_answer() -> None:
    n, c = np.array([4, 16, 2, 0, 9]), np.array([1, 4, 1, 0, 0])
    together = pass_at_k(n, c, 4)
    assert together == pytest.approx([1.0, exact(16, 4, 4), math.nan, math.nan, 0.0], nan_ok=True)


def test_k_beyond_every_n_is_unknown_everywhere() -> None:
    assert np.isnan(pass_at_k([1, 2, 3], [1, 1, 1], 4)).all()


def test_no_issue_at_all_is_no_answer() -> None:
    assert pass_at_k([], [], 3).shape == (0,)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_impossible_counts_are_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=r"pass@k needs k|must lie between"):
        pass_at_k(n, c, k)


def test_coverage_says_how_many_issues_it_stands_on() -> None:
    point = coverage([8, 8, 3], [8, 0, 3], 4)
    assert (point.coverage, point.issues, point.excluded) == (0.5, 2, 1)


def test_an_issue_without_enough_verdicts_is_not_a_miss() -> None:
    with_owed, without = coverage([8, 8, 0], [2, 1, 0], 8), coverage([8, 8], [2, 1], 8)
    assert with_owed.coverage == without.coverage == 1.0


def test_coverage_without_any_issue_is_unknown() -> None:
    point = coverage([2, 2], [1, 1], 3)
    assert (point.coverage, point.low, point.high, point.issues) == (None, None, None, 0)


def test_one_issue_carries_no_interval() -> None:
    point = coverage([4], [2], 2)
    assert point.coverage is not None
    assert (point.low, point.high) == (None, None)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.integers(0, 5))
def test_the_interval_lies_within_the_values_and_repeats(values: list[float], seed: int) -> None:
    array = np.array(values)
    low, high = interval(array, seed=seed)
    assert array.min() - 1e-12 <= low <= high <= array.max() + 1e-12
    assert (low, high) == interval(array, seed=seed)


def test_the_interval_has_the_width_of_the_binomial_one() -> None:
    solved = np.repeat([1.0, 0.0], [120, 280])
    low, high = interval(solved)
    assert (high - low) / 2 == pytest.approx(1.96 * math.sqrt(0.3 * 0.7 / 400), rel=0.1)
    assert (low + high) / 2 == pytest.approx(0.3, abs=0.005)


def test_the_band_never_falls_as_k_grows() -> None:
    draw = np.random.default_rng(1)
    solved = draw.integers(0, 17, size=30)
    points = [coverage(np.full(30, 16), solved, k) for k in ladder(16)]
    for lower, higher in itertools.pairwise(points):
        assert lower.low is not None
        assert lower.high is not None
        assert higher.low is not None
        assert higher.high is not None
        assert lower.low <= higher.low
        assert lower.high <= higher.high


@given(st.integers(1, 100_000))
def test_the_ladder_doubles_up_to_n(n: int) -> None:
    *doubling, last = ladder(n)
    assert last == n
    assert doubling == [2**i for i in range(len(doubling))]
    assert 2 ** len(doubling) >= n > (doubling[-1] if doubling else 0)


def test_the_ladder_of_a_familiar_run() -> None:
    assert ladder(250) == (1, 2, 4, 8, 16, 32, 64, 128, 250)
    assert ladder(16) == (1, 2, 4, 8, 16)
    assert ladder(1) == (1,)
    assert ladder(0) == ()
