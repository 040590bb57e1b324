"""The power law: recovered, held to what it was not fitted to, and silent where it must be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.scaling import MIN_DEPTH, MIN_ISSUES, REACH, Law, fit, fit_law

Counts = tuple[list[int], list[int]]

PUBLISHED = {1: 0.159, 250: 0.56}
"""DeepSeek-Coder-V2-Instruct on SWE-bench Lite (arXiv 2407.21787, section 2)."""

PUBLISHED_AT_5 = 0.2962
"""The same model and benchmark in the paper's table of costs."""


def counts(n: int, issues: int, seed: int = 0, a: float = 0.3, b: float = 3) -> Counts:
    """Draw a run whose issues have their rates from a beta distribution."""
    draw = np.random.default_rng(seed)
    return [n] * issues, draw.binomial(n, draw.beta(a, b, size=issues)).tolist()


@given(st.floats(-10, -0.01), st.floats(-2, -0.02), st.sets(st.integers(1, 10_000), min_size=2))
def test_a_curve_of_the_law_gives_the_law_back(a: float, b: float, ks: set[int]) -> None:
    ladder = np.array(sorted(ks))
    coverage = Law(a=a, b=b).coverage(ladder)
    if np.count_nonzero((coverage > 1e-6) & (coverage < 1 - 1e-6)) < coverage.size:
        return  # Rounding leaves nothing to recover.
    law = fit_law(ladder, coverage)
    assert law is not None
    assert law.coverage(ladder) == pytest.approx(coverage, abs=1e-9)
    assert law.samples(float(coverage[-1])) == pytest.approx(ladder[-1], rel=1e-3)


def test_the_law_through_the_published_points_is_of_the_published_shape() -> None:
    law = fit_law(list(PUBLISHED), list(PUBLISHED.values()))
    assert law is not None
    assert law.a == pytest.approx(math.log(0.159))
    assert law.b == pytest.approx(math.log(math.log(0.56) / math.log(0.159)) / math.log(250))
    assert law.coverage([1, 250]) == pytest.approx([0.159, 0.56])
    assert law.samples(0.56) == pytest.approx(250)
    # A third point that the paper gives, 5 attempts, was not asked.
    assert float(law.coverage(5)) == pytest.approx(PUBLISHED_AT_5, abs=0.03)
    # Nearly a straight line over log k: each doubling brings 4 to 6 points.
    steps = np.diff(law.coverage(2 ** np.arange(9)))
    assert steps.min() > 0.04
    assert steps.max() < 0.06


def test_the_fit_is_close_to_least_squares_in_coverage() -> None:
    draw = np.random.default_rng(3)
    # From 2% to 97%: unweighted, the logarithms of the ends would decide.
    ks = 2.0 ** np.arange(12)
    noisy = Law(a=-4, b=-0.65).coverage(ks) + draw.normal(0, 0.01, size=ks.size)
    law = fit_law(ks, noisy)
    assert law is not None
    a, b = np.meshgrid(np.linspace(-5, -3, 201), np.linspace(-0.8, -0.5, 301))
    squares = (np.exp(a[..., None] * ks ** b[..., None]) - noisy) ** 2
    least = squares.sum(-1).min()
    assert np.sum((law.coverage(ks) - noisy) ** 2) < 1.2 * least


@pytest.mark.parametrize(
    ("ks", "coverage"),
    [
        ([], []),
        ([4], [0.5]),
        ([4, 4], [0.4, 0.5]),
        ([1, 2, 4], [0, 0, 0]),
        ([1, 2, 4], [1, 1, 1]),
        ([1, 2, 4], [0, 0.5, 1]),
        ([1, 2, 4], [0.5, 0.5, 0.5]),
        ([1, 2, 4], [0.5, 0.4, 0.3]),
        ([1, 2, 4], [math.nan, 0.5, 0.5]),
    ],
)
def test_points_without_a_rise_between_0_and_1_have_no_law(
    ks: list[int], coverage: list[float]
) -> None:
    assert fit_law(ks, coverage) is None


