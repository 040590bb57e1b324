"""Seeds: each sample and each request has one of its own, which every endpoint takes."""

from __future__ import annotations

import itertools

import pytest

from agent.backend import Sampling
from agent.seeds import SEEDS, request_seed, sample_seed

SOLVERS = [("m", "oneshot"), ("m", "loop"), ("m", "hot"), ("n", "oneshot")]


def test_no_two_samples_of_any_issues_and_solvers_share_a_seed() -> None:
    cells = list(itertools.product(["a", "b", "c"], SOLVERS))
    seeds = [
        sample_seed(0, issue, *solver, index=index)
        for issue, solver in cells
        for index in range(100)
    ]
    seeds += [sample_seed(1, issue, *solver, index=0) for issue, solver in cells]
    assert len(set(seeds)) == len(seeds)


def test_no_two_requests_share_a_seed_however_many_a_sample_sends() -> None:
    samples = [sample_seed(0, "a", *solver, index=n) for solver in SOLVERS for n in range(8)]
    seeds = [request_seed(one, number) for one in samples for number in range(300)]
    # Two of 10,000 have the same one by chance in 2% of the cases; these have not.
    assert len({*seeds, *samples}) == len(seeds) + len(samples)


@pytest.mark.parametrize("seed", [0, -1, 2**31 - 1, 2**80])
def test_seeds_are_whole_numbers_of_31_bits_whatever_the_run_was_given(seed: int) -> None:
    drawn = [sample_seed(seed, f"issue {n}", "m", "s", index=n) for n in range(200)]
    assert all(0 <= one < SEEDS for one in [*drawn, *(request_seed(one, 0) for one in drawn)])
    # They are spread over the whole of it.
    assert min(drawn) < SEEDS / 8
    assert max(drawn) > SEEDS * 7 / 8


def test_seeds_stay_what_they_are_from_version_to_version() -> None:
    """A run that goes on under another version draws what it would have drawn."""
    assert sample_seed(0, "issue", "model", "oneshot", index=3) == 639_360_033
    assert request_seed(7, 2) == 1_472_880_124


def test_without_a_seed_no_request_has_one_and_numbers_rise_all_the_same() -> None:
    asked = Sampling(index=3).of_request(2)
    assert (asked.seed, asked.index) == (None, 5)
