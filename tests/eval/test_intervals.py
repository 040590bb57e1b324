"""Intervals against exact ones where those are known, and at the edges where others have none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm, ttest_1samp

from eval import intervals
from eval.intervals import TAIL, Floats, of_difference, of_quotient, of_ratio, of_share

SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=30)


def column(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)[:, None]


def ends(interval: Floats) -> tuple[float, float]:
    low, high = interval[:, 0].tolist()
    return low, high


@pytest.mark.parametrize(("solved", "issues"), [(1, 10), (3, 10), (9, 10), (150, 300)])
def test_of_issues_that_are_solved_or_not_it_is_the_mid_p_interval(
    solved: int, issues: int
) -> None:
    low, high = ends(of_share(column([1.0] * solved + [0.0] * (issues - solved))))
    at_low = binom.sf(solved, issues, low) + binom.pmf(solved, issues, low) / 2
    at_high = binom.cdf(solved - 1, issues, high) + binom.pmf(solved, issues, high) / 2
    assert at_low == pytest.approx(TAIL, abs=1e-6)
    assert at_high == pytest.approx(TAIL, abs=1e-6)


def test_where_all_issues_agree_it_still_has_a_width() -> None:
    low, high = ends(of_share(np.ones((10, 1))))
    assert low**10 / 2 == pytest.approx(TAIL, abs=1e-6)
    assert high == 1.0
    assert ends(of_share(np.zeros((10, 1)))) == pytest.approx((0.0, 1 - low))
    half_low, half_high = ends(of_share(np.full((10, 1), 0.5)))
    assert half_low < 0.45
    assert half_high > 0.55


@given(SHARES)
def test_it_holds_the_mean_lies_in_0_to_1_and_turns_with_its_values(values: list[float]) -> None:
    low, high = ends(of_share(column(values)))
    assert 0 <= low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= high <= 1
    turned = ends(of_share(column([1 - value for value in values])))
    assert turned == pytest.approx((1 - high, 1 - low), abs=1e-6)


def test_issues_that_differ_little_are_known_better() -> None:
    draw = np.random.default_rng(0)
    near, far = draw.uniform(0.4, 0.6, (5000, 1)), draw.integers(0, 2, (5000, 1)).astype(float)
    (low, high), (lower, higher) = ends(of_share(near)), ends(of_share(far))
    assert high - low < 0.2 * (higher - lower)
    # It is the width of the normal interval where issues are many.
    assert high - low == pytest.approx(2 * norm.ppf(1 - TAIL) * near.std() / 5000**0.5, rel=0.05)


def test_unknown_issues_are_left_out_and_one_alone_has_no_interval() -> None:
    values = np.array([[1.0, 1.0], [0.0, np.nan], [np.nan, np.nan]])
    interval = of_share(values)
    assert interval[:, 0] == pytest.approx(of_share(values[:2, :1])[:, 0])
    assert np.isnan(interval[:, 1]).all()
    assert np.isnan(of_share(np.empty((0, 2)))).all()


@given(SHARES)
def test_a_difference_turned_round_has_its_interval_turned_round(values: list[float]) -> None:
    a, b = column(values), column(values[::-1])
    low, high = ends(of_difference(a, b))
    assert low - 1e-9 <= 0 <= high + 1e-9
    assert ends(of_difference(b, a)) == pytest.approx((-high, -low), abs=1e-9)


def test_pairs_that_go_together_are_told_apart_better() -> None:
    draw = np.random.default_rng(1)
    one = draw.random((50, 1)) * 0.8
    (low, high), (lower, higher) = (
        ends(of_difference(one + 0.1, other)) for other in (one, draw.permutation(one))
    )
    assert 0 < low < 0.1 < high
    assert high - low < 0.3 * (higher - lower)


def test_two_that_solve_everything_may_still_differ() -> None:
    low, high = ends(of_difference(np.ones((10, 1)), np.ones((10, 1))))
    assert -0.3 < low < -0.2
    assert 0.2 < high < 0.3


def test_a_ratio_is_open_above_where_the_share_may_be_nothing() -> None:
    cost = np.full((30, 1), 2.0)
    low, high = ends(of_ratio(cost, np.eye(30)[:, :1], cost))
    assert 0 < low < 60 < high < np.inf
    assert np.isnan(of_ratio(cost, np.zeros((30, 1)), cost)).all()
    # Equal costs leave the interval of the share alone.
    share_low, share_high = ends(of_share(np.eye(30)[:, :1]))
    assert (low, high) == pytest.approx((2 / share_high, 2 / share_low))


def test_it_does_not_matter_in_what_a_cost_is_told() -> None:
    draw = np.random.default_rng(2)
    cost, solved = draw.random((20, 1)) + 0.5, draw.random((20, 1))
    small = of_ratio(cost * 1e-9, solved, 2e-9 * cost)
    assert small * 1e9 == pytest.approx(of_ratio(cost, solved, 2 * cost))


def test_what_an_issue_costs_that_stays_unsolved_counts_where_all_are_solved() -> None:
    cost, solved = np.full((10, 1), 2.0), np.ones((10, 1))
    low, high = ends(of_ratio(cost, solved, 8 * cost))
    alike = ends(of_ratio(cost, solved, cost))
    assert low < alike[0] <= 2 <= alike[1] < high


def test_shares_of_few_issues_hold_the_truth_as_often_as_they_say() -> None:
    draw = np.random.default_rng(3)
    for a, b in ((2, 1), (0.3, 3), (1, 1)):
        rates = draw.beta(a, b, (10, 3000))
        for k in (1, 8):
            resolved = draw.binomial(8, rates)
            values = resolved / 8 if k == 1 else (resolved > 0).astype(float)
            truth = float(np.mean(1 - (1 - draw.beta(a, b, 300_000)) ** k))
            low, high = of_share(values)
            assert 0.92 < np.mean((low <= truth) & (truth <= high)) <= 1


def test_a_quotient_has_the_ends_at_which_the_difference_may_be_nothing() -> None:
    draw = np.random.default_rng(4)
    below = draw.random((40, 1)) + 0.5
    above = 0.3 * below + draw.normal(0, 0.2, (40, 1))
    for end in ends(of_quotient(above, below)):
        gap = (above - end * below)[:, 0]
        assert ttest_1samp(gap, 0).pvalue == pytest.approx(2 * TAIL, abs=1e-6)
    # Always the same part of it.
    assert ends(of_quotient(0.3 * below, below)) == pytest.approx((0.3, 0.3))
    assert np.isnan(of_quotient(above, draw.normal(0, 1, (40, 1)))).all()


def test_the_level_is_that_of_the_report() -> None:
    assert intervals.LEVEL == 0.95
