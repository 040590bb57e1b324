"""`ksolve run` as a user runs it: real containers, the scripted model, kills and interruptions."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from tasks.load import load_tasks

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

TASKS = ("ksolve__ledger-1", "ksolve__textfold-1")
SAMPLES = 6


def note(number: int) -> str:
    """An answer that adds a file and mends nothing."""
    return f"notes_{number}.txt\n<<<<<<< SEARCH\n=======\nnote {number}\n>>>>>>> REPLACE\n"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that mends each task with its third sample, and once answers nonsense."""
    path = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    with path.open("w") as file:
        for task in load_tasks("starter", ids=TASKS):
            gold = f"```diff\n{task.oracle.gold_patch}```\n"
            told = [note(0), "I do not know.", gold, note(3), note(3), note(5)]
            first_line = task.issue.statement.strip().splitlines()[0]
            file.write(json.dumps({"match": first_line, "answers": told}) + "\n")
    return path


def command(answers: Path, out: Path) -> list[str]:
    ids = [word for name in TASKS for word in ("--id", name)]
    return [
        *(sys.executable, "-m", "ksolve.cli", "run", "--tasks", "starter", *ids),
        *("--model", f"scripted:{answers}", "--samples", str(SAMPLES), "--out", str(out)),
        *("--price", "in=1,out=1", "--workers", "2", "--fresh", "--json"),
    ]


def counts(report: str) -> dict[str, Any]:
    """Return what two runs of the same plan must agree on."""
    (arm,) = json.loads(report)["solvers"]
    usage = arm["usage"]
    kept = {
        name: arm[name] for name in ("samples", "solved", "outcomes", "pending_samples", "cost")
    }
    return {**kept, "input": usage["input_tokens"], "output": usage["output_tokens"]}


def containers(out: Path) -> list[Any]:
    client = docker.from_env()
    try:
        label = f"ksolve.run={out.resolve()}"
        return list(client.containers.list(all=True, filters={"label": label}))
    finally:
        client.close()


def verdicts(out: Path) -> int:
    try:
        with sqlite3.connect(f"file:{out}/run.db?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM verdicts").fetchone()
            return int(count)
    except sqlite3.OperationalError:
        return 0


@pytest.fixture(scope="module")
def whole_run(answers: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("whole") / "run"
    done = subprocess.run(command(answers, out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert containers(out) == []
    return counts(done.stdout)


def test_a_run_solves_what_its_samples_solve(whole_run: dict[str, Any]) -> None:
    assert whole_run["samples"] == len(TASKS) * SAMPLES
    assert whole_run["solved"] == len(TASKS)
    outcomes = whole_run["outcomes"]
    assert outcomes["resolved"] == len(TASKS)
    assert outcomes["no_patch"] == len(TASKS)
    assert outcomes["unresolved"] == len(TASKS) * (SAMPLES - 2)


def interrupted(answers: Path, out: Path, number: int) -> int:
    """Start a run, send it a signal once it has some verdicts, and return its exit code."""
    # Tests that were started in the background may have been told to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command(answers, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while verdicts(out) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, number)
    return process.wait(timeout=60)


def test_a_killed_run_continues_to_the_same_counts_and_leaves_no_container(
    answers: Path, whole_run: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert interrupted(answers, out, signal.SIGKILL) == -signal.SIGKILL
    assert verdicts(out) < len(TASKS) * (SAMPLES - 1)
    done = subprocess.run(command(answers, out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The same tokens and the same money: nothing was drawn, and so charged, a second time.
    assert counts(done.stdout) == whole_run
    assert containers(out) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_cleans_up_and_continues(
    answers: Path, whole_run: dict[str, Any], tmp_path: Path, number: int
) -> None:
    out = tmp_path / "run"
    assert interrupted(answers, out, number) == 130
    assert containers(out) == []
    done = subprocess.run(command(answers, out), capture_output=True, text=True, check=False)
    assert counts(done.stdout) == whole_run


def test_another_configuration_is_refused_with_the_difference(
    answers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first = subprocess.run(command(answers, out), capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    changed = [*command(answers, out), "--temperature", "0.1"]
    second = subprocess.run(changed, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "temperature was 0.8 and is now 0.1" in second.stderr


def test_gold_and_empty_predictions_come_out_as_they_must(tmp_path: Path) -> None:
    ids = [word for name in TASKS for word in ("--id", name)]
    for name, code, outcome in (("gold", 0, "resolved"), ("empty", 1, "no_patch")):
        words = ("--tasks", "starter", *ids, "--predictions", name, "--out", tmp_path / name)
        done = subprocess.run(
            [sys.executable, "-m", "ksolve.cli", "verify", *map(str, words), "--fresh", "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        (arm,) = json.loads(done.stdout)["solvers"]
        assert arm["outcomes"][outcome] == len(TASKS)


def test_exported_predictions_are_verified_to_the_same_verdicts(
    answers: Path, tmp_path: Path
) -> None:
    run, again, file = tmp_path / "run", tmp_path / "again", tmp_path / "preds.jsonl"
    subprocess.run(command(answers, run), capture_output=True, check=True)
    export = [sys.executable, "-m", "ksolve.cli", "export", str(run), "--predictions", str(file)]
    subprocess.run(export, capture_output=True, check=True)
    ids = [word for name in TASKS for word in ("--id", name)]
    words = ("--tasks", "starter", *ids, "--predictions", str(file), "--out", str(again), "--json")
    words += ("--fresh",)
    done = subprocess.run(
        [sys.executable, "-m", "ksolve.cli", "verify", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (arm,) = json.loads(done.stdout)["solvers"]
    assert arm["outcomes"]["resolved"] == len(TASKS)
    assert arm["samples"] == len(TASKS) * SAMPLES
