"""Rows of SWE-bench before 5.x: completed by a swebench 4.x where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.families import SWEBENCH4, TASK_REPO
from tasks.rows import DatasetError
from tasks.swebench import tasks_from_file
from tasks.task import Task
from tasks.taskrepo import starter_path

MakeRow = Callable[..., dict[str, Any]]

NEWER = ("image", "eval_script", "log_parser", "eval_type")

FLASK = {
    "instance_id": "pallets__flask-4992",
    "repo": "pallets/flask",
    "version": "2.3",
    "environment_setup_commit": "182ce3dd15dfa3537391c3efaf9c3ff407d134d4",
}
# swebench 4.x, cut down to what is asked of it.
MODULES = {
    "swebench/__init__.py": "raise ImportError('this would take seconds')",
    "swebench/harness/__init__.py": "raise ImportError('this would take seconds')",
    "swebench/harness/constants/__init__.py": "FAIL_ONLY_REPOS = set()\n"
    "MAP_REPO_VERSION_TO_SPECS = {'pallets/flask': {'2.3': {'test_cmd': 'pytest -rA'}}}\n"
    "print('what a package prints')\n",
    "swebench/harness/log_parsers/__init__.py": "def parse_log_pytest(log, spec): ...\n"
    "MAP_REPO_TO_PARSER = {'pallets/flask': parse_log_pytest}\n",
    "swebench/harness/test_spec/__init__.py": "",
    "swebench/harness/test_spec/create_scripts.py": "def make_eval_script_list(\n"
    "    instance, specs, env_name, repo_directory, base_commit, test_patch\n"
    "):\n"
    "    return [f'cd {repo_directory}', \": '>>>>> Start Test Output'\", specs['test_cmd'],\n"
    "            \": '>>>>> End Test Output'\"]\n",
}


def installed(folder: Path, version: str = "4.1.0") -> Path:
    """Lay a small swebench into a folder, as pip does with --target."""
    for name, text in MODULES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    metadata = folder / f"swebench-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: swebench\nVersion: {version}\n")
    return folder


@pytest.fixture
def older(row: MakeRow) -> Callable[..., str]:
    def make(**columns: object) -> str:
        return json.dumps(row(**{**dict.fromkeys(NEWER, ...), **FLASK, **columns}))

    return make


def read(folder: Path, *lines: str) -> list[Task]:
    path = folder / "old.jsonl"
    path.write_text("\n".join(lines))
    return tasks_from_file(path)


def test_a_swebench_in_a_folder_completes_older_rows(
    tmp_path: Path, older: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWEBENCH4, str(installed(tmp_path / "swebench4")))
    [task] = read(tmp_path, older())
    assert task.issue.image == "swebench/sweb.eval.x86_64.pallets_1776_flask-4992:latest"
    assert task.oracle.log_parser == "parse_log_pytest"
    assert task.oracle.eval_script.startswith("#!/bin/bash\nset -uxo pipefail\ncd /testbed\n")
    assert task.oracle.version == "2.3"


def python_with(folder: Path, packages: Path) -> Path:
    """Make a Python whose packages are those of a folder."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120
    )
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "theirs.pth").write_text(f"{packages}\n")
    return folder / "bin" / "python"


def test_a_python_that_has_swebench_completes_older_rows_named_or_on_the_path(
    tmp_path: Path, older: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    python = python_with(tmp_path / "venv", installed(tmp_path / "packages"))
    monkeypatch.setenv(SWEBENCH4, str(python))
    [named] = read(tmp_path, older())
    monkeypatch.delenv(SWEBENCH4)
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    assert read(tmp_path, older()) == [named]


def test_rows_that_swebench_4_does_not_know_are_named_beside_the_others(
    tmp_path: Path, older: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWEBENCH4, str(installed(tmp_path / "swebench4")))
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, older(), older(instance_id="i", version="9.9"))
    [problem] = caught.value.problems
    assert "swebench 4.x has no specification of pallets/flask 9.9" in str(problem)


def test_a_task_repo_comes_first_and_swebench_has_the_rest(
    tmp_path: Path, older: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWEBENCH4, str(installed(tmp_path / "swebench4")))
    monkeypatch.setenv(TASK_REPO, str(starter_path()))
    starter, flask = read(tmp_path, older(instance_id="ksolve__ledger-1"), older())
    assert starter.issue.image.startswith("ksolve")
    assert "pallets_1776_flask" in flask.issue.image


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nothing", "is neither a Python nor a folder that holds"),
        (lambda folder: installed(folder / "three", "3.0.17"), "it has swebench 3.0.17"),
        (lambda folder: python_with(folder / "venv", folder), "No package metadata was found"),
    ],
)
def test_a_swebench_that_is_none_says_why_and_how_to_get_one(
    tmp_path: Path,
    older: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], Path],
    said: str,
) -> None:
    monkeypatch.setenv(SWEBENCH4, str(make(tmp_path)))
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, older())
    assert said in str(caught.value)
    assert SWEBENCH4 in str(caught.value)


def test_without_one_the_error_says_where_newer_rows_are_and_what_completes_older_ones(
    tmp_path: Path, older: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SWEBENCH4, raising=False)
    monkeypatch.delenv(TASK_REPO, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, older())
    for name in ("on the hub", TASK_REPO, f"{SWEBENCH4} to a Python that has swebench 4.x"):
        assert name in str(caught.value)


@pytest.mark.registry
@pytest.mark.shared_data
def test_swebench_4_makes_of_real_older_rows_what_their_newer_form_holds(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "swebench4"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*command, "swebench==4.1.0"], check=True, timeout=600)
    newer = shared_data / "swebench-parity" / "rows.jsonl"
    rows = [json.loads(line) for line in newer.read_text().splitlines()]
    lines = [
        json.dumps({name: value for name, value in one.items() if name not in NEWER})
        for one in rows
    ]
    monkeypatch.setenv(SWEBENCH4, str(target))
    assert read(tmp_path, *lines) == tasks_from_file(newer)
