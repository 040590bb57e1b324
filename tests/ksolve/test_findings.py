"""What a report is made of: several runs are one table, and each solver is compared with each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from agent.backend import Usage
from eval.sample import Failure, SampleKey
from eval.store import Store, open_run
from ksolve.findings import Findings, findings, read_run
from ksolve.side_by_side import side_by_side
from tests.ksolve.recorded import LARGE, SMALL, USAGE, record

Found = Callable[..., Findings]


@pytest.fixture
def found() -> Iterator[Found]:
    """The findings of runs, whose stores stay open for the time of a test."""
    with ExitStack() as stack:
        yield lambda *folders, without_flaky=False, axis=None: findings(
            [
                read_run(stack.enter_context(open_run(folder)), without_flaky=without_flaky)
                for folder in folders
            ],
            axis,
        )


def test_one_run_is_told_as_it_is(tmp_path: Path, found: Found) -> None:
    of = found(record(tmp_path / "run"))
    assert of.summary is of.runs[0].summary
    assert [one.label for one in of.solvers] == ["small", "large"]
    assert [one.spent.solved for one in of.solvers] == [3, 5]
    assert [point.k for point in of.solvers[0].arm.pass_at_k] == [1, 2, 4]
    assert [at.k for at in of.solvers[0].costs] == [1, 2, 4]
    assert [at.k for at in of.solvers[0].until_solved] == [1, 2, 4]
    assert of.axis == "money"


def test_a_task_of_one_id_is_one_task_and_no_other_is(tmp_path: Path, found: Found) -> None:
    of = found(
        record(tmp_path / "a", models=[SMALL], issues=["x", "y"]),
        record(tmp_path / "b", models=[LARGE], issues=["y", "z"]),
    )
    assert of.table.tasks == ("x", "y", "z")
    assert [of.table.counts(arm)[0].tolist() for arm in (0, 1)] == [[4, 4, 0], [0, 4, 4]]
    assert of.frontier is not None
    assert (of.frontier.issues, of.frontier.excluded) == (1, 2)
    assert [pairs[0].issues for pairs in of.paired.values()] == [1, 1]
    # A run's own figures are of all its issues, whatever it is compared with.
    assert [arm.issues for arm in of.summary.solvers] == [2, 2]
    assert all(at.issues == 2 for one in of.solvers for at in one.costs)


def test_runs_in_one_table_keep_their_samples_and_share_no_patch(
    tmp_path: Path, found: Found
) -> None:
    of = found(record(tmp_path / "a"), record(tmp_path / "b"))
    first, both = of.runs[0].table, side_by_side([run.table for run in of.runs])
    assert both.arm.size == 2 * first.arm.size
    assert both.arms == first.arms * 2
    assert both.cost.sum() == pytest.approx(2 * first.cost.sum())
    halves = np.split(both.patch, 2)
    assert not set(halves[0].tolist()) & set(halves[1].tolist())


def test_runs_of_one_name_are_numbered(tmp_path: Path, found: Found) -> None:
    of = found(record(tmp_path / "a" / "run"), record(tmp_path / "b" / "run"))
    assert [run.name for run in of.runs] == ["run #1", "run #2"]
    labels = [arm.label for arm in of.summary.solvers]
    assert len(set(labels)) == 4


def test_a_run_against_itself_is_no_different(tmp_path: Path, found: Found) -> None:
    run = record(tmp_path / "run", models=[SMALL])
    of = found(run, run)
    assert list(of.paired) == [1, 4]
    for pairs in of.paired.values():
        assert [(pair.difference, pair.permutation_holm) for pair in pairs] == [(0.0, 1.0)]


def test_without_a_price_costs_are_told_in_what_all_solvers_used(
    tmp_path: Path, found: Found
) -> None:
    of = found(record(tmp_path / "run", cost=None))
    assert of.axis == "tokens"
    assert of.axis_why == (
        "Costs are in tokens, since they are unknown in US dollars (small, large) and in "
        "accelerator seconds (small, large)."
    )
    assert of.frontier is not None
    assert of.frontier.options[0].cost == 1900
    assert of.solvers[0].costs[-1].per_issue == 4 * 1900
    assert len(of.equal_costs) == len(of.break_evens) == 1
    assert of.paired
    assert all(one.selection is not None for one in of.solvers)


def test_a_server_of_our_own_is_told_in_accelerator_seconds(tmp_path: Path, found: Found) -> None:
    usage = dataclasses.replace(USAGE, accelerator_seconds=0.5)
    local = record(tmp_path / "local", models=[SMALL], cost=None, usage=usage)
    of = found(local)
    assert of.axis == "accelerator_seconds"
    assert of.solvers[0].costs[0].per_issue == 0.5
    # Beside a model behind an API they have only tokens in common.
    beside = found(local, record(tmp_path / "api", models=[LARGE]))
    assert beside.axis == "tokens"
    assert beside.frontier is not None
    assert {option.arm for option in beside.frontier.options} == {"local: small", "api: large"}


def test_where_nothing_is_known_of_the_cost_it_is_unknown(tmp_path: Path, found: Found) -> None:
    of = found(record(tmp_path / "run", models=[SMALL], cost=None, usage=Usage()))
    assert of.axis_why == "Costs are in US dollars, unknown of small."
    assert of.frontier is None
    assert not of.equal_costs
    assert {at.per_issue for at in of.solvers[0].costs} == {None}


def test_what_failed_attempts_used_is_borne_by_the_samples_on_every_axis(
    tmp_path: Path, found: Found
) -> None:
    folder = record(tmp_path / "run", models=[SMALL], issues=1, drawn=3)
    key = SampleKey(task_id="t0", model=SMALL, strategy="oneshot", index=3)
    with Store(folder) as store:
        used = Usage(input_tokens=200, output_tokens=100, calls=1)
        store.add_failure(Failure(key=key, stage="sample", message="no", cost=0.3, usage=used))
    assert found(folder).solvers[0].costs[0].per_issue == pytest.approx(0.002 + 0.1)
    in_tokens = found(folder, axis="tokens").solvers[0]
    assert in_tokens.costs[0].per_issue == pytest.approx(1900 + 100)


def test_without_flaky_issues_all_is_that_of_a_run_that_never_had_them(
    tmp_path: Path, found: Found
) -> None:
    whole = record(tmp_path / "a" / "run", drawn=3, flaky=["t0", "t4"], failures=["no"])
    apart = record(tmp_path / "b" / "run", issues=["t1", "t2", "t3", "t5"])
    of, expected = found(whole, without_flaky=True), found(apart)
    assert of.runs[0].left_out == ("t0", "t4")
    assert of.summary.flaky == ()
    assert of.table.tasks == expected.table.tasks
    n, c = of.table.counts(0)
    assert (n.tolist(), c.tolist()) == ([3] * 4, [1, 0, 0, 0])
    assert of.frontier is not None
    assert of.frontier.issues == 4
    assert {pair.issues for pairs in of.paired.values() for pair in pairs} == {4}
    assert {one.scaling.issues for one in of.solvers} == {4}
    assert [one.spent.samples for one in of.solvers] == [12, 12]
    # The failure was one of a flaky issue.
    assert [one.arm.failures for one in found(whole).solvers] == [1, 0]
    assert [one.arm.failures for one in of.solvers] == [0, 0]
    assert not of.runs[0].failures


def test_solvers_together_solve_what_any_of_them_does(tmp_path: Path, found: Found) -> None:
    of = found(record(tmp_path / "run"))
    assert of.together is not None
    # The large one solves all that the small one does: 5 of 6.
    assert [point.k for point in of.together.union] == [1, 2, 4]
    assert of.together.union[-1].coverage == pytest.approx(5 / 6)
    assert [point.k for point in of.together.round_robin] == [1, 2, 4, 8]
    assert of.together.round_robin[0].coverage == of.solvers[0].arm.pass_at_k[0].coverage
    assert of.together.round_robin[-1] == dataclasses.replace(of.together.union[-1], k=8)
    assert found(record(tmp_path / "one", models=[SMALL])).together is None


def test_nothing_that_stands_on_depths_is_said_of_an_adaptive_run(
    tmp_path: Path, found: Found
) -> None:
    adaptive = record(tmp_path / "adaptive", allocate="adaptive")
    alone = found(adaptive)
    assert (alone.frontier, alone.equal_costs, alone.paired) == (None, (), {})
    assert all(one.scaling.law is None for one in alone.solvers)
    assert {at.per_issue for one in alone.solvers for at in one.costs} == {None}
    assert {at.per_solve for one in alone.solvers for at in one.until_solved} == {None}
    scaling = alone.solvers[0].scaling
    assert "followed what was solved" in scaling.cannot_say
    assert scaling.samples_for(0.25).cannot_say == scaling.cannot_say
    beside = found(adaptive, record(tmp_path / "uniform"))
    assert beside.summary.adaptive
    (pair,) = beside.paired[1]
    assert (pair.a, pair.b) == ("uniform: small", "uniform: large")


def test_a_run_that_once_was_adaptive_stays_it(tmp_path: Path, found: Found) -> None:
    folder = record(tmp_path / "run")
    assert not found(folder).summary.adaptive
    with Store(folder) as store:
        store.begin({**(store.config() or {}), "was_adaptive": True}, free=["was_adaptive"])
    assert found(folder).summary.adaptive


def test_a_run_without_verdicts_has_nothing_to_choose_from(tmp_path: Path, found: Found) -> None:
    of = found(record(tmp_path / "run", judged=0))
    assert [one.selection for one in of.solvers] == [None, None]
    assert [one.arm.pending_verdicts for one in of.solvers] == [24, 24]
