"""What goes wrong is one sentence and an exit code, never a traceback; and nothing is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ksolve.cli import app
from tests.ksolve.recorded import record

GOOD = {
    "instance_id": "a__b-1",
    "image": "none/such:1",
    "repo": "a/b",
    "version": "1",
    "base_commit": "c",
    "problem_statement": "it breaks",
    "test_patch": "",
    "patch": "",
    "FAIL_TO_PASS": ["t.py::f"],
    "PASS_TO_PASS": [],
    "log_parser": "parse_log_pytest",
    "eval_type": "pass_and_fail",
    "eval_script": ": '>>>>> Start Test Output'\npytest\n: '>>>>> End Test Output'\n",
}


def ksolve(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "ksolve.cli", *words],
        env={**kept, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def check(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    for part in parts:
        assert part in done.stderr


def of_another_form(run: Path) -> None:
    with sqlite3.connect(run / "run.db") as database:
        database.execute("PRAGMA user_version=9")


def without_arms(run: Path) -> None:
    with sqlite3.connect(run / "run.db") as database:
        database.execute("UPDATE run SET config = json_remove(config, '$.arms')")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda run: (run / "run.db").write_text("no database"), "not a database"),
        (lambda run: (run / "run.db").write_bytes(b""), "holds no run yet"),
        (of_another_form, "another version of ksolve (form 9"),
        (without_arms, "another version of ksolve, which did not record"),
        (lambda run: (run / "texts.db").unlink(), "lacks texts"),
    ],
)
def test_a_folder_that_cannot_be_read_as_a_run_is_bad_input(
    tmp_path: Path, harm: Callable[[Path], object], said: str
) -> None:
    run = record(tmp_path / "run")
    harm(run)
    texts = ("export", str(run), "--pairs", str(tmp_path / "pairs.jsonl"))
    words = texts if said == "lacks texts" else ("report", str(run))
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "pairs.jsonl").exists()


def dataset(folder: Path, *rows: object) -> str:
    path = folder / "tasks.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def test_malformed_rows_are_all_named_with_file_line_and_field(tmp_path: Path) -> None:
    rows = dataset(tmp_path, GOOD, {**GOOD, "instance_id": "a__b-2", "FAIL_TO_PASS": 7}, {"x": 1})
    done = ksolve("run", "--tasks", rows, "--model", "scripted:x", "--out", str(tmp_path / "run"))
    check(done, 2, "tasks.jsonl", "line 2", "FAIL_TO_PASS", "line 3")
    assert not (tmp_path / "run").exists()


def test_rows_of_the_older_form_are_named_as_such(tmp_path: Path) -> None:
    old = {name: value for name, value in GOOD.items() if name not in {"image", "eval_script"}}
    done = ksolve("tasks", "list", dataset(tmp_path, old))
    check(done, 2, "older SWE-bench form")


def test_a_missing_dataset_file(tmp_path: Path) -> None:
    check(ksolve("tasks", "list", str(tmp_path / "no.jsonl")), 2, "no.jsonl")


def test_an_unknown_model_prefix_lists_the_known_ones(tmp_path: Path) -> None:
    done = ksolve("run", "--tasks", "starter", "--model", "gpt:4", "--out", str(tmp_path / "r"))
    check(done, 2, "gpt", "openai:", "vllm:")


def test_a_missing_key_names_its_variable(tmp_path: Path) -> None:
    done = ksolve(
        "run", "--tasks", "starter", "--model", "deepseek:deepseek-chat", "--out", str(tmp_path)
    )
    check(done, 2, "DEEPSEEK_API_KEY")


def test_a_price_that_cannot_be_read() -> None:
    check(ksolve("models", "http://127.0.0.1:9/v1#m", "--price", "cheap"), 2, "cheap", "hour=0.10")


def test_an_endpoint_that_is_not_there() -> None:
    check(ksolve("models", "http://127.0.0.1:9/v1#m"), 3, "127.0.0.1:9")


def test_a_folder_that_holds_no_run(tmp_path: Path) -> None:
    check(ksolve("report", str(tmp_path)), 2, "holds no run")


def test_a_budget_over_an_unknown_price_is_refused(tmp_path: Path) -> None:
    done = ksolve(
        *("run", "--tasks", "starter", "--model", "http://127.0.0.1:9/v1#m"),
        *("--budget", "1", "--out", str(tmp_path / "run")),
    )
    check(done, 2, "--price")


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_an_image_that_nobody_has_is_named_before_anything_is_paid_for(tmp_path: Path) -> None:
    script = tmp_path / "answers.jsonl"
    script.write_text('{"answers": ["nothing"]}\n')
    done = ksolve(
        *("run", "--tasks", dataset(tmp_path, GOOD), "--model", f"scripted:{script}"),
        *("--out", str(tmp_path / "run")),
    )
    check(done, 3, "none/such:1")


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_a_dead_daemon_is_one_sentence(tmp_path: Path) -> None:
    done = ksolve("tasks", "validate", "starter", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    check(done, 3, "which DOCKER_HOST names: there is no such socket")
