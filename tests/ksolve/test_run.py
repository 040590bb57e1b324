"""`ksolve run`: what is asked for reaches the plan and the folder, which keeps what it holds."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from eval.plan import Plan
from eval.store import ConfigChangedError, Store
from ksolve.cli import app
from ksolve.commands.run import FREE, configuration, plan_of, short_of, sweep_and_report
from ksolve.earlier import tell_of_earlier
from ksolve.errors import BAD_INPUT, InputError
from ksolve.options import tasks_of
from ksolve.progress import Stages
from ksolve.screen import screen
from ksolve.session import Session
from ksolve.sweep_config import as_toml
from ksolve.sweep_options import resolve_config
from tests.eval.test_sweep import task


def test_a_run_may_go_on_the_other_way(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"answers": ["x"]}\n')
    asked = {"tasks": "starter", "model": [f"scripted:{answers}"], "budget": 1.0}
    for allocate in (None, "adaptive", "uniform"):
        plan = plan_of(resolve_config(None, {**asked, "allocate": allocate}), [task("t")], Stages())
        assert plan.allocate == (allocate or "uniform")
        with Store(tmp_path / "run") as store:
            store.begin(configuration(plan, "starter"), free=FREE)


def test_another_way_is_refused() -> None:
    with pytest.raises(InputError, match="allocate"):
        resolve_config(None, {"tasks": "starter", "model": ["m"], "allocate": "greedy"})


def test_a_run_of_an_earlier_version_goes_on_and_is_told_what_is_other(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"answers": ["x"]}\n')
    asked = resolve_config(None, {"tasks": "starter", "model": [f"scripted:{answers}"]})
    now = configuration(plan_of(asked, [task("t")], Stages()), "starter")
    (settings,) = now["settings"].values()
    # All that an earlier version had, so that nothing differs.
    sampling = {"temperature", "top_p", "max_tokens", "seed", "reasoning_effort", "extra_body"}
    assert settings.keys() == sampling | {
        "strategy",
        "version",
        "context",
        "context_window",
        "serve",
    }
    earlier = {name: value for name, value in now.items() if name != "seeds"}
    told = []
    for config in (earlier, now, now):
        console = Console(record=True, file=io.StringIO())
        with Store(tmp_path / "run") as store:
            tell_of_earlier(store.config() or {}, console)
            told.append("An earlier version of ksolve began this run." in console.export_text())
            store.begin(config, free=FREE)
    assert told == [False, True, False]


@pytest.mark.parametrize("given", [None, 5])
def test_the_order_of_the_tasks_is_that_of_the_seed_and_lasts_in_the_folder(
    tmp_path: Path, given: int | None
) -> None:
    asked = resolve_config(None, {"tasks": "starter", "model": ["m", "n"], "seed": given})
    kept = tmp_path / "sweep.toml"
    kept.write_text(as_toml(asked))
    assert asked.seed == resolve_config(kept, {}).seed == (given or 0)


def test_a_limit_takes_the_same_tasks_in_every_command() -> None:
    listed = []
    for limit in ("4", "8"):
        done = CliRunner().invoke(app, ["tasks", "list", "starter", "--limit", limit, "--json"])
        assert done.exit_code == 0, done.output
        listed.append([row["id"] for row in json.loads(done.stdout)])
    few, more = listed
    every = [one.id for one in tasks_of("starter")]
    assert set(few) < set(more)
    assert more == [one for one in every if one in more] != every[:8]
    assert few == [one.id for one in tasks_of("starter", limit=4, seed=0)]


def test_a_folder_of_another_run_keeps_what_that_was_asked_for(tmp_path: Path) -> None:
    kept = tmp_path / "sweep.toml"
    kept.write_text("tasks = 'of the run'\n")
    with Store(tmp_path) as store:
        store.begin({"tasks": "another"})
    session = Session(console=screen(stderr=True), workers=1)
    with pytest.raises(ConfigChangedError):
        sweep_and_report(Plan(tasks=[]), tmp_path, session, source="starter", toml="tasks = 'x'\n")
    assert kept.read_text() == "tasks = 'of the run'\n"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """What runs a model without a price."""
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"answers": ["x"]}\n')
    model = f"scripted:{answers}"
    return ["run", "--tasks", "starter", "--model", model, "--out", str(tmp_path / "run")]


def test_a_variant_that_there_is_not_ends_in_a_sentence(tmp_path: Path, words: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, "--strategy", "loop", "--variant", "foo"])
    assert done.exit_code == BAD_INPUT
    assert "There is no variant 'foo' of loop: choose plain or reproduce-first." in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "given", [["budget-per-issue"], ["budget"], ["budget", "budget-per-sample"]]
)
def test_a_budget_without_a_price_is_refused_by_its_own_name(
    words: list[str], given: list[str]
) -> None:
    done = CliRunner().invoke(app, words + [f"--{name}=1" for name in given])
    assert done.exit_code == BAD_INPUT
    assert f"is unknown, so --{given[0]} cannot be kept: " in done.stderr
    assert f"leave --{' and --'.join(given)} out." in done.stderr


@pytest.mark.parametrize(
    ("spent", "on", "says"),
    [
        ([0.0], "", "Of --budget ($0.10), $0 is spent, and the $0.10 left is less than the next "),
        ([0.04], "", "Of --budget ($0.10), $0.040 is spent, and the $0.060 left is less than the"),
        ([0.1], "", "All of --budget ($0.10) is spent. A larger one goes on from here."),
        ([0.2], "", "All of --budget ($0.10) is spent. A larger one goes on from here."),
        (
            [0.1, 0.08],
            " on each of 2 of 9 issues",
            "Of --budget ($0.10), $0.080 to $0.10 is spent on each of 2 of 9 issues, and the $0 to",
        ),
    ],
)
def test_a_budget_that_is_not_used_up_is_not_called_spent(
    spent: list[float], on: str, says: str
) -> None:
    assert short_of("--budget", 0.1, spent, on=on).startswith(says)
