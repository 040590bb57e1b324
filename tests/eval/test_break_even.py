"""Break-even of two models, where it is known, where data do not reach, and where it is chance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.break_even import break_even
from eval.cost_at_k import Costs, expected_cost
from eval.coverage import pass_at_k

NAMES = ("small", "large")


def arm(c: list[int], n: int = 8, price: float = 1.0) -> Costs:
    solved, sizes = np.array(c), np.full(len(c), n)
    return Costs(n=sizes, c=solved, unresolved=price * (sizes - solved), resolved=price * solved)


def often(c: list[int], n: int = 8, price: float = 1.0) -> Costs:
    return arm(c * 40, n, price)


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=5),
    st.lists(st.integers(0, 6), min_size=5, max_size=5),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_break_even_is_the_smallest_k_that_covers_as_much(
    small: list[int], large: list[int], stop: bool
) -> None:
    cheap, dear = arm(small, 6), arm(large[: len(small)], 6, price=3.0)
    found = break_even(cheap, dear, names=NAMES, k_dear=2, stop=stop)
    target = pass_at_k(dear.n, dear.c, 2).mean()
    enough = [k for k in range(1, 7) if pass_at_k(cheap.n, cheap.c, k).mean() >= target - 1e-9]
    assert found.coverage == pytest.approx(target)
    assert found.k.value == min(enough, default=None)
    if found.k.value is not None:
        paid = expected_cost(cheap, int(found.k.value), stop=stop).mean()
        assert found.ratio.value == pytest.approx(paid / expected_cost(dear, 2, stop=stop).mean())
        low = found.k.low
        assert low is None or low <= 6


def test_a_break_even_of_unknown_price_has_a_k_and_no_cost() -> None:
    found = break_even(often([4, 8]), often([4, 8], price=math.nan), names=NAMES)
    assert (found.k.value, found.k.low) == (1, 1)
    assert (found.ratio.value, found.ratio.low, found.ratio.high) == (None, None, None)
    assert found.sentence.endswith("; what that costs beside it is unknown.")


def test_a_model_that_solves_nothing_sets_no_target() -> None:
    found = break_even(often([3, 1]), often([0, 0]), names=NAMES)
    assert found.sentence == "large solves none of the 80 issues at k=1."


def test_both_models_are_compared_issue_by_issue() -> None:
    # Their own coverage is hardly known, which is the better one is.
    model, dearer = arm([1, 2, 0, 8] * 100), arm([1, 2, 0, 8] * 100, price=2.0)
    found = break_even(model, dearer, names=NAMES, k_dear=3)
    assert (found.k.low, found.k.value) == (3, 3)
    assert found.k.high in (3, 4)
    assert (found.ratio.low, found.ratio.value) == (0.5, 0.5)


def test_a_break_even_reads_as_a_sentence() -> None:
    found = break_even(arm([1, 2] * 20), arm([4, 8] * 20, price=10.0), names=NAMES)
    assert found.sentence == (
        "small at k=5 (95%: 5 to 6) solves what large does at k=1 (75% of 40 issues), "
        "for 0.5 times its cost (95%: 0.5 to 0.6)."
    )


def test_what_is_out_of_reach_is_not_guessed() -> None:
    found = break_even(often([0, 2]), often([8, 8], price=9.0), names=NAMES)
    assert (found.k.value, found.k.high, found.ratio.value) == (None, None, None)
    assert found.sentence == (
        "small does not solve what large does at k=1 (100% of 80 issues) with the 8 samples drawn."
    )


def test_what_is_just_out_of_reach_may_be_chance() -> None:
    found = break_even(arm([0, *[2] * 9]), arm([8] * 10, price=9.0), names=NAMES)
    assert (found.k.value, found.k.high) == (None, None)
    assert found.k.low is not None
    assert found.sentence == (
        "At which k small solves what large does at k=1 (100% of 10 issues) cannot be said: the "
        "8 samples drawn solve less, but that may be chance."
    )


def test_an_interval_that_leaves_the_data_is_open() -> None:
    # Three issues only the small one solves, one only the large one: which come up more often?
    small, large = arm([1] * 28 + [0, 0]), arm([0] * 3 + [8] * 26 + [0], price=9.0)
    found = break_even(small, large, names=NAMES)
    assert (found.k.value, found.k.high, found.ratio.high) == (8, None, None)
    assert found.sentence.startswith("small at k=8 (95%: ")
    assert " to more than 8) solves what large does at k=1 (87% of 30 issues)" in found.sentence
    assert found.sentence.endswith(" or more).")


def test_models_without_a_common_issue_do_not_break_even() -> None:
    empty = arm([0, 0], 0)
    for a, b in ((empty, arm([1, 2])), (arm([1, 2]), empty)):
        found = break_even(a, b, names=NAMES)
        assert (found.coverage, found.issues) == (None, 0)


def test_one_issue_has_no_interval() -> None:
    reached = break_even(arm([2]), arm([8], price=9.0), names=NAMES)
    assert (reached.k.value, reached.k.low, reached.k.high) == (7, None, None)
    assert (reached.ratio.low, reached.ratio.high) == (None, None)
    assert reached.sentence == (
        "small at k=7 solves what large does at k=1 (100% of 1 issue), for 0.78 times its cost."
    )
    missed = break_even(arm([0]), arm([8], price=9.0), names=NAMES)
    assert "cannot be said" in missed.sentence


def test_what_is_not_money_is_named() -> None:
    cheap, dear = arm([1, 2] * 20), arm([4, 8] * 20, price=10.0)
    found = break_even(cheap, dear, names=NAMES, axis="tokens")
    assert found.sentence.endswith("for 0.5 times its cost in tokens (95%: 0.5 to 0.6).")