@pytest.mark.parametrize(
    ("counted", "why"),
    [
        (([], []), "No issue has a verdict"),
        (([0, 0], [0, 0]), "No issue has a verdict"),
        (([16] * 19, [3] * 19), "20 issues"),
        (([15] * 30, [3] * 30), "16 samples"),
        (([1] * 30, [0, 1] * 15), "16 samples"),
        (([16] * 30, [0] * 30), "No sample resolved"),
        (([64] * 30, [1] * 30), "does not describe"),
    ],
)
def test_data_that_carry_no_answer_give_the_reason(counted: Counts, why: str) -> None:
    scaling = fit(*counted)
    assert why in scaling.cannot_say
    prediction, needed = scaling.predict(20), scaling.samples_for(0.9999)
    assert prediction.cannot_say == scaling.cannot_say
    assert (prediction.coverage, prediction.low, prediction.high) == (None, None, None)
    assert needed.measured or (needed.k, needed.cannot_say) == (None, scaling.cannot_say)


def test_just_enough_data_are_enough() -> None:
    scaling = fit([MIN_DEPTH] * MIN_ISSUES, [16, 12, 10, 9, 8, 6, 5, 4, 3, 3, 2, 2, 1, *[0] * 7])
    assert scaling.cannot_say == ""
    assert scaling.predict(MIN_DEPTH * REACH).coverage is not None


def test_the_error_is_that_of_the_larger_k_under_a_law_of_the_smaller() -> None:
    scaling = fit(*counts(64, 100))
    measured = dict(zip(scaling.ks, scaling.measured, strict=True))
    early = [1, 2, 4, 8, 16]
    law = fit_law(early, [measured[k] for k in early])
    assert law is not None
    assert scaling.held_out_beyond == 16
    missed = max(abs(float(law.coverage(k)) - measured[k]) for k in (32, 64))
    assert scaling.law_error == pytest.approx(missed)


def test_a_prediction_goes_no_farther_than_it_was_tested() -> None:
    scaling = fit(*counts(64, 100))
    assert scaling.predict(64 * REACH).coverage is not None
    beyond = scaling.predict(64 * REACH + 1)
    assert beyond.coverage is None
    assert "more than 4 times the 64 samples" in beyond.cannot_say


def test_what_was_drawn_answers_before_the_law() -> None:
    scaling = fit(*counts(64, 100))
    for k in (3, 17, 64):
        needed = scaling.samples_for(scaling.measured[k - 1])
        assert needed.measured
        assert needed.k == k
        assert needed.low is not None
        assert needed.low <= k <= (needed.high or math.inf)
    # Some half of such runs would not get as far with as many.
    assert scaling.samples_for(scaling.measured[-1]).high is None


def test_more_than_was_drawn_is_answered_by_the_law_where_its_band_meets_the_target() -> None:
    scaling = fit(*counts(64, 2000))
    target = scaling.measured[-1] + 0.03
    needed = scaling.samples_for(target)
    assert not needed.measured
    assert needed.k is not None
    assert needed.low is not None
    assert needed.high is not None
    assert needed.low < needed.k < needed.high
    for k, end in ((needed.low, "high"), (needed.k, "coverage"), (needed.high, "low")):
        assert getattr(scaling.predict(k), end) == pytest.approx(target, abs=0.005)


def test_what_impossible_issues_keep_out_of_reach_is_never_reached() -> None:
    draw = np.random.default_rng(0)
    rates = draw.beta(1, 2, 300) * (draw.random(300) > 0.3)
    scaling = fit([64] * 300, draw.binomial(64, rates))
    assert scaling.ceiling is not None
    top, low, high = scaling.ceiling.top
    assert low < 0.7 < high < 0.75
    assert scaling.samples_for(0.9).never
    assert f"no more than {top:.0%}" in scaling.samples_for(0.9).cannot_say
    assert not scaling.samples_for(0.5).never
    # The power law goes to 1 whatever the issues.
    predicted = scaling.predict(256)
    assert predicted.coverage is not None
    assert predicted.power_law is not None
    truth = 0.7 * (1 - 2 / 258)
    assert abs(predicted.coverage - truth) < 0.05 < predicted.power_law - truth


