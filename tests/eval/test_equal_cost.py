"""Who solves more for the same cost: where it is known, where it is chance, where it is unknown."""

import math

import numpy as np
import pytest

from eval.cost_at_k import Costs
from eval.equal_cost import ERROR, EqualCost, compare_all
from eval.paired import FLIPS_AT_ONCE, chosen_pairs, flips_at_once, sign_flips

NAMES = ("small", "large")


def solver(c: list[int], n: int = 8, price: float = 1.0) -> Costs:
    solved, sizes = np.array(c), np.full(len(c), n)
    return Costs(n=sizes, c=solved, unresolved=price * (sizes - solved), resolved=price * solved)


def compared(a: Costs, b: Costs) -> EqualCost:
    (found,) = compare_all([(NAMES[0], a, NAMES[1], b)])
    return found


def test_the_one_that_solves_more_for_the_money_is_named_and_so_is_the_one_that_solves_more() -> (
    None
):
    # One sample each: half of the issues for 1, or three quarters for 10.
    small, large = solver([8, 0] * 20), solver([8, 8, 8, 0] * 10, price=10.0)
    found = compared(small, large)
    assert found.verdict == "a"
    assert (found.cost_a, found.cost_b) == (8.0, 80.0)
    assert found.budgets[-1] == 8.0
    assert "small solves more than large for the same cost: at $" in found.sentence
    assert found.sentence.endswith(
        "With all that was drawn large reaches 75%, and small 50%, at 10 times the cost."
    )


def test_a_comparison_does_not_depend_on_who_comes_first() -> None:
    small, large = solver([8, 0] * 20), solver([8, 8, 8, 0] * 10, price=10.0)
    (there,) = compare_all([("small", small, "large", large)])
    (back,) = compare_all([("large", large, "small", small)])
    assert there.sentence == back.sentence
    assert there.p_values == pytest.approx(back.p_values)
    assert there.difference == pytest.approx(-(back.difference or 0.0))
    assert there.low == pytest.approx(-(back.high or 0.0))


def test_a_budget_buys_samples_and_parts_of_one_by_lot() -> None:
    # 1 of 2 samples resolves every issue: k samples of one cost 1, those of the other 2.
    found = compared(solver([1] * 20, n=2), solver([1] * 20, n=2, price=2.0))
    for budget, small, large in zip(found.budgets, found.solved_a, found.solved_b, strict=True):
        assert small == pytest.approx(min(budget / 2, 1.0))
        assert large == pytest.approx(budget / 4)


def test_where_one_leads_first_and_the_other_above_both_costs_are_named() -> None:
    # The cheap one solves half with any sample and no more; the dear one all, for 4.
    small, large = solver([8, 0] * 50), solver([8, 8] * 50, price=4.0)
    found = compared(small, large)
    assert found.verdict == "a then b"
    assert found.sentence.startswith("Up to $")
    assert "small solves more for the same cost, and from $" in found.sentence
    assert found.sentence.endswith("on large does (of 100 issues).")


def test_few_issues_tell_nothing() -> None:
    found = compared(solver([8, 0, 8]), solver([8, 0, 0]))
    assert found.verdict == "unsaid"
    assert found.sentence.startswith(
        "Which of small and large solves more for the same cost cannot be said from 3 issues: on "
        "average over all costs small solves +"
    )


def test_two_alike_solve_the_same() -> None:
    found = compared(solver([3, 1] * 9), solver([3, 1] * 9))
    assert found.verdict == "same"
    assert found.sentence == "small and large solve the same for the same cost."


@pytest.mark.parametrize("prices", [(math.nan, 1.0), (1.0, math.nan)])
def test_an_unknown_price_never_wins(prices: tuple[float, float]) -> None:
    found = compared(*(solver([3, 1] * 9, price=price) for price in prices))
    unknown = next(n for n, price in zip(NAMES, prices, strict=True) if math.isnan(price))
    assert (found.verdict, found.difference, found.budgets) == ("unknown", None, ())
    assert found.sentence.endswith(f"cannot be said: the cost of {unknown} is unknown.")


def test_what_is_free_has_no_cost_to_compare_at() -> None:
    found = compared(solver([3, 1], price=0.0), solver([3, 1]))
    assert found.sentence.endswith("cannot be said: the cost of small is 0.")


def test_solvers_of_other_issues_are_not_compared() -> None:
    found = compared(solver([0, 0], n=0), solver([1, 2]))
    assert (found.issues, found.verdict) == (0, "unknown")
    assert found.sentence.endswith("cannot be said: no issue has verdicts of both.")


def test_an_issue_that_is_dear_by_chance_does_not_tell_solvers_apart() -> None:
    draw = np.random.default_rng(0)
    said = 0
    for _ in range(200):
        c = draw.binomial(4, draw.beta(1, 2, 12))
        # Some issues are dear for one of them alone, by chance.
        sides = [np.exp(draw.normal(0, 0.7, 12)) for _ in range(2)]
        a, b = (Costs(n=np.full(12, 4), c=c, unresolved=u * (4 - c), resolved=u * c) for u in sides)
        said += compared(a, b).verdict in ("a", "b", "a then b", "b then a")
    assert said <= 200 * ERROR * 1.8


def test_flips_at_once_are_sign_flips_of_one_column() -> None:
    values = np.array([1, 2, -1, 3, 4, 1, -2]) / 4
    assert flips_at_once(values[:, None])[0] == pytest.approx(sign_flips(values))
    assert flips_at_once(np.ones((1, 3))).tolist() == [1.0, 1.0, 1.0]
    assert flips_at_once(np.zeros((40, 2))).tolist() == [1.0, 1.0]


def test_more_columns_make_each_less_sure_and_never_certain() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(0.25, 1, (60, 20))
    alone = np.array([flips_at_once(column[:, None])[0] for column in values.T])
    together = flips_at_once(values)
    assert np.all(together >= alone - 0.03)
    assert together.mean() > 2 * alone.mean()
    assert flips_at_once(np.ones((60, 2))).min() >= 1 / FLIPS_AT_ONCE


def test_of_many_solvers_the_best_are_compared_with_each_other_and_all_with_the_best() -> None:
    assert len(chosen_pairs([0.1] * 8)) == 28
    scores = [0.5, 0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6, 0.0]
    pairs = chosen_pairs(scores)
    assert len(pairs) == 6 + 6
    assert {at for pair in pairs if 2 in pair for at in pair} == set(range(10))
    assert {(2, 4), (4, 6), (6, 8)} <= set(pairs)
    assert (0, 1) not in pairs
