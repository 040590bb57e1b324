"""Solvers of one model are told apart wherever a run is given away, and none loses its strategy."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.backend import Message, Usage
from agent.strategy import Proposal
from agent.trajectory import Turn
from eval.predictions import read_predictions
from eval.sample import Sample, SampleKey
from eval.store import Store
from ksolve.cli import app
from ksolve.commands.run import configuration, plan_of
from ksolve.progress import Stages
from ksolve.sweep_config import SolverConfig
from ksolve.sweep_options import resolve_config
from tasks.load import load_tasks

PROPOSAL = Proposal(
    patch="diff --git a/x b/x\n",
    stop="patch",
    note="",
    usage=Usage(calls=1),
    seconds=1.0,
    prompt_digest="p",
    trajectory=(Turn(message=Message(role="assistant", content="a"), usage=Usage(calls=1)),),
)


def recorded(folder: Path, *names: str) -> str:
    """Record one issue by solvers of one model; the first strategy has the word's own name."""
    answers = folder.with_suffix(".answers")
    answers.write_text('{"answers": ["x"]}', encoding="utf-8")
    model = f"scripted:{answers}"
    file = folder.with_suffix(".toml")
    rows = (f'[[solvers]]\nmodel = "{model}"\nstrategy = "loop"\nname = "{name}"' for name in names)
    file.write_text("\n".join(['tasks = "starter"', *rows]), encoding="utf-8")
    asked = resolve_config(file, {})
    tasks = load_tasks("starter", ids=(), limit=1)
    with Store(folder) as store:
        store.begin(configuration(plan_of(asked, tasks, Stages()), "starter"))
        store.add_samples([_sample(tasks[0].id, solver) for solver in asked.solvers])
    return model


def _sample(task_id: str, solver: SolverConfig) -> Sample:
    key = SampleKey(task_id=task_id, model=solver.model, strategy=solver.label, index=0)
    proposal = dataclasses.replace(PROPOSAL, patch=f"diff of {solver.label}\n")
    return Sample(
        key=key,
        proposal=proposal,
        strategy_version="1",
        seed=0,
        temperature=0.8,
        cost=None,
    )


def ksolve(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("names", "endings"), [(("", "rf"), ("__loop", "__rf")), (("rf",), ("",)), (("",), ("",))]
)
def test_predictions_of_two_solvers_of_a_model_are_of_two_names(
    tmp_path: Path, names: tuple[str, ...], endings: tuple[str, ...]
) -> None:
    model = recorded(tmp_path / "run", *names)
    ksolve("export", tmp_path / "run", "--predictions", tmp_path / "p.jsonl")
    read = {one.model: one.patch for one in read_predictions(tmp_path / "p.jsonl")}
    labels = [name or "loop" for name in names]
    assert read == {
        f"{model}{ending}": f"diff of {label}\n"
        for ending, label in zip(endings, labels, strict=True)
    }


def test_a_solver_that_is_called_otherwise_keeps_its_strategy(tmp_path: Path) -> None:
    recorded(tmp_path / "run", "", "rf")
    (task,) = load_tasks("starter", ids=(), limit=1)
    shown = ksolve("show", tmp_path / "run", task.id, "--strategy", "rf")
    assert "strategy    loop, called rf (version 1)" in shown
    assert "strategy    loop (version 1)" in ksolve(
        "show", tmp_path / "run", task.id, "--strategy", "loop"
    )
    told = json.loads(ksolve("show", tmp_path / "run", task.id, "--strategy", "rf", "--json"))
    assert (told["strategy"], told["drawn_by"]) == ("rf", "loop")


def exported(run: Path, form: str, out: Path) -> list[dict[str, Any]]:
    ksolve("export", run, "--trajectories", form, "--out", out)
    files = sorted(out.rglob("*.json")) if out.is_dir() else [out]
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def test_all_that_is_exported_tells_strategy_and_name(tmp_path: Path) -> None:
    run = tmp_path / "run"
    recorded(run, "", "rf")
    own = exported(run, "jsonl", tmp_path / "all.jsonl")
    mini = exported(run, "mini-swe-agent", tmp_path / "mini")
    atif = exported(run, "atif", tmp_path / "atif")
    named = {("loop", "loop"), ("rf", "loop")}
    assert {(one["strategy"], one["drawn_by"]) for one in own} == named
    assert {one["info"]["config"]["agent_type"] for one in mini} == {"ksolve.loop"}
    infos = [one["info"]["ksolve"] for one in mini]
    assert {(one["strategy"], one["drawn_by"]) for one in infos} == named
    extras = [one["agent"]["extra"] for one in atif]
    assert {(one["strategy"], one["drawn_by"]) for one in extras} == named
    ksolve("export", run, "--jsonl", tmp_path / "samples.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert {(one["strategy"], one["drawn_by"]) for one in rows} == named
