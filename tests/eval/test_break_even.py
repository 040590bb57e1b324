"""Break-even of two models, where it is known, where data do not reach, and where it is chance."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.attempts import Attempts, expected_cost
from eval.break_even import BreakEven, Crossing, break_even, crossing
from eval.coverage import pass_at_k

NAMES = ("small", "large")


def arm(c: list[int], n: int = 8, price: float = 1.0) -> Attempts:
    solved, sizes = np.array(c), np.full(len(c), n)
    return Attempts(n=sizes, c=solved, unresolved=price * (sizes - solved), resolved=price * solved)


def often(c: list[int], n: int = 8, price: float = 1.0) -> Attempts:
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


def test_the_resamples_are_of_both_models_at_once() -> None:
    # Their own coverage differs from resample to resample, which is the better one never does.
    model, dearer = arm([1, 2, 0, 8] * 5), arm([1, 2, 0, 8] * 5, price=2.0)
    found = break_even(model, dearer, names=NAMES, k_dear=3)
    assert (found.k.low, found.k.value, found.k.high, found.none) == (3, 3, 3, 0.0)
    assert found.ratio.low == pytest.approx(0.5)
    assert found.ratio.high == pytest.approx(0.5)


def test_a_break_even_reads_as_a_sentence() -> None:
    found = break_even(arm([1, 2] * 20), arm([4, 8] * 20, price=10.0), names=NAMES)
    assert found.sentence == (
        "small at k=5 (95%: 5 to 6) solves what large does at k=1 (75% of 40 issues), "
        "for 0.5 times its cost (95%: 0.5 to 0.6)."
    )


def test_what_is_out_of_reach_is_not_guessed() -> None:
    found = break_even(often([0, 2]), often([8, 8], price=9.0), names=NAMES)
    assert (found.k.value, found.k.high, found.ratio.value, found.none) == (None, None, None, 1.0)
    assert found.sentence == (
        "small does not solve what large does at k=1 (100% of 80 issues) with the 8 samples drawn."
    )


def test_an_interval_that_leaves_the_data_is_open() -> None:
    # Three issues only the small one solves, one only the large one: which come up more often?
    small, large = arm([1] * 28 + [0, 0]), arm([0] * 3 + [8] * 26 + [0], price=9.0)
    found = break_even(small, large, names=NAMES)
    assert (found.k.value, found.k.high, found.ratio.high) == (8, None, None)
    assert found.none is not None
    assert 0.025 < found.none < 0.2
    assert found.sentence == (
        "small at k=8 (95%: 7 to more than 8) solves what large does at k=1 (87% of 30 "
        "issues), for 0.89 times its cost (95%: 0.78 or more)."
    )


def test_a_break_even_of_unknown_price_has_a_k_and_no_cost() -> None:
    found = break_even(often([4, 8]), often([4, 8], price=math.nan), names=NAMES)
    assert (found.k.value, found.k.low, found.k.high) == (1, 1, 1)
    assert (found.ratio.value, found.ratio.low, found.ratio.high) == (None, None, None)
    assert found.sentence.endswith("; what that costs beside it is unknown.")


def test_models_without_a_common_issue_do_not_break_even() -> None:
    empty = arm([0, 0], 0)
    for a, b in ((empty, arm([1, 2])), (arm([1, 2]), empty)):
        assert break_even(a, b, names=NAMES).coverage is None
        assert break_even(a, b, names=NAMES).issues == 0
        assert crossing(a, b, names=NAMES).sentence == (
            "Which of small and large is the cheaper way cannot be said, because no issue has "
            "verdicts of both."
        )


def test_one_model_may_be_the_cheaper_way_all_along() -> None:
    # A coverage of x costs 4x with the small one, up to 1, and 2x with the large one, up to 1/2.
    found = crossing(often([1, 1, 1, 1], 4), often([1, 1, 0, 0], 1), names=NAMES)
    assert (found.first, found.second) == ("large", "small")
    assert (found.coverage.value, found.changes, found.reach) == (None, 0, 0.5)
    assert (found.first_always, found.second_always) == (1.0, 0.0)
    assert found.sentence == (
        "large is a cheaper way than small to every coverage that both reach, which is up to "
        "50.0% of 160 issues (in 100% of the resamples)."
    )


def test_a_crossing_is_solved_on_the_line_between_two_k() -> None:
    small = often([4, 1], 4)
    large = often([1, 1], 1, price=2.0)
    found = crossing(small, large, names=NAMES)
    # For k, small covers (1 + k / 4) / 2: 5/8 for 1, then 1/8 more for each 1 more. Large covers x
    # for 2x. They meet where 1 + 8 (x - 5/8) = 2x.
    assert found.first == "small"
    assert found.coverage.value == pytest.approx(2 / 3)
    assert found.cost.value == pytest.approx(4 / 3)
    assert found.changes == 1
    assert found.sentence == (
        "small is the cheaper way up to 67% of 80 issues (95%: 57% to 76%), at $1.33 an issue; "
        "large is above it."
    )


def test_a_crossing_does_not_depend_on_who_comes_first() -> None:
    small, large = often([4, 1], 4), often([1, 1], 1, price=2.0)
    one = crossing(small, large, names=NAMES)
    other = crossing(large, small, names=NAMES[::-1])
    assert one.sentence == other.sentence
    assert one.cost.value == pytest.approx(other.cost.value)


def test_where_the_issues_decide_the_crossing_it_is_not_said() -> None:
    # Which of the two is cheaper to begin with hangs on the one hard issue.
    small, large = arm([8, 8, 8, 0], 8), arm([8, 8, 8, 8], 8, price=1.25)
    found = crossing(small, large, names=NAMES)
    assert found.first_always is not None
    assert found.second_always is not None
    assert 0.2 < found.first_always < 0.8
    assert 0.2 < found.second_always < 0.8
    assert "cannot be said" in found.sentence


def test_a_model_that_solves_nothing_sets_no_target() -> None:
    found = break_even(often([3, 1]), often([0, 0]), names=NAMES)
    assert found.sentence == "large solves none of the 80 issues at k=1."


def test_two_models_alike_cost_the_same() -> None:
    found = crossing(often([3, 1]), often([3, 1]), names=NAMES)
    assert found.sentence == "small and large cost the same up to 100%."


def test_no_coverage_in_common_is_said() -> None:
    found = crossing(often([0, 0]), often([3, 1]), names=NAMES)
    assert found.sentence == "small and large reach no coverage in common."
    assert (found.first_always, found.second_always) == (None, None)
    assert (found.coverage.low, found.coverage.high) == (None, None)


def test_resamples_without_a_solve_speak_for_nobody() -> None:
    # A third of the resamples of ten issues lack the only one that is solved.
    once, solved = np.ones(10, dtype=int), np.array([0] * 9 + [1])
    paid = np.array([1.0] * 5 + [2.0] * 4 + [1.5])
    small = Attempts(n=once, c=solved, unresolved=paid * (1 - solved), resolved=paid * solved)
    found = crossing(small, arm(solved.tolist(), 1, price=1.499), names=NAMES)
    assert found.first == "small"
    assert found.first_always is not None
    assert found.second_always is not None
    assert found.first_always + found.second_always == pytest.approx(1.0)
    # Five cheap issues against four dear ones: hardly more than a coin's toss.
    assert 0.45 < found.first_always < 0.65


def test_one_issue_has_no_interval() -> None:
    reached = break_even(arm([2]), arm([8], price=9.0), names=NAMES)
    assert (reached.k.value, reached.k.low, reached.k.high) == (7, None, None)
    assert (reached.ratio.low, reached.ratio.high, reached.none) == (None, None, None)
    assert reached.sentence == (
        "small at k=7 solves what large does at k=1 (100% of 1 issue), for 0.78 times its cost."
    )
    missed = break_even(arm([0]), arm([8], price=9.0), names=NAMES)
    assert missed.sentence == (
        "At which k small solves what large does at k=1 (100% of 1 issue) cannot be said: "
        "k=8 is too little."
    )
    way = crossing(arm([2]), arm([8], price=9.0), names=NAMES)
    assert (way.coverage.low, way.cost.high, way.first_always) == (None, None, None)
    assert way.sentence == (
        "small is a cheaper way than large to every coverage that both reach, which is up to "
        "100% of 1 issue."
    )
    turned = crossing(arm([2]), arm([8], price=6.0), names=NAMES, axis="accelerator_seconds")
    assert turned.sentence == (
        "small is the cheaper way in accelerator seconds up to 94% of 1 issue, "
        "at 5.62 accelerator seconds an issue; large is above it."
    )


def test_what_is_not_money_is_named() -> None:
    cheap, dear = arm([1, 2] * 20), arm([4, 8] * 20, price=10.0)
    found = break_even(cheap, dear, names=NAMES, axis="tokens")
    assert found.sentence.endswith("for 0.5 times its cost in tokens (95%: 0.5 to 0.6).")
    assert crossing(cheap, dear, names=NAMES, axis="tokens").sentence.startswith(
        "small is a cheaper way in tokens than large to every coverage"
    )


@pytest.mark.parametrize("prices", [(math.nan, 1.0), (1.0, math.nan)])
def test_an_unknown_price_never_wins(prices: tuple[float, float]) -> None:
    found = crossing(often([3, 1], price=prices[0]), often([3, 1], price=prices[1]), names=NAMES)
    assert (found.coverage.value, found.first_always) == (None, None)
    unknown = next(n for n, price in zip(NAMES, prices, strict=True) if math.isnan(price))
    assert found.sentence.endswith(f"because the cost of {unknown} is unknown.")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=6))
@settings(max_examples=12, deadline=None)
def test_up_to_the_crossing_the_first_is_cheaper_at_every_k_of_the_second(
    solved: list[tuple[int, int]],
) -> None:
    a, b = arm([x for x, _ in solved], 4), arm([y for _, y in solved], 4, price=1.7)
    found = crossing(a, b, names=NAMES)
    first, second = (a, b) if found.first == "small" else (b, a)
    lines = {}
    for name, of in (("first", first), ("second", second)):
        points = [
            (pass_at_k(of.n, of.c, k).mean(), expected_cost(of, k, stop=False).mean())
            for k in range(1, 5)
        ]
        rising = [(0.0, 0.0)]
        for share, paid in points:
            if share > rising[-1][0] + 1e-9:
                rising.append((share, paid))
        lines[name] = rising
    limit = found.coverage.value if found.coverage.value is not None else (found.reach or 0.0)
    for share, _ in itertools.chain(*lines.values()):
        if share <= limit - 1e-9:
            own, other = (np.interp(share, *np.array(line).T) for line in lines.values())
            assert own <= other + 1e-6


def test_an_answer_is_the_same_every_time() -> None:
    a, b = arm([3, 1, 0, 2], 4), arm([4, 1, 2, 3], 4, price=2.0)
    pairs: list[tuple[BreakEven | Crossing, BreakEven | Crossing]] = [
        (break_even(a, b, names=NAMES), break_even(a, b, names=NAMES)),
        (crossing(a, b, names=NAMES), crossing(a, b, names=NAMES)),
    ]
    assert all(one == again for one, again in pairs)
