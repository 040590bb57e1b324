"""What is chosen out of k samples is the mean over all subsets of k, for every kind of method."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from eval.selection.at_k import EXACT, chosen_at_ks, ks_up_to
from eval.selection.candidates import Candidates, Effort, Floats, Pure, Selection, chances
from eval.selection.evaluate import evaluate
from eval.selection.votes import ANY, FIRST, MAJORITY, majority, weighted
from tests.eval.selection.test_evaluate import candidates, chosen, right

LIKES: Mapping[str, float] = {"a": 3.0, "b": 6.0, "c": 0.0, ".": -np.inf}
BROKEN = "b"


def letters(of: Candidates) -> list[str]:
    """The letter of each candidate, as `candidates` puts it into its patch."""
    return [one.patch.partition("+x = '")[2][:1] or "." for one in of.candidates]


def judge(of: Candidates) -> Floats:
    return np.array([LIKES[letter] for letter in letters(of)])


def without_broken(of: Candidates, scores: Floats) -> Floats:
    """Drop what breaks tests, as `Regression` does: where all would be, none is."""
    broken = np.array([letter == BROKEN for letter in letters(of)])
    keeps = any(letter not in {BROKEN, "."} for letter in letters(of))
    return np.where((broken | (of.behaviour < 0)) & keeps, -np.inf, scores)


METHODS = (
    ANY,
    FIRST,
    MAJORITY,
    Pure("judge", judge),
    Pure("weighted", lambda of: weighted(of, judge(of))),
    Pure("regression", lambda of: without_broken(of, np.zeros(len(of.candidates)))),
    Pure("regression+majority", lambda of: without_broken(of, majority(of))),
)
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def expected(of: Candidates, verdicts: Floats, method: Pure, k: int) -> float:
    """Choose out of every subset, one by one."""
    found = []
    for places in itertools.combinations(range(len(of.candidates)), k):
        some = Candidates(task_id="t", candidates=tuple(of.candidates[i] for i in places))
        found.append(chances(method.rank(some), some.has_patch) @ verdicts[list(places)])
    return float(np.mean(found))


@every_method
@settings(max_examples=25, deadline=None)
@given(answers=st.text("aabbc.", min_size=1, max_size=7), data=st.data())
def test_every_subset_of_k_counts_alike(method: Pure, answers: str, data: st.DataObject) -> None:
    size = len(answers)
    verdicts = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    of = candidates(answers)
    ks = range(1, size + 1)
    found = chosen_at_ks(chosen(method, [of]), [verdicts], [of.has_patch], ks)
    assert found is not None
    brute = [expected(of, verdicts.astype(float), method, k) for k in ks]
    assert found[0] == pytest.approx(brute, abs=1e-12)


@every_method
def test_out_of_all_it_is_the_evaluation_and_out_of_one_it_is_pass_at_1(method: Pure) -> None:
    answers = ["aab.bc", "bbbaa.", "......", "cabcab"]
    pool = [candidates(text, f"t-{number}") for number, text in enumerate(answers)]
    found = evaluate(
        [right(text, "ac") for text in answers],
        [chosen(method, pool)],
        has_patch=[one.has_patch for one in pool],
    )
    (result,) = found.results
    first, last = result.at_k[0], result.at_k[-1]
    assert (first.k, last.k) == (1, 6)
    for point, share in ((first, found.random), (last, result.solved)):
        told = (point.coverage, point.low, point.high)
        assert told == pytest.approx((share.share, share.low, share.high), abs=1e-12)
    assert [point.k for point in result.at_k] == [point.k for point in found.oracle_at_k]
    assert found.oracle_at_k[-1].coverage == pytest.approx(found.oracle.share)


def vote(sizes: list[int]) -> Selection:
    """A vote among groups of these sizes."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    scores = np.repeat(sizes, sizes).astype(np.float64)
    everyone = chances(scores, np.ones(groups.size, dtype=np.bool_))
    return Selection(
        method="majority", chances=(everyone,), groups=(groups,), scores=(scores,), effort=Effort()
    )


@pytest.mark.parametrize("scale", [1, 5], ids=["counted", "drawn"])
def test_two_camps_are_as_the_hypergeometric_distribution_has_it(scale: int) -> None:
    """Above `EXACT` samples subsets are drawn, which comes near."""
    ours, theirs = 60 * scale, 50 * scale
    assert (ours + theirs > EXACT) == (scale > 1)
    verdicts = np.repeat([True, False], [ours, theirs])
    ks = [1, 2, 3, 16, 31, 64, ours + theirs, 1000]
    found = chosen_at_ks(vote([ours, theirs]), [verdicts], [np.ones_like(verdicts)], ks)
    assert found is not None
    for k, chance in zip(ks[:-1], found[0, :-1], strict=True):
        drawn = hypergeom(ours + theirs, ours, k)
        exact = drawn.sf(k // 2) + (drawn.pmf(k // 2) / 2 if k % 2 == 0 else 0)
        assert chance == pytest.approx(exact, abs=1e-9 if scale == 1 or k == 1 else 0.05)
    assert np.isnan(found[0, -1])


def test_what_is_drawn_is_the_same_every_time() -> None:
    verdicts = np.arange(EXACT + 1) % 3 == 0
    asked = vote([200, 200, EXACT - 399]), [verdicts], [np.ones_like(verdicts)], [1, 5, 100]
    first, again = chosen_at_ks(*asked), chosen_at_ks(*asked)
    assert first is not None
    assert again is not None
    assert first.tolist() == again.tolist()


def test_an_issue_counts_only_as_far_as_it_has_samples() -> None:
    answers = ["aabb", "ab"]
    pool = [candidates(text, f"t-{number}") for number, text in enumerate(answers)]
    found = evaluate(
        [right(text, "a") for text in answers],
        [chosen(MAJORITY, pool)],
        has_patch=[one.has_patch for one in pool],
        ks=[3, 9],
    )
    counted = [(point.k, point.issues, point.excluded) for point in found.results[0].at_k]
    assert counted == [(1, 2, 0), (2, 2, 0), (3, 1, 1), (4, 1, 1)]


def test_a_method_that_looks_at_other_samples_has_no_curve() -> None:
    pool = [candidates("aab")]
    pairwise = chosen(Pure("pairwise", judge), pool)
    found = evaluate([right("aab", "a")], [pairwise], has_patch=[pool[0].has_patch])
    assert found.results[0].at_k == ()
    assert found.results[0].peak is None


@pytest.mark.parametrize("n", [1, 8, 64, 250, 1000])
def test_a_curve_is_told_at_its_ladder_and_at_every_small_k(n: int) -> None:
    ks = ks_up_to(n)
    assert ks[0] == 1
    assert ks[-1] == n
    assert {1 << i for i in range(n.bit_length()) if 1 << i <= n} <= set(ks)
    assert set(range(1, min(n, 6) + 1)) <= set(ks)
    assert len(ks) < 64
    assert ks_up_to(0) == ()
