"""The prior finds again what the counts were drawn from, and is careful where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from eval.allocation.prior import RATES, distinct, fit, likelihoods

ISSUES = 1_000


@pytest.mark.parametrize(
    ("a", "b", "hopeless"), [(0.5, 4.5, 0.4), (2.0, 2.0, 0.0), (1.0, 9.0, 0.8)]
)
def test_a_beta_with_a_mass_at_zero_is_found_again(a: float, b: float, hopeless: float) -> None:
    rng = np.random.default_rng(0)
    rates = rng.beta(a, b, (ISSUES, 1)) * (rng.random((ISSUES, 1)) >= hopeless)
    n = rng.integers(20, 200, (ISSUES, 1))
    prior = fit(n, rng.binomial(n, rates))
    assert prior.own[0] @ RATES == pytest.approx(rates.mean(), rel=0.15)
    assert prior.own[0, 0] == pytest.approx(hopeless, abs=0.1)
    # Where the weight lies, too: of those that are solved at all, and of all.
    for rate in (0.05, 0.2, 0.5):
        assert prior.own[0, rate >= RATES].sum() == pytest.approx((rates < rate).mean(), abs=0.1)


def test_leaving_an_issue_at_its_solve_does_not_mislead_it() -> None:
    rng = np.random.default_rng(1)
    rates = rng.beta(1.0, 3.0, ISSUES) * (rng.random(ISSUES) >= 0.3)
    first = rng.geometric(np.maximum(rates, 1e-12))
    n = np.minimum(first, 50)[:, None]
    prior = fit(n, (first <= 50).astype(np.int64)[:, None])
    assert prior.own[0] @ RATES == pytest.approx(rates.mean(), rel=0.15)
    assert prior.own[0, 0] == pytest.approx(0.3, abs=0.12)


@pytest.mark.parametrize("in_step", [True, False])
def test_it_finds_out_whether_the_same_issues_are_hard_for_two_arms(in_step: bool) -> None:
    rng = np.random.default_rng(2)
    first = rng.beta(0.5, 2.0, ISSUES)
    rates = np.stack([first, first**0.5 if in_step else rng.beta(0.5, 2.0, ISSUES)], axis=1)
    n = np.full_like(rates, 30, dtype=np.int64)
    prior = fit(n, rng.binomial(n, rates))
    assert (prior.shared > 0.8) is in_step
    assert (prior.shared < 0.2) is not in_step


def test_an_arm_that_nobody_tried_is_all_that_it_may_be_and_says_nothing_of_another() -> None:
    n = np.array([[100, 0]] * 50)
    rates = np.random.default_rng(4).beta(0.5, 49.5, (50, 1))
    prior = fit(n, np.random.default_rng(5).binomial(n, rates))
    tried, untried = prior.own @ RATES
    assert tried == pytest.approx(rates.mean(), rel=0.3)
    assert untried == pytest.approx(fit(n[:0], n[:0]).own[0] @ RATES)


def test_a_little_bad_luck_does_not_write_an_arm_off_and_much_does() -> None:
    failed_twice = fit(np.array([[1], [1]]), np.array([[0], [0]]))
    failed_often = fit(np.array([[1]] * 80), np.array([[0]] * 80))
    assert failed_twice.own[0] @ RATES > 0.06
    assert failed_often.own[0] @ RATES < 0.02


def test_weights_are_distributions_and_ranks_keep_each_arms_own() -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(0, 9, (40, 3))
    prior = fit(n, rng.binomial(n, [0.1, 0.5, 0.9]))
    assert prior.own.sum(axis=1) == pytest.approx(1.0)
    assert prior.ranks.sum() == pytest.approx(1.0)
    for own, rates in zip(prior.own, prior.rates, strict=True):
        assert np.all(np.diff(rates) >= 0.0)
        again = [prior.ranks[rates == rate].sum() for rate in RATES]
        assert again == pytest.approx(own, abs=1e-12)


def test_a_resolved_sample_rules_out_the_hopeless() -> None:
    chance = likelihoods(np.array([5, 5]), np.array([0, 1]), RATES)
    assert chance[0, 0] == 1.0
    assert chance[1, 0] == 0.0


def test_rows_that_are_alike_are_one_kind() -> None:
    columns = np.array([[3, 0], [1, 2], [3, 0], [0, 3]])
    first, kind = distinct(*columns.T)
    assert first.size == 3
    assert (columns[first][kind] == columns).all()
