"""The value of an issue, looked ahead to its end: against a recursion over every sample."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from eval.allocation.lookahead import Lookahead, look_ahead
from eval.allocation.posterior import all_fail
from eval.allocation.prior import Prior, fit
from eval.table import Floats

PRIOR = fit(np.array([[9, 4], [3, 3], [20, 0]]), np.array([[1, 3], [0, 1], [0, 0]]))
COSTS = np.array([1.0, 7.0])
MOST = np.array([5, 4])


def by_hand(prior: Prior, price: float) -> tuple[float, Floats]:
    """Value of an issue without samples, and of each arm as the first."""

    def reached(tried: tuple[int, ...]) -> float:
        return float(all_fail(prior, np.array([tried]))[0])

    @functools.cache
    def arms(tried: tuple[int, ...]) -> tuple[float, ...]:
        values = []
        for arm in range(2):
            more = tuple(n + (a == arm) for a, n in enumerate(tried))
            if more[arm] > MOST[arm]:
                values.append(-np.inf)
                continue
            fails = reached(more) / reached(tried)
            later = max(0.0, *arms(more))
            values.append(1 - fails - price * COSTS[arm] + fails * later)
        return tuple(values)

    return max(0.0, *arms((0, 0))), np.array(arms((0, 0)))


def fresh(ahead: Lookahead, price: int) -> Floats:
    none = np.zeros(1, dtype=np.int64)
    values: Floats = ahead.values(ahead.states(np.array([[0, 0]])), none, price)[0]
    return values


@pytest.mark.parametrize("at", [10, 25, 35, 47])
def test_the_value_of_each_first_sample_is_that_of_the_best_that_can_follow(at: int) -> None:
    ahead = look_ahead([PRIOR], COSTS, MOST)
    value, arms = by_hand(PRIOR, float(ahead.prices[at]))
    assert ahead.value[0, 0, at] == pytest.approx(value)
    assert fresh(ahead, at) == pytest.approx(arms)


def test_steps_of_many_samples_come_near_to_every_single_one() -> None:
    single = fit(np.array([[12]] * 40), np.array([[0]] * 30 + [[2]] * 10))
    ahead = look_ahead([single], np.ones(1), np.array([900]))
    survival = all_fail(single, np.arange(901)[:, None])
    gains, draws = -np.diff(survival), survival[:-1]
    for at in (12, 20, 30):
        best = np.maximum(np.cumsum(gains - ahead.prices[at] * draws).max(), 0.0)
        assert ahead.value[0, 0, at] == pytest.approx(best, abs=0.01)


def test_the_less_money_is_left_the_dearer_it_is() -> None:
    ahead = look_ahead([PRIOR], COSTS, MOST)
    issues = np.zeros(50, dtype=np.int64)
    prices = [ahead.price(issues, issues, left) for left in (0.0, 10.0, 100.0, 1e6)]
    assert prices == sorted(prices, reverse=True)
    assert prices[0] > prices[1] > prices[2] > prices[3] == 0


def test_with_money_for_all_a_better_model_comes_first_that_short_money_puts_off() -> None:
    n = np.full((200, 2), 20)
    rate = np.random.default_rng(0).beta(1.0, 3.0, 200)
    prior = fit(n, np.random.default_rng(1).binomial(n, np.stack([rate / 6, rate], axis=1)))
    ahead = look_ahead([prior], np.array([1.0, 10.0]), np.array([400, 400]))
    none = np.zeros(200, dtype=np.int64)
    short, ample = (ahead.price(none, none, left) for left in (100.0, 1e5))
    assert fresh(ahead, short).argmax() == 0
    # The cheap one costs little beside what it saves: it is still worth a first sample.
    steeper = look_ahead([prior], np.array([1.0, 2.0]), np.array([400, 400]))
    assert fresh(steeper, steeper.price(none, none, 1e5)).argmax() == 1
    assert ample < short
