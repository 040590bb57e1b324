"""What an issue shows beforehand moves its prior as far as the counts bear it out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from eval.allocation.covariates import by_group, groups_of, shown
from eval.allocation.prior import RATES, Counts, Prior, fit
from eval.table import Floats, Ints
from tasks.task import Task
from tests.eval.allocation.known_truth import two_models
from tests.eval.test_sweep import task

DRAWN = two_models(5.0).draw(400, 12, seed=0)


def means(covariates: Floats, *, counts: Counts) -> tuple[Prior, Floats, Ints]:
    """The prior, the mean rate of the dear model in each group, and the size of the groups."""
    prior, groups = fit(*counts), groups_of(covariates)
    of = by_group(prior, counts, groups)
    rates = np.array([one.own[1] @ RATES for one in of])
    return prior, rates, np.bincount(groups.of)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_issues_that_seem_easy_have_higher_rates_whichever_way_the_covariate_runs(
    sign: float,
) -> None:
    covariate = sign * DRAWN.covariate(0.5, seed=1)
    prior, rates, sizes = means(covariate, counts=DRAWN.counts())
    assert np.all(np.diff(sign * rates) > 0)
    assert rates.max() > 2 * rates.min()
    # On the whole the rates stay as they are.
    assert rates @ sizes / sizes.sum() == pytest.approx(prior.own[1] @ RATES, rel=0.1)


def test_what_says_nothing_moves_nothing() -> None:
    prior, rates, _ = means(DRAWN.covariate(0.0, seed=2), counts=DRAWN.counts())
    assert rates == pytest.approx(prior.own[1] @ RATES, rel=0.2)


def test_of_two_covariates_the_one_that_says_something_counts() -> None:
    covariates = np.hstack([DRAWN.covariate(0.0, seed=2), DRAWN.covariate(0.7, seed=3)])
    groups = groups_of(covariates)
    of = by_group(fit(*DRAWN.counts()), DRAWN.counts(), groups)
    rates = np.array([one.own[1] @ RATES for one in of])
    correlation = np.corrcoef(groups.scores.T, rates)[2, :2]
    assert correlation[1] > 0.8
    assert abs(correlation[0]) < 0.3


def test_before_any_verdict_all_groups_are_alike() -> None:
    nothing = np.zeros((400, 2), dtype=np.int64)
    _, rates, _ = means(DRAWN.covariate(0.7, seed=3), counts=Counts(nothing, nothing))
    # Either way round is as likely, so that the ends are alike.
    assert rates == pytest.approx(rates[::-1], rel=1e-6)


def test_covariates_that_are_all_alike_or_unknown_tell_nothing_apart() -> None:
    for covariates in (np.zeros((9, 0)), np.ones((9, 2)), np.full((9, 1), np.nan)):
        assert not groups_of(covariates).of.any()


def test_an_issue_shows_its_length_and_the_files_that_it_names() -> None:
    statements = ["a/b.py and a/b.py and c.h", "none at all"]
    tasks = [named(f"t{n}", statement) for n, statement in enumerate(statements)]
    of = shown(["t1", "t0", "gone"], tasks)
    assert of[:2].tolist() == [[11, 0], [25, 2]]
    assert np.isnan(of[2]).all()


def named(name: str, statement: str) -> Task:
    plain = task(name)
    return dataclasses.replace(plain, issue=dataclasses.replace(plain.issue, statement=statement))
