"""A method is said to choose better out of fewer samples only where that is beyond chance."""

from __future__ import annotations

import numpy as np
import pytest

from eval.intervals import TAIL
from eval.selection.peak import peak

KS = (1, 2, 4, 8)
RISES_AND_FALLS = np.array([0.2, 0.4, 0.6, 0.4])


def test_a_fall_on_many_issues_is_told_with_both_shares() -> None:
    found = peak(np.tile(RISES_AND_FALLS, (30, 1)), KS)
    assert found is not None
    assert (found.k, found.last, found.issues) == (4, 8, 30)
    assert (found.share, found.share_at_last) == pytest.approx((0.6, 0.4))
    assert found.p_value < TAIL


def test_the_same_fall_on_few_issues_may_be_chance() -> None:
    assert peak(np.tile(RISES_AND_FALLS, (4, 1)), KS) is None


@pytest.mark.parametrize("curve", [[0.1, 0.2, 0.3, 0.4], [0.4, 0.4, 0.4, 0.4], [0, 0, 0, 0]])
def test_a_curve_that_does_not_fall_has_no_peak(curve: list[float]) -> None:
    assert peak(np.tile(np.array(curve, dtype=np.float64), (30, 1)), KS) is None


def test_only_issues_with_all_samples_are_compared() -> None:
    short = np.array([0.9, 0.9, np.nan, np.nan])
    chance = np.vstack([np.tile(RISES_AND_FALLS, (30, 1)), np.tile(short, (5, 1))])
    found = peak(chance, KS)
    assert found is not None
    assert (found.k, found.issues) == (4, 30)


def test_nothing_is_said_of_no_samples() -> None:
    assert peak(np.zeros((0, 4)), KS) is None
    assert peak(np.zeros((3, 0)), ()) is None


def test_false_alarms_are_as_rare_as_the_level_although_the_best_k_is_looked_for() -> None:
    draw = np.random.default_rng(0)
    told = 0
    for _ in range(200):
        walk = draw.normal(size=(25, 12)).cumsum(axis=1)
        told += peak(walk, range(1, 13)) is not None
    # Of 200 at 2.5%, more than 11 come once in a hundred times.
    assert told <= 11
