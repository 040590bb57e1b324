"""`ksolve simulate`: the same numbers for a person and for a program, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.backend import Usage
from agent.strategy import Proposal
from eval.sample import Sample, SampleKey
from eval.store import Store
from eval.verdict import Verdict
from ksolve.cli import app

TASKS = ["t0", "t1", "t2"]
SAMPLES = 4


def record(folder: Path, model: str, *, cost: float | None, solves: dict[str, int]) -> Path:
    """Record a run of one model; the last so many samples of each task resolve it."""
    with Store(folder) as store:
        store.begin({"task_ids": TASKS, "arms": [[model, "s"]]})
        for task in TASKS:
            for index in range(SAMPLES):
                key = SampleKey(task_id=task, model=model, strategy="s", index=index)
                proposal = Proposal(
                    patch=f"{index}",
                    stop="patch",
                    note="",
                    usage=Usage(output_tokens=10),
                    seconds=1.0,
                    prompt_digest="",
                    trajectory=(),
                )
                store.add_sample(
                    Sample(
                        key=key,
                        proposal=proposal,
                        strategy_version="1",
                        seed=index,
                        temperature=0.0,
                        cost=cost,
                    )
                )
                good = index >= SAMPLES - solves.get(task, 0)
                verdict = Verdict(outcome="resolved" if good else "unresolved", seconds=0.0)
                store.add_verdict(key, f"{task} {index}", verdict)
    return folder


def simulate(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [
        record(tmp_path / "one", "cheap", cost=1.0, solves={"t0": 4}),
        record(tmp_path / "two", "dear", cost=5.0, solves={"t0": 4, "t1": 4}),
    ]


def test_runs_are_joined_and_every_policy_stands_at_every_budget(runs: list[Path]) -> None:
    said = json.loads(
        simulate(*runs, "--budget", "9", "--budget", "3", "--replays", "20", "--json")
    )
    assert (said["schema"], said["axis"], said["unit"]) == (1, "money", "US dollars")
    assert (said["issues"], said["solvers"], said["recorded"]) == (3, ["cheap", "dear"], [4, 4])
    cells = {(one["policy"], one["budget"]): one for one in said["bought"]}
    assert cells["uniform: cheap", 3.0]["solved"] == 1.0
    assert cells["uniform: dear", 3.0]["solved"] == 0.0
    assert cells["uniform, until solved: cheap", 9.0]["cut"] == 0.0
    # One dollar a round for the one that the cheap model solves, five for the other.
    assert cells["cascade, 1 each", 9.0]["solved"] > 1.0
    assert len(cells) == 2 * len({policy for policy, _ in cells})
    assert all(one["spent"] <= one["budget"] for one in said["bought"])


def test_a_person_is_told_what_a_mark_means(runs: list[Path]) -> None:
    text = simulate(*runs, "--budget", "1000", "--replays", "3")
    assert "Issues solved of 3 (s) by" in text
    assert "uniform: cheap" in text
    assert "2.0*" in text
    assert "* more samples were wanted than are recorded" in text
    assert "adaptive" in text


def test_without_a_budget_it_takes_parts_of_what_was_spent(runs: list[Path]) -> None:
    said = json.loads(simulate(*runs, "--replays", "2", "--json"))
    budgets = {one["budget"] for one in said["bought"]}
    assert len(budgets) > 2
    assert max(budgets) < 3 * SAMPLES * (1.0 + 5.0)


def test_an_unknown_price_leaves_the_other_axes(tmp_path: Path) -> None:
    run = record(tmp_path / "run", "m", cost=None, solves={"t0": 1})
    assert "--axis" in simulate(run, code=2)
    said = json.loads(simulate(run, "--axis", "samples", "--budget", "12", "--json"))
    assert said["unit"] == "samples"
    assert {one["spent"] for one in said["bought"] if one["policy"] == "uniform: m"} == {12.0}


@pytest.mark.parametrize("budget", ["inf", "nan"])
def test_a_budget_that_is_no_number_is_refused(tmp_path: Path, budget: str) -> None:
    run = record(tmp_path / "run", "m", cost=1.0, solves={})
    simulate(run, "--budget", budget, code=2)


def test_a_run_that_lacks_what_others_would_have_drawn_is_refused(tmp_path: Path) -> None:
    run = record(tmp_path / "run", "m", cost=1.0, solves={"t0": 1})
    with Store(run) as store:
        config = store.config() or {}
        store.begin({**config, "allocate": "adaptive"}, free=["allocate"])
    assert "--allocate uniform first" in " ".join(simulate(run, code=2).split())


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    simulate(tmp_path, code=2)
