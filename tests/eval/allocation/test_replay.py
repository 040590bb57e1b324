"""What a budget buys: against closed forms, never more than it, and adaptive ahead of uniform."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from eval.allocation import adaptively, fixed
from eval.allocation.matrix import Matrix
from eval.allocation.prior import Counts
from eval.allocation.replay import ADAPTIVE, Bought, default_budgets, replay, shuffled
from eval.allocation.trajectory import Trajectory
from eval.coverage import pass_at_k
from eval.table import Floats
from tests.eval.allocation.known_truth import BUDGETS, by_policy, two_models


def matrix(counts: list[list[int]], *, samples: int, cost: tuple[float, ...] = (1.0,)) -> Matrix:
    """The first so many samples of each issue and arm resolve it."""
    solves = np.array(counts)
    resolved = np.arange(samples) < solves[..., None]
    return Matrix(
        issues=tuple(f"i{n}" for n in range(len(counts))),
        arms=tuple("abc"[: len(cost)]),
        resolved=resolved,
        cost=np.broadcast_to(np.array(cost)[:, None], resolved.shape).copy(),
        recorded=np.full(solves.shape, samples),
    )


def one(bought: tuple[Bought, ...], policy: str) -> Bought:
    return by_policy(bought)[policy][0]


def test_uniform_solves_what_pass_at_k_says() -> None:
    counts = [[0], [1], [2], [5], [10]]
    bought = replay(matrix(counts, samples=10), [15.0], replays=300)
    expected = pass_at_k([10] * 5, [c for (c,) in counts], 3).sum()
    assert one(bought, "uniform: a").solved == pytest.approx(expected, abs=0.15)
    assert one(bought, "uniform: a").spent == 15.0
    assert one(bought, "uniform: a").cut == 0.0


def test_stopping_at_a_solve_buys_as_much_for_less() -> None:
    whole = matrix([[0], [3], [6], [10]], samples=10)
    bought = replay(whole, [1_000.0], replays=400)
    plain, stopping = one(bought, "uniform: a"), one(bought, "uniform, until solved: a")
    assert plain.solved == stopping.solved == 3.0
    # The mean of the first solve's place is (n + 1) / (c + 1).
    assert stopping.spent == pytest.approx(10 + 11 / 4 + 11 / 7 + 1, rel=0.05)
    assert plain.spent == 40.0


def test_no_policy_spends_more_than_the_budget_and_more_money_never_solves_less() -> None:
    budgets = [3.0, 17.0, 40.0, 111.0, 400.0]
    bought = replay(
        two_models(4.0).draw(30, 12, seed=5).matrix, budgets, replays=20, cascades=(2, 5)
    )
    assert len(bought) == len(budgets) * 9
    for row in by_policy(bought).values():
        assert all(entry.spent <= entry.budget for entry in row)
        solved = [entry.solved for entry in row]
        assert solved == sorted(solved)
        assert all(entry.low <= entry.solved <= entry.high for entry in row)


def test_a_cascade_asks_the_dear_arm_only_for_what_the_cheap_one_left() -> None:
    easy_or_hard = matrix([[5, 5]] * 3 + [[0, 5]] * 2, samples=5, cost=(1.0, 10.0))
    row = one(replay(easy_or_hard, [1_000.0], replays=5, cascades=(2,)), "cascade, 2 each")
    assert row.solved == 5.0
    assert row.spent == 3 * 1 + 2 * 2 + 2 * 10
    assert row.cut == 0.0


def test_an_ensemble_takes_the_arms_round_robin() -> None:
    only_second = matrix([[0, 5]], samples=5, cost=(1.0, 10.0))
    bought = replay(only_second, [1_000.0], replays=5)
    row = one(bought, "uniform, until solved: all, round robin")
    assert (row.solved, row.spent) == (1.0, 11.0)
    assert one(bought, "uniform: all, round robin").spent == 55.0


@pytest.mark.parametrize("policy", ["uniform, until solved: a", ADAPTIVE])
def test_a_policy_that_runs_out_of_records_says_so(policy: str) -> None:
    hard = matrix([[0], [4]], samples=4)
    for budget, cut in ((3.0, 0.0), (100.0, 1.0)):
        assert one(replay(hard, [budget], replays=10), policy).cut == cut
    solvable = matrix([[4], [4]], samples=4)
    assert one(replay(solvable, [100.0], replays=10), policy).cut == 0.0


def test_missing_records_of_one_issue_cut_from_where_they_are_wanted() -> None:
    uneven = matrix([[0], [0]], samples=4)
    uneven.recorded[0] = 1
    rounds = fixed.Rounds(name="r", arms=(0,) * 4)
    trajectory = rounds.play(shuffled(uneven, np.random.default_rng(0)))
    assert trajectory.spent.size == 5
    assert trajectory.cut_at == 2.0
    assert not trajectory.stop(2.0).is_cut
    assert trajectory.stop(3.0).is_cut


def test_money_is_kept_when_it_would_buy_next_to_nothing() -> None:
    trajectory = Trajectory(
        spent=np.array([1.0, 2.0, 3.0]),
        solved=np.array([1, 1, 1]),
        index=np.array([0.5, 0.1, 0.001]),
    )
    assert trajectory.stop(3.0, worth=0.05).spent == 2.0
    assert trajectory.stop(100.0, worth=0.05).spent == 3.0
    assert trajectory.stop(0.5).spent == 0.0


def test_one_seed_gives_the_same_answer_and_another_gives_others() -> None:
    recorded = two_models(3.0).draw(20, 10, seed=1).matrix
    first, again, other = (replay(recorded, [50.0], replays=5, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_adaptive_draws_nothing_twice_and_nothing_of_what_is_solved() -> None:
    pool = shuffled(two_models(2.0).draw(40, 30, seed=9).matrix, np.random.default_rng(0))
    trajectory = adaptively.play(pool, 1e9)
    first = np.where(pool.resolved.any(2), pool.resolved.argmax(2) + 1, 30)
    assert trajectory.solved[-1] == pool.resolved.any(axis=(1, 2)).sum()
    # At most: each arm up to its own first solve.
    most = np.take_along_axis(pool.cost.cumsum(2), first[..., None] - 1, axis=2).sum()
    assert trajectory.spent[-1] <= most + 1e-9


def test_default_budgets_rise_and_are_within_what_was_recorded() -> None:
    recorded = two_models(3.0).draw(20, 10, seed=1).matrix
    budgets = default_budgets(recorded)
    assert list(budgets) == sorted(set(budgets))
    assert 0.0 < budgets[0] < budgets[-1] < recorded.cost.sum()


def solved(recorded: Matrix, former: Counts | None = None) -> dict[str, Floats]:
    """Issues that each policy solves with each of the two smallest budgets and the largest."""
    budgets = [len(recorded.issues) * float(BUDGETS[at]) for at in (0, 1, 3)]
    rows = by_policy(replay(recorded, budgets, replays=6, former=former))
    return {name: np.array([entry.solved for entry in row]) for name, row in rows.items()}


@pytest.mark.parametrize("ratio", [1.0, 20.0])
def test_adaptive_hardly_loses_to_a_policy_chosen_in_hindsight(ratio: float) -> None:
    """By not more than it takes to find out which model is better; most where money is short."""
    rows = solved(two_models(ratio).draw(200, 300, seed=1).matrix)
    adaptive = rows.pop(ADAPTIVE)
    best = np.max(list(rows.values()), axis=0)
    assert np.all(adaptive > np.array([0.7, 0.88, 0.96]) * best)
    assert adaptive[2] > 1.03 * rows["uniform: all, round robin"][2]


def test_what_a_former_run_tells_makes_up_for_that() -> None:
    world = two_models(20.0)
    rows = solved(world.draw(200, 300, seed=1).matrix, world.draw(400, 16, seed=2).counts())
    adaptive = rows.pop(ADAPTIVE)
    assert np.all(adaptive > 0.93 * np.max(list(rows.values()), axis=0))


def test_a_covariate_helps_where_it_says_something_and_costs_nothing_where_not() -> None:
    world = two_models(5.0)
    drawn, former = world.draw(200, 300, seed=4), world.draw(400, 16, seed=5).counts()
    plain, useless, useful = (
        solved(dataclasses.replace(drawn.matrix, covariates=covariate), former)[ADAPTIVE]
        for covariate in (None, drawn.covariate(0.0, seed=5), drawn.covariate(0.8, seed=5))
    )
    assert np.all(useless > 0.95 * plain)
    assert np.all(useful > 0.98 * plain)
    assert useful[0] > 1.05 * plain[0]
