"""`--skip-invalid`, wherever tasks are loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomlkit
from typer.testing import CliRunner

from ksolve.cli import app
from ksolve.errors import InputError
from ksolve.sweep_config import as_toml
from ksolve.sweep_options import resolve_config

SOUND = {
    "instance_id": "acme__anvil-7",
    "repo": "acme/anvil",
    "version": "1.0",
    "base_commit": "0123456789abcdef0123456789abcdef01234567",
    "problem_statement": "The anvil floats.",
    "test_patch": "",
    "FAIL_TO_PASS": ["tests/test_anvil.py::test_sinks"],
    "PASS_TO_PASS": [],
    "image": "acme/anvil:7",
    "log_parser": "parse_log_pytest",
    "eval_type": "pass_and_fail",
    "eval_script": ": '>>>>> Start Test Output'\npytest -rA\n: '>>>>> End Test Output'\n",
}


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, [SOUND, {**SOUND, "instance_id": "b", "repo": ""}])))
    return str(path)


def test_a_list_names_the_rows_that_are_left_out_and_why(rows: str) -> None:
    runner = CliRunner()
    done = runner.invoke(app, ["tasks", "list", rows, "--json", "--skip-invalid"])
    assert done.exit_code == 0
    assert [one["id"] for one in json.loads(done.stdout)] == ["acme__anvil-7"]
    assert f"warning: 1 row of {rows} left out:" in done.stderr
    assert "line 2 (b): repo: expected the repository as owner/name, got ''" in done.stderr


def test_without_it_the_error_names_the_option(rows: str) -> None:
    done = CliRunner().invoke(app, ["tasks", "list", rows])
    assert done.exit_code == 2
    assert "(--skip-invalid leaves them out)" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["verify"],
        ["tasks", "list"],
        ["tasks", "show"],
        ["tasks", "build"],
        ["tasks", "validate"],
        ["tasks", "audit"],
    ],
)
def test_every_command_that_loads_tasks_takes_it(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert "--skip-invalid" in done.stdout


def test_a_sweep_keeps_it() -> None:
    options = {"tasks": "rows.jsonl", "model": ["openai:a"], "skip_invalid": True}
    assert tomlkit.loads(as_toml(resolve_config(None, options)))["skip_invalid"] is True
    plain = as_toml(resolve_config(None, {**options, "skip_invalid": None}))
    assert "skip_invalid" not in plain


def test_a_sweep_says_what_it_takes(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text('tasks = "starter"\nmodel = ["openai:a"]\nskip-invalid = "yes"\n')
    with pytest.raises(InputError, match="takes true or false, not 'yes'"):
        resolve_config(file, {})
