"""`ksolve run --allocate`: what is asked for reaches the plan, and may change between sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.store import Store
from ksolve.commands.run import FREE, configuration, plan_of
from ksolve.errors import InputError
from ksolve.progress import Stages
from ksolve.sweep_config import resolve_config
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
