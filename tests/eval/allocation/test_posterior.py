"""What one more sample is worth: against plain enumeration, and in what order it ranks."""

from __future__ import annotations

import numpy as np
import pytest

from eval.allocation.posterior import all_fail, expected_costs, gains
from eval.allocation.prior import RATES, Prior, fit

PRIOR = fit(np.array([[9, 4], [3, 3], [20, 0]]), np.array([[1, 3], [0, 1], [0, 0]]))


def by_hand(prior: Prior, tried: tuple[int, int]) -> float:
    together = sum(
        weight * (1 - a) ** tried[0] * (1 - b) ** tried[1]
        for weight, a, b in zip(prior.ranks, *prior.rates, strict=True)
    )
    alone = 1.0
    for own, times in zip(prior.own, tried, strict=True):
        alone *= sum(w * (1 - rate) ** times for w, rate in zip(own, RATES, strict=True))
    return float(prior.shared * together + (1 - prior.shared) * alone)


@pytest.mark.parametrize("tried", [(0, 0), (1, 0), (3, 2), (50, 7)])
def test_the_chance_that_all_fail_is_the_sum_over_all_rates(tried: tuple[int, int]) -> None:
    assert all_fail(PRIOR, np.array([tried]))[0] == pytest.approx(by_hand(PRIOR, tried))


def test_a_gain_is_the_chance_of_the_first_solve_given_the_failures() -> None:
    failed, pending = (4, 1), (2, 3)
    now = (6, 4)
    expected = [
        (by_hand(PRIOR, now) - by_hand(PRIOR, more)) / by_hand(PRIOR, failed)
        for more in ((7, 4), (6, 5))
    ]
    assert gains(PRIOR, np.array([failed]), np.array([pending]))[0] == pytest.approx(expected)


def test_failures_lower_a_gain_and_pending_ones_lower_it_more() -> None:
    none = np.zeros((1, 2), dtype=np.int64)
    some = np.array([[3, 0]])
    fresh = gains(PRIOR, none, none)[0, 0]
    failed = gains(PRIOR, some, none)[0, 0]
    pending = gains(PRIOR, none, some)[0, 0]
    assert fresh > failed > pending > 0.0


def test_failures_of_one_arm_lower_the_gain_of_another_only_where_difficulty_is_shared() -> None:
    rng = np.random.default_rng(0)
    rate = rng.beta(0.4, 1.0, 500)
    n = np.full((500, 2), 20)
    shared = fit(n, rng.binomial(n, np.stack([rate, rate], axis=1)))
    apart = fit(n, rng.binomial(n, np.stack([rate, rng.permutation(rate)], axis=1)))
    none, some = np.array([[0, 0]]), np.array([[20, 0]])
    for prior, least, most in ((shared, 0.0, 0.3), (apart, 0.8, 1.01)):
        kept = gains(prior, some, none)[0, 1] / gains(prior, none, none)[0, 1]
        assert least < kept < most


def test_the_next_cost_is_of_the_issue_as_far_as_issues_differ_more_than_samples() -> None:
    samples = np.full((3, 1), 4)
    apart, alike = np.array([[40.0], [80.0], [0.4]]), np.array([[38.0], [42.0], [40.0]])
    guess = np.array([1.0])
    # Samples of one issue are all alike, so that the issue is all that matters.
    assert expected_costs(apart, apart**2 / 4, samples, guess) == pytest.approx(apart / 4)
    # They differ as much as the issues do: then an issue says nothing of its next sample.
    wide = alike**2 / 4 + 12.0
    assert expected_costs(alike, wide, samples, guess) == pytest.approx(10.0)
    between = expected_costs(apart, apart**2 / 4 + 400.0, samples, guess)[:, 0]
    assert 10.1 < between[1] < 20.0
    assert 0.1 < between[2] < 10.0


def test_one_sample_of_an_issue_does_not_tell_that_it_is_dear() -> None:
    spent = np.array([[1.0], [9.0], [2.0]])
    costs = expected_costs(spent, spent**2, np.ones((3, 1), np.int64), np.array([1.0]))
    assert costs == pytest.approx(4.0)


def test_an_arm_without_samples_costs_what_is_guessed_in_proportion() -> None:
    spent, guess = np.array([[6.0, 0.0]]), np.array([0.5, 4.0])
    costs = expected_costs(spent, spent**2 / 2, np.array([[2, 0]]), guess)
    assert costs[0, 1] == pytest.approx(24.0)
    none = np.zeros((1, 2))
    assert expected_costs(none, none, none.astype(np.int64), guess)[0] == pytest.approx([0.5, 4.0])


def test_what_is_free_has_a_price_to_divide_by() -> None:
    none = np.zeros((1, 2))
    costs = expected_costs(none, none, np.array([[3, 0]]), np.array([0.0, 0.0]))
    assert np.all(costs > 0.0)
    assert np.all(np.isfinite(1 / costs))
