"""pass@k against enumeration, exact fractions, closed forms and published runs."""

import gzip
import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.coverage import (
    common_depth,
    coverage,
    curve,
    curve_of,
    ladder,
    pass_at_k,
    pass_at_ks,
    union_at_ks,
)


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
    with_pending, without = coverage([8, 8, 0], [2, 1, 0], 8), coverage([8, 8], [2, 1], 8)
    assert with_pending.coverage == without.coverage == 1.0


def test_coverage_without_any_issue_is_unknown() -> None:
    point = coverage([2, 2], [1, 1], 3)
    assert (point.coverage, point.low, point.high, point.issues) == (None, None, None, 0)


def test_one_issue_carries_no_interval() -> None:
    point = coverage([4], [2], 2)
    assert point.coverage is not None
    assert (point.low, point.high) == (None, None)


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


def test_all_ks_together_are_each_k_by_itself() -> None:
    n, c = np.array([[4, 16, 2], [9, 0, 9]]), np.array([[1, 4, 1], [0, 0, 9]])
    together = pass_at_ks(n, c, [1, 4, 9])
    assert together.shape == (2, 3, 3)
    for column, k in enumerate([1, 4, 9]):
        np.testing.assert_array_equal(together[..., column], pass_at_k(n, c, k))
    assert pass_at_ks([3, 4], [1, 1], []).shape == (2, 0)


def test_a_curve_is_the_coverage_at_each_k() -> None:
    n, c = [8, 8, 3, 0], [8, 1, 3, 0]
    points = curve(n, c, [1, 3, 8, 9])
    assert points == tuple(coverage(n, c, k) for k in (1, 3, 8, 9))
    assert [(p.issues, p.excluded) for p in points] == [(3, 1), (3, 1), (2, 2), (0, 4)]


def test_no_issue_at_all_has_no_curve() -> None:
    (point,) = curve([], [], [1])
    assert (point.coverage, point.low, point.issues, point.excluded) == (None, None, 0, 0)


def test_issues_that_are_excluded_leave_the_interval_where_it_was() -> None:
    n, c = np.full(60, 8), np.repeat([0, 2, 8], 20)
    (alone,) = curve(n, c, [4])
    (among,) = curve(np.append(n, np.full(60, 3)), np.append(c, np.zeros(60, int)), [4])
    assert (among.coverage, among.low, among.high) == (alone.coverage, alone.low, alone.high)


def test_a_model_that_solves_every_issue_is_not_said_to_solve_all_issues() -> None:
    (point,) = curve([8] * 10, [8] * 10, [8])
    assert (point.coverage, point.high) == (1.0, 1.0)
    assert point.low is not None
    assert 0.7 < point.low < 0.8


@given(st.permutations(range(6)))
def test_the_order_of_the_issues_does_not_matter_to_coverage(order: list[int]) -> None:
    n, c = np.array([4, 16, 2, 0, 9, 9]), np.array([1, 4, 1, 0, 0, 9])
    for point, other in zip(curve(n, c, [1, 4]), curve(n[order], c[order], [1, 4]), strict=True):
        assert point.coverage == pytest.approx(other.coverage)
        assert (point.issues, point.excluded) == (other.issues, other.excluded)


@given(st.lists(st.integers(0, 12), max_size=12))
def test_the_common_depth_keeps_the_most_samples(n: list[int]) -> None:
    kept = {k: k * sum(i >= k for i in n) for k in range(13)}
    assert kept[common_depth(n)] == max(kept.values())
    assert common_depth([16] * 9 + [3]) == 16
    assert common_depth([]) == common_depth([0, 0]) == 0


@pytest.mark.shared_data
def test_published_runs_have_the_coverage_that_is_known_of_them(shared_data: Path) -> None:
    folder = shared_data / "lite-matrix"
    issues = (folder / "instances.txt").read_text().split()
    resolved: dict[str, dict[str, bool]] = {}
    for line in gzip.decompress((folder / "attempts.jsonl.gz").read_bytes()).splitlines():
        row = json.loads(line)
        resolved.setdefault(row["system"], {})[row["instance_id"]] = row["resolved"]
    # An issue that a system left unanswered is one that it did not resolve.
    runs = {
        system: np.array([solved.get(issue, False) for issue in issues], dtype=np.int64)
        for system, solved in resolved.items()
    }
    assert len(issues) == 142
    three = {}
    for prefix, by_run, together in (
        ("acr-run-", [29, 24, 27], 38),
        ("swe-agent-cost_2_", [17, 19, 17], 25),
    ):
        c = np.sum([runs[f"{prefix}{i}"] for i in (1, 2, 3)], axis=0)
        three[prefix] = c
        first, second, third = curve(np.full(142, 3), c, [1, 2, 3])
        assert [int(runs[f"{prefix}{i}"].sum()) for i in (1, 2, 3)] == by_run
        assert first.coverage == pytest.approx(sum(by_run) / 3 / 142)
        assert third.coverage == pytest.approx(together / 142)
        pairs = [runs[f"{prefix}{i}"] | runs[f"{prefix}{j}"] for i, j in ((1, 2), (1, 3), (2, 3))]
        assert second.coverage == pytest.approx(np.mean(pairs))
    assert sorted(int(run.sum()) for run in runs.values()) == [17, 17, 19, 24, 27, 29, 30, 32, 37]
    n, c = np.ones((9, 142), dtype=np.int64), np.array(list(runs.values()))
    assert union_at_ks(n, c, [1]).sum() == pytest.approx(55)
    (both,) = curve_of(union_at_ks(3, np.array(list(three.values())), [3]), [3])
    assert both.coverage == pytest.approx(np.mean(np.any(list(three.values()), axis=0)))
    # Without some issues, as without those that are flaky: as if they were not in the run.
    steady = np.arange(142) % 7 > 0
    (point,) = curve(np.full(142, 3)[steady], three["acr-run-"][steady], [3])
    assert point.issues == steady.sum()
    assert point.coverage == pytest.approx(np.mean(three["acr-run-"][steady] > 0))
