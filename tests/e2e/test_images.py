"""One missing image leaves its own tasks pending, and what a task or a run asks for is given."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from eval.store import Store
from tasks.taskrepo import starter_path

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

HERE, GONE = "ksolve__ledger-1", "ksolve__numkit-1"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A task repo of two tasks, the image of one of which nobody has, nor can build."""
    folder = tmp_path / "repo"
    for name in (HERE, GONE):
        shutil.copytree(starter_path() / "tasks" / name, folder / "tasks" / name)
    shutil.copytree(starter_path() / "images", folder / "images")
    shutil.copy(starter_path() / "sweb.yaml", folder)
    (folder / "tasks" / GONE / "Dockerfile").unlink()
    change(folder, GONE, image="none/such:1")
    return folder


def change(repo: Path, task: str, **fields: object) -> None:
    path = repo / "tasks" / task / "task.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | fields))


def ksolve(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ksolve.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_tasks_whose_image_is_missing_stay_pending(repo: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("verify", "--tasks", repo, "--predictions", "gold", "--out", run)
    done = ksolve(*words)
    assert done.returncode == 3, done.stderr
    assert f"pending for want of none/such:1: {GONE}" in done.stdout
    with Store(run) as store:
        assert {row.task_id: row.outcome for row in store.rows()} == {HERE: "resolved", GONE: None}
        assert ["none/such:1" in failure.message for failure in store.failures()] == [True]
    report = json.loads((run / "gold.run.json").read_text())
    assert (report["resolved_ids"], report["error_ids"]) == ([HERE], [GONE])
    # Without it there is nothing amiss; of another run, since it has other tasks.
    fine = ksolve(*words[:-1], tmp_path / "fine", "--exclude", "*numkit*")
    assert fine.returncode == 0, fine.stderr


def test_samples_are_drawn_of_the_tasks_that_can_be_had(repo: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"answers": ["nothing"]}\n')
    run = tmp_path / "run"
    done = ksolve(
        *("run", "--tasks", repo, "--model", f"scripted:{answers}"),
        *("--samples", "2", "--out", run),
    )
    assert done.returncode == 3, done.stderr
    with Store(run) as store:
        assert {row.task_id for row in store.rows()} == {HERE}
        (failure,) = store.failures()
        assert (failure.key.task_id, failure.stage) == (GONE, "sample")


def test_other_images_are_built_and_validated(repo: Path) -> None:
    done = ksolve("tasks", "build", repo)
    assert (done.returncode, "1 image is here" in done.stdout) == (3, True)
    done = ksolve("tasks", "validate", repo)
    assert (done.returncode, "1 of 2 tasks are valid" in done.stdout) == (3, True)


def test_a_run_none_of_whose_images_can_be_had_ends_before_it_begins(
    repo: Path, tmp_path: Path
) -> None:
    words = ("--tasks", repo, "--id", GONE, "--predictions", "gold", "--out", tmp_path / "run")
    done = ksolve("verify", *words)
    assert done.returncode == 3
    assert "error: The image none/such:1" in done.stderr


def test_a_task_is_given_what_it_asks_for_and_a_run_wins(repo: Path, tmp_path: Path) -> None:
    script = repo / "tasks" / HERE / "eval.sh"
    look = "echo routes $(wc -l < /proc/net/route); echo blocks $(ulimit -f)"
    script.write_text(script.read_text().replace("#!/bin/bash", f"#!/bin/bash\n{look}", 1))
    change(repo, HERE, resources={"network": True, "disk": "1g"})
    logs = []
    for name, options in {"task": [], "run": ["--no-network", "--disk", "512m"]}.items():
        run = tmp_path / name
        words = ("--tasks", repo, "--id", HERE, "--predictions", "gold", "--out", run)
        done = ksolve("verify", *words, *options)
        assert done.returncode == 0, done.stderr
        logs.append(next(run.rglob("test_output.txt")).read_text())
    of_task, of_run = logs
    assert "routes 1\n" not in of_task
    assert f"blocks {(1 << 30) // 1024}\n" in of_task
    assert "routes 1\n" in of_run
    assert f"blocks {(512 << 20) // 1024}\n" in of_run
