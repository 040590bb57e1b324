"""The frontier against its definition, and on the paper's table."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.cost_at_k import Costs
from eval.frontier import POINTS, frontier, on_frontier, rungs_to

COSTS = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, math.nan])
SHARES = st.sampled_from([0.0, 0.1, 0.1 + 0.2, 0.3, 0.5])


def arm(c: list[int], n: int = 8, price: float = 1.0) -> Costs:
    solved = np.array(c)
    sizes = np.where(solved < 0, 0, n)
    solved = np.maximum(solved, 0)
    return Costs(n=sizes, c=solved, unresolved=price * (sizes - solved), resolved=price * solved)


def dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
    (cost_a, share_a), (cost_b, share_b) = a, b
    share_a, share_b = round(share_a, 9), round(share_b, 9)
    return cost_a <= cost_b and share_a >= share_b and (cost_a, share_a) != (cost_b, share_b)


@given(st.lists(st.tuples(COSTS, SHARES), max_size=12))
def test_a_point_is_on_the_frontier_unless_another_dominates_it_or_it_covers_nothing(
    points: list[tuple[float, float]],
) -> None:
    costs, shares = ([point[i] for point in points] for i in (0, 1))
    members = on_frontier(costs, shares)
    chosen = [point for point, member in zip(points, members, strict=True) if member]
    for point, member in zip(points, members, strict=True):
        if math.isnan(point[0]) or not point[1]:
            assert not member
        elif member:
            assert not any(dominates(other, point) for other in points)
        else:
            assert any(dominates(other, point) for other in chosen)


@given(st.lists(st.tuples(COSTS, SHARES), min_size=1, max_size=8))
def test_resamples_are_judged_each_by_itself(points: list[tuple[float, float]]) -> None:
    costs, shares = np.array(points).T
    orders = [np.roll(np.arange(len(points)), shift) for shift in range(3)]
    together = on_frontier(
        np.stack([costs[order] for order in orders]), np.stack([shares[order] for order in orders])
    )
    for order, members in zip(orders, together, strict=True):
        assert (members == on_frontier(costs, shares)[order]).all()


def test_five_cheap_attempts_dominate_the_papers_single_dear_ones() -> None:
    """Table 1 of "Large Language Monkeys": DeepSeek's 5 attempts, GPT-4o's and Claude's one."""
    cost, share = np.array([10.8, 39, 51]), np.array([0.2962, 0.24, 0.267])
    assert on_frontier(cost, share).tolist() == [True, False, False]
    assert (cost[0] / cost[1:] < 1 / 3).all()
    # Without it, the dearer of the two also solves more.
    assert on_frontier(cost[1:], share[1:]).all()


def test_options_of_every_arm_stand_on_the_same_issues() -> None:
    found = frontier({"a": arm([2, 1, 0, -1]), "b": arm([8, 8, -1, 8], price=9.0)})
    assert (found.issues, found.excluded) == (2, 2)
    assert [option.k for option in found.options] == [*range(1, 9), *range(1, 9)]
    assert found.options[0].coverage == pytest.approx((2 / 8 + 1 / 8) / 2)
    by_name = {(option.arm, option.k): option for option in found.options}
    assert by_name["b", 1].coverage == 1.0
    # Eight of the first cost 8 and solve both issues; one of the second costs 9.
    assert by_name["a", 8].on_frontier
    assert not by_name["b", 1].on_frontier
    assert by_name["b", 2].stability == 0.0


def test_an_arm_without_verdicts_does_not_empty_the_frontier() -> None:
    found = frontier({"a": arm([2, 1]), "waiting": arm([-1, -1])})
    assert {option.arm for option in found.options} == {"a"}
    assert frontier({"waiting": arm([-1, -1])}).options == ()
    assert frontier({}).issues == 0


def test_a_k_that_was_not_drawn_is_no_option() -> None:
    arms = {"a": arm([2, 1]), "b": arm([2, 1])}
    assert [o.arm for o in frontier(arms, ks={"a": [9], "b": [1, 9]}).options] == ["b"]
    assert frontier(arms, ks={"a": [9], "b": [9]}).options == ()


def test_an_unknown_price_is_not_the_cheapest() -> None:
    found = frontier({"a": arm([2, 1]), "b": arm([8, 8], price=math.nan)}, ks={"a": [1], "b": [1]})
    known, unknown = found.options
    assert (known.on_frontier, known.stability) == (True, 1.0)
    assert (unknown.cost, unknown.on_frontier, unknown.stability) == (None, None, None)


def test_one_issue_of_unknown_cost_does_not_lend_its_coverage_for_free() -> None:
    half = Costs(
        n=np.array([1, 1]),
        c=np.array([1, 1]),
        unresolved=np.zeros(2),
        resolved=np.array([1.0, math.nan]),
    )
    (option,) = frontier({"a": half}).options
    assert (option.coverage, option.cost, option.on_frontier) == (1.0, None, None)


def test_how_firm_a_place_on_the_frontier_is_comes_from_the_same_issues() -> None:
    # The dear one is worth its cost on one issue in six.
    cheap, dear = arm([1, 1, 1, 1, 1, 0], n=1), arm([1, 1, 1, 1, 1, 1], n=1, price=2.0)
    _, option = frontier({"cheap": cheap, "dear": dear}).options
    assert option.on_frontier
    assert option.stability == pytest.approx(1 - (5 / 6) ** 6, abs=0.04)


def test_an_option_that_solves_nothing_is_not_worth_its_cost() -> None:
    found = frontier({"a": arm([0, 0]), "b": arm([0, 1], price=5.0)})
    assert not any(option.on_frontier for option in found.options if option.arm == "a")
    assert {option.stability for option in found.options if option.arm == "a"} == {0.0}
    assert all(option.on_frontier for option in found.options if option.arm == "b")


def test_of_one_issue_it_is_not_said_how_firm_a_place_is() -> None:
    assert {option.stability for option in frontier({"a": arm([2])}).options} == {None}


def test_stopping_at_a_solve_makes_the_same_coverage_cheaper() -> None:
    arms = {"a": arm([3, 5, 0])}
    for drawn, stopped in zip(
        frontier(arms).options, frontier(arms, stop=True).options, strict=True
    ):
        assert drawn.cost is not None
        assert stopped.cost is not None
        assert stopped.coverage == drawn.coverage
        assert stopped.cost < drawn.cost or drawn.k == 1


@given(st.integers(1, 20_000))
def test_rungs_are_every_k_while_there_are_few(depth: int) -> None:
    rungs = rungs_to(depth)
    assert rungs[0] == 1
    assert rungs[-1] == depth
    assert len(set(rungs)) == len(rungs) <= POINTS
    assert depth > POINTS or rungs == list(range(1, depth + 1))
