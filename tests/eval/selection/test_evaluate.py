"""A choice is worth what it is expected to solve, in any order, between any and the oracle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.editing.diff import git_diff
from eval.selection.candidates import (
    Candidate,
    Candidates,
    Effort,
    Pure,
    Selection,
    chances,
    select,
    selection,
)
from eval.selection.evaluate import evaluate, to_json
from eval.selection.votes import ANY, FIRST, MAJORITY, weighted


def candidates(answers: str, task_id: str = "a__b-1") -> Candidates:
    """One candidate a letter; equal letters do the same, a dot is no patch."""
    return Candidates(
        task_id=task_id,
        candidates=tuple(
            Candidate(
                model="m",
                strategy="s",
                index=index,
                patch="" if letter == "." else git_diff("x.py", "x = 0\n", f"x = '{letter}'\n"),
            )
            for index, letter in enumerate(answers)
        ),
    )


def right(answers: str, letters: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([letter in letters for letter in answers], dtype=np.bool_)


def chosen(method: Pure, pool: Sequence[Candidates]) -> Selection:
    return selection(method.name, pool, asyncio.run(select(method, pool)))


def worth(answers: str, letters: str, method: Pure) -> float:
    pool = [candidates(answers)]
    return evaluate([right(answers, letters)], [chosen(method, pool)]).results[0].solved.share


@pytest.mark.parametrize(
    ("answers", "letters", "method", "share"),
    [
        ("aab", "a", ANY, 2 / 3),
        ("aab..", "a", ANY, 2 / 3),
        ("...", "", ANY, 0.0),
        ("ba", "a", FIRST, 0.0),
        (".ab", "a", FIRST, 1.0),
        ("aab", "a", MAJORITY, 1.0),
        ("aab", "b", MAJORITY, 0.0),
        ("aabb", "a", MAJORITY, 0.5),
        ("....ab", "a", MAJORITY, 0.5),
        ("abc", "a", MAJORITY, 1 / 3),
    ],
)
def test_the_worth_of_a_choice_is_exact_over_ties(
    answers: str, letters: str, method: Pure, share: float
) -> None:
    assert worth(answers, letters, method) == pytest.approx(share, abs=1e-12)


@given(st.text("abc.", min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_no_number_depends_on_the_order_of_a_pool(answers: str, draw: object) -> None:
    shuffled = "".join(sorted(answers, key=lambda _: draw.random()))  # type: ignore[attr-defined]
    for method in (ANY, MAJORITY):
        assert worth(answers, "a", method) == pytest.approx(worth(shuffled, "a", method))


def test_floor_and_ceiling_are_pass_at_1_and_coverage() -> None:
    answers = ["aab.", "bb", "a"]
    pool = [candidates(text, f"t-{number}") for number, text in enumerate(answers)]
    selections = [chosen(method, pool) for method in (ANY, MAJORITY)]
    found = evaluate([right(text, "a") for text in answers], selections)
    assert found.random.share == pytest.approx((0.5 + 0 + 1) / 3)
    assert found.oracle.share == pytest.approx(2 / 3)
    any_patch, majority = found.results
    assert any_patch.recovered is not None
    assert any_patch.recovered.share == pytest.approx((2 / 3 - 1 / 2) / (1 - 1 / 2))
    assert majority.recovered is not None
    assert majority.recovered.share == pytest.approx(1.0)
    assert (found.issues, found.candidates) == (3, 7)
    for share in (found.random, found.oracle, any_patch.solved):
        assert share.low is not None
        assert share.high is not None
        assert share.low <= share.share <= share.high


def test_where_chance_solves_all_there_is_no_gap_to_recover() -> None:
    pool = [candidates("aa", "t-1"), candidates("b", "t-2")]
    found = evaluate([right("aa", "a"), right("b", "a")], [chosen(MAJORITY, pool)])
    assert found.random.share == found.oracle.share == 0.5
    assert found.results[0].recovered is None
    assert to_json(found)["results"][0]["recovered"] is None


def test_one_issue_carries_no_interval_and_none_is_refused() -> None:
    pool = [candidates("ab")]
    found = evaluate([right("ab", "a")], [chosen(MAJORITY, pool)])
    assert found.results[0].solved.low is None
    with pytest.raises(ValueError, match="no issue"):
        evaluate([], [])


def test_an_interval_holds_the_pairing_of_method_and_floor() -> None:
    """Where a method is always the same part of the gap, no resample says anything else."""
    answers = ["aab", "aac", "aad", "bbc"] * 5
    pool = [candidates(text, f"t-{number}") for number, text in enumerate(answers)]
    verdicts = [right(text, "a") for text in answers]
    found = evaluate(verdicts, [chosen(MAJORITY, pool)])
    recovered = found.results[0].recovered
    assert recovered is not None
    assert [recovered.low, recovered.high] == pytest.approx([1.0, 1.0])


def test_scores_that_differ_by_rounding_are_tied() -> None:
    scores = np.array([0.1 + 0.2, 0.3, 0.2])
    assert chances(scores, np.ones(3, dtype=np.bool_)).tolist() == [0.5, 0.5, 0.0]


def test_what_no_method_wants_is_still_chosen_where_nothing_else_is() -> None:
    nothing = np.full(2, -np.inf)
    assert chances(nothing, np.array([False, True])).tolist() == [0.0, 1.0]
    assert chances(nothing, np.array([False, False])).tolist() == [0.5, 0.5]


def test_a_weighted_vote_sums_scores_and_forgets_those_that_there_are_none_of() -> None:
    pool = candidates("aab.")
    scores = weighted(pool, np.array([2.0, 3.0, 6.0, -np.inf]))
    assert scores.tolist() == [5.0, 5.0, 6.0, -np.inf]


def test_effort_adds_up_and_an_unknown_price_stays_unknown() -> None:
    known, unknown = Effort(cost=0.5, runs=2), Effort(cost=None, runs=1)
    assert (known + known).cost == 1.0
    assert (known + unknown).cost is None
    assert (known + unknown).runs == 3


def test_the_json_form_is_plain() -> None:
    verdicts = [right("ab", "a"), right("aa", "a")]
    even = np.full(2, 0.5)
    of = Selection(
        method="m",
        settings={"judge": "j"},
        chances=(even, even),
        effort=Effort(cost=None, seconds=1.5),
    )
    plain = to_json(evaluate(verdicts, [of]))
    assert json.loads(json.dumps(plain)) == plain
    assert plain["schema"] == 1
    assert plain["results"][0]["settings"] == {"judge": "j"}
    assert plain["results"][0]["effort"]["cost"] is None