def test_coverage_that_does_not_rise_has_no_power_law_and_a_ceiling() -> None:
    scaling = fit([16] * 40, [0, 16] * 20)
    assert (scaling.law, scaling.cannot_say) == (None, "")
    assert scaling.predict(64).coverage == pytest.approx(0.5, abs=0.05)
    assert scaling.samples_for(0.9).never


@pytest.mark.parametrize("target", [0.999, 1.0])
def test_a_target_past_the_reach_is_not_answered(target: float) -> None:
    needed = fit(*counts(64, 400)).samples_for(target)
    assert (needed.k, needed.low, needed.high) == (None, None, None)
    assert "more than 256 samples" in needed.cannot_say


@pytest.mark.parametrize("target", [0.0, -0.1, 1.01, math.nan])
def test_a_target_that_is_no_share_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        fit(*counts(16, 20)).samples_for(target)


def test_all_solved_at_once_takes_one_sample() -> None:
    needed = fit([16] * 30, [16] * 30).samples_for(1.0)
    # Of other issues like these, some may never be solved.
    assert (needed.k, needed.low, needed.high, needed.measured) == (1, 1, None, True)


def test_one_issue_carries_no_interval() -> None:
    needed = fit([16], [1]).samples_for(0.5)
    assert (needed.k, needed.low, needed.high) == (8, None, None)


def test_what_is_pending_is_left_out() -> None:
    n, c = counts(64, 100)
    whole, owing = fit(n, c), fit([*n, 0, 5], [*c, 0, 5])
    assert owing.law == whole.law
    assert (owing.issues, owing.excluded) == (100, 2)


def test_the_order_of_the_issues_does_not_matter_to_the_law() -> None:
    n, c = counts(32, 40)
    one, other = fit(n, c).law, fit(n, c[::-1]).law
    assert one is not None
    assert other is not None
    assert (one.a, one.b) == pytest.approx((other.a, other.b))


def test_a_deep_run_is_measured_on_a_grid_that_holds_its_ends() -> None:
    scaling = fit(*counts(10_000, 40))
    assert scaling.ks[0] == 1
    assert scaling.ks[-1] == 10_000
    assert len(scaling.ks) < 300
    assert scaling.samples_for(scaling.measured[-1]).k == 10_000


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 50))
def test_no_run_gives_an_exception_or_a_number_that_is_none(
    depth: int, issues: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    n = draw.integers(0, depth + 1, size=issues)
    scaling = fit(n, draw.binomial(n, draw.choice([0.0, 0.05, 0.5, 1.0], size=issues)))
    for k in (1, depth, 4 * depth):
        point = scaling.predict(k)
        assert (point.coverage is None) == bool(point.cannot_say)
        known = [value for value in (point.coverage, point.low, point.high) if value is not None]
        assert all(0 <= value <= 1 for value in known)
    targets = (0.01, 0.5, 0.99, 1.0)
    answers = [scaling.samples_for(target) for target in targets]
    assert all((needed.k is None) == bool(needed.cannot_say) for needed in answers)
    found = [needed.k for needed in answers if needed.k is not None]
    assert found == sorted(found)


@pytest.mark.parametrize("shape", [(0.3, 3.0), (0.1, 2.0), (1.0, 8.0)])
def test_intervals_hold_what_four_times_the_samples_bring(shape: tuple[float, float]) -> None:
    rates = np.random.default_rng(1).beta(*shape, size=400_000)
    truth = float(np.mean(1 - (1 - rates) ** 256))
    said = [fit(*counts(64, 150, seed, *shape)).predict(256) for seed in range(60)]
    held = [p.low <= truth <= p.high for p in said if p.low is not None and p.high is not None]
    assert len(held) >= 50
    assert sum(held) >= 0.88 * len(held)
