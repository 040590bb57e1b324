"""`--parameters`: FLOPs are known of any model whose size is told, wherever costs are."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.sample import Failure, SampleKey
from eval.store import Store
from ksolve.cli import app
from ksolve.errors import BAD_INPUT, INFRASTRUCTURE, InputError
from ksolve.prices import parameters_of
from tests.ksolve.recorded import LARGE, SMALL, USAGE, record

TOKENS = USAGE.input_tokens - USAGE.cached_tokens + USAGE.output_tokens
BOTH = ("--parameters", f"{SMALL}=7B", "--parameters", f"{LARGE}=70e9")


def ksolve(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    return result.output


def flops(text: str, model: str) -> float | None:
    """Return FLOPs an issue at k = 1, as `report --csv` has them."""
    (row,) = (r for r in csv.DictReader(io.StringIO(text)) if r["model"] == model and r["k"] == "1")
    return float(row["per_issue"]) if row["per_issue"] else None


def test_a_report_is_told_in_flops_of_the_sizes_that_are_given(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    assert flops(ksolve("report", run, "--csv", "--axis", "flops"), SMALL) is None
    text = ksolve("report", run, "--csv", "--axis", "flops", *BOTH)
    assert flops(text, SMALL) == pytest.approx(2 * 7e9 * TOKENS)
    assert flops(text, LARGE) == pytest.approx(2 * 70e9 * TOKENS)
    # They are comparable then.
    told = " ".join(ksolve("report", run, "--axis", "flops", *BOTH).split())
    assert "Costs are in FLOPs, as asked for." in told


def test_what_failed_attempts_used_is_in_the_flops(tmp_path: Path) -> None:
    run = record(tmp_path / "run", models=[SMALL], samples=4, drawn=3)
    key = SampleKey(task_id="t0", model=SMALL, strategy="oneshot", index=3)
    with Store(run) as store:
        store.add_failure(Failure(key=key, stage="sample", message="it hung", usage=USAGE))
    text = ksolve("report", run, "--csv", "--axis", "flops", "--parameters", f"{SMALL}=1B")
    # Borne by the 18 samples alike.
    assert flops(text, SMALL) == pytest.approx(2 * 1e9 * TOKENS * 19 / 18)


def test_a_simulation_spends_flops_of_the_sizes_that_are_given(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    words = ("simulate", run, "--axis", "flops", "--replays", 2, "--json")
    assert "--parameters openai:small=N" in " ".join(ksolve(*words, code=BAD_INPUT).split())
    said = json.loads(ksolve(*words, "--budget", 2 * 7e9 * TOKENS * 6, *BOTH))
    spent = {one["policy"]: one["spent"] for one in said["bought"]}
    assert spent[f"uniform: {SMALL}"] == pytest.approx(2 * 7e9 * TOKENS * 6)
    assert spent[f"uniform: {LARGE}"] == 0.0


def test_curves_are_exported_in_flops(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    ksolve("export", run, "--jsonl", tmp_path / "curves.jsonl", *BOTH)
    rows = [json.loads(line) for line in (tmp_path / "curves.jsonl").read_text().splitlines()]
    first = {row["model"]: row["flops_per_issue"] for row in rows if row["k"] == 1}
    assert first == pytest.approx({SMALL: 2 * 7e9 * TOKENS, LARGE: 2 * 70e9 * TOKENS})


def test_what_is_kept_with_a_run_counts_until_another_number_is_given(tmp_path: Path) -> None:
    run = record(tmp_path / "run", models=[SMALL])
    with Store(run) as store:
        store.begin((store.config() or {}) | {"parameters": {SMALL: 7e9}}, free=["parameters"])
    words = ("report", run, "--csv", "--axis", "flops")
    assert flops(ksolve(*words), SMALL) == pytest.approx(2 * 7e9 * TOKENS)
    other = ksolve(*words, "--parameters", f"{SMALL}=1B")
    assert flops(other, SMALL) == pytest.approx(2 * 1e9 * TOKENS)
    said = json.loads(
        ksolve("simulate", run, "--axis", "flops", "--budget", 1e15, "--replays", 1, "--json")
    )
    assert said["unit"] == "FLOPs"


def test_a_run_keeps_the_sizes_that_it_was_given(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"answers": ["x"]}\n')
    model, out = f"scripted:{answers}", tmp_path / "run"
    words = ["run", "--tasks", "starter", "--model", model, "--out", str(out)]
    # It begins, and finds that there is no Docker to draw with.
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    # Without them it goes on, too.
    for more in ([], ["--parameters", f"{model}=3B"], []):
        done = CliRunner().invoke(app, [*words, *more], env=nowhere)
        assert done.exit_code == INFRASTRUCTURE, done.output
        if more:
            assert f"{model}=3B" in (out / "sweep.toml").read_text("utf-8")
    with Store(out) as store:
        assert (store.config() or {})["parameters"] == {model: 3e9}


def test_a_model_that_is_not_in_the_run_is_refused_with_those_that_are(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    for command in (["report", run], ["simulate", run], ["export", run, "--jsonl", tmp_path]):
        said = " ".join(ksolve(*command, "--parameters", "gpt=7B", code=BAD_INPUT).split())
        assert "'gpt=7B' names no model of the run" in said
        assert f"{SMALL}, {LARGE}" in said


def test_the_name_of_a_model_may_hold_what_stands_before_its_size() -> None:
    model = "http://host/v1?api-version=2#m"
    assert parameters_of([f"{model}=7B"], [model]) == {model: 7e9}


@pytest.mark.parametrize("text", ["m=", "m=many", "m=-7B", "m=0"])
def test_a_size_that_cannot_be_read_is_refused_with_one_that_can(text: str) -> None:
    with pytest.raises(InputError, match="write m=7e9, or 7B"):
        parameters_of([text], ["m"])
