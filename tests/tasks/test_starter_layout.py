"""The starter suite is consistent in itself; whether its verdicts are right, Docker has to show."""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from swebench.harness.log_parsers import PARSER_REGISTRY
from swebench.harness.utils import make_test_spec
from swebench.task.checks import check_task_repo
from swebench.task.repo import load_task_repo
from unidiff.patch import PatchSet

from tasks import task
from tasks.context import MANIFEST

STARTER = Path(task.__file__).parent / "starter"
Row = dict[str, Any]
IDS = sorted(folder.name for folder in (STARTER / "tasks").iterdir() if folder.is_dir())
FAR = {"rowpress", "stepline"}
# Packages whose issues show in one module and come from another.


@pytest.fixture(params=IDS)
def row(request: pytest.FixtureRequest) -> Row:
    loaded: Row
    (loaded,) = load_task_repo(STARTER, [request.param])
    return loaded


def folder(row: Row) -> Path:
    return STARTER / "tasks" / str(row["instance_id"])


def package_of(row: Row) -> str:
    return str(row["repo"]).removeprefix("ksolve/")


@pytest.fixture
def tree(row: Row, tmp_path: Path) -> Path:
    """Return a copy of the correct package."""
    source = STARTER / "images" / package_of(row) / "repo"
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    return shutil.copytree(source, tmp_path / "tree", ignore=ignored)


def shell(command: str, tree: Path) -> str:
    """Run a command in a tree as in the image: without the settings of whoever runs this."""
    env = {
        **{name: os.environ[name] for name in os.environ if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(tree.parent),
    }
    done = subprocess.run(
        ["bash", "-ec", command], cwd=tree, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def base_of(row: Row, tree: Path) -> str:
    """Do to the correct package what the task's Dockerfile does; return the commit."""
    dockerfile = (folder(row) / "Dockerfile").read_text()
    steps = re.findall(r"^RUN ((?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    shutil.copy(folder(row) / "gold.patch", tree.parent)
    for step in steps:
        shell(step.replace("/tmp/gold.patch", str(tree.parent / "gold.patch")), tree)
    return shell("git rev-parse HEAD", tree).strip()


def test_suite_is_large_enough() -> None:
    rows = load_task_repo(STARTER)
    assert len(rows) >= 40
    assert len({package_of(row) for row in rows}) >= 15


def test_swebench_finds_nothing_wrong() -> None:
    # Its fixable remark is that images are not called as on its own registry.
    problems = [problem for problem in check_task_repo(STARTER) if not problem.fixable]
    assert problems == []


def test_the_list_of_files_is_what_git_tracks() -> None:
    """After a change of the suite: `git add` it, then `make starter`."""
    root = STARTER.parents[1]
    if not (root / ".git").exists():
        pytest.skip("this is no checkout: git tracks nothing here")
    tracked = shell("cd tasks/starter && git ls-files --stage -- images sweb.yaml tasks", root)
    assert (STARTER / MANIFEST).read_text() == tracked
    # Neither of these would survive in a wheel.
    assert not [path for path in STARTER.rglob("*") if path.is_symlink()]
    assert {line.split()[0] for line in tracked.splitlines()} == {"100644"}


def test_every_image_folder_belongs_to_a_task() -> None:
    packages = {package_of(row) for row in load_task_repo(STARTER)}
    assert {path.name for path in (STARTER / "images").iterdir()} == packages


def test_images_stand_on_the_package_and_that_on_the_base(row: Row) -> None:
    package = package_of(row)
    number = row["instance_id"].removeprefix(f"ksolve__{package}-")
    assert number.isdigit()
    assert row["image"] == f"ksolve-starter/{package}-{number}:1"
    first = (folder(row) / "Dockerfile").read_text().splitlines()[0]
    assert first == f"FROM ksolve-starter/{package}:1"
    parent = (STARTER / "images" / package / "Dockerfile").read_text().splitlines()
    assert parent == ["FROM ksolve/base:1", "COPY --chown=solver:solver repo/ /testbed/"]


def test_base_commit_is_what_the_dockerfile_makes(row: Row, tree: Path) -> None:
    assert base_of(row, tree) == row["base_commit"]
    assert shell("git status --porcelain", tree) == ""
    assert shell("git rev-list --all --count", tree) == "1\n"


def test_gold_patch_leads_from_base_to_the_correct_package(row: Row, tree: Path) -> None:
    correct = {path: path.read_bytes() for path in tree.rglob("*.py")}
    base_of(row, tree)
    assert any(path.read_bytes() != text for path, text in correct.items())
    shell(f"git apply '{folder(row) / 'gold.patch'}'", tree)
    assert all(path.read_bytes() == text for path, text in correct.items())


def test_base_is_python_and_gold_leaves_the_tests_alone(row: Row, tree: Path) -> None:
    base_of(row, tree)
    for file in PatchSet(row["patch"]):
        assert not file.path.startswith("tests/")
        ast.parse((tree / file.path).read_text())


def test_base_has_visible_tests_and_no_hidden_ones(row: Row, tree: Path) -> None:
    base_of(row, tree)
    assert list((tree / "tests").glob("test_*.py"))
    for file in PatchSet(row["test_patch"]):
        if file.is_added_file:
            assert not (tree / file.path).exists()
    for test in row["FAIL_TO_PASS"]:
        path, _, name = test.partition("::")
        text = (tree / path).read_text() if (tree / path).exists() else ""
        assert f"def {name.partition('[')[0]}(" not in text


def test_test_patch_applies_to_base(row: Row, tree: Path) -> None:
    base_of(row, tree)
    shell(f"git apply --check '{folder(row) / 'test.patch'}'", tree)


def test_failing_tests_come_from_the_test_patch(row: Row) -> None:
    patched = {file.path for file in PatchSet(row["test_patch"])}
    assert row["FAIL_TO_PASS"]
    assert {test.partition("::")[0] for test in row["FAIL_TO_PASS"]} <= patched


def test_tests_are_named_once_and_survive_the_log_parser(row: Row) -> None:
    tests = [*row["FAIL_TO_PASS"], *row["PASS_TO_PASS"]]
    assert len(tests) == len(set(tests))
    log = "".join(f"PASSED {test}\n" for test in tests)
    parse = PARSER_REGISTRY[row["log_parser"]]
    assert parse(log, make_test_spec(row)) == dict.fromkeys(tests, "PASSED")


def test_evaluation_carries_the_test_patch_and_runs_all_tests(row: Row) -> None:
    lines = row["eval_script"].splitlines()
    assert lines[:3] == ["#!/bin/bash", "set -uxo pipefail", "cd /testbed"]
    assert f"<<'EOF_TESTS'\n{row['test_patch']}EOF_TESTS\n" in row["eval_script"]
    start, end = (lines.index(f": '>>>>> {edge} Test Output'") for edge in ("Start", "End"))
    assert lines[start + 1 : end] == ["python3 -m pytest -rA -p no:cacheprovider tests"]


def test_statement_tells_the_symptom_not_the_fix(row: Row) -> None:
    assert len(row["problem_statement"].split()) >= 30
    fixing = [
        line.value.strip()
        for file in PatchSet(row["patch"])
        for hunk in file
        for line in hunk
        if line.is_added
    ]
    assert not [text for text in fixing if len(text) >= 8 and text in row["problem_statement"]]


def test_some_issues_do_not_name_what_causes_them() -> None:
    far = [row for row in load_task_repo(STARTER) if package_of(row) in FAR]
    assert len(far) >= 6
    for row in far:
        said = set(re.findall(r"\w+", row["problem_statement"]))
        for file in PatchSet(row["patch"]):
            source = STARTER / "images" / package_of(row) / "repo" / file.path
            defined = ast.walk(ast.parse(source.read_text()))
            names = {
                item.name for item in defined if isinstance(item, ast.FunctionDef | ast.ClassDef)
            }
            assert said.isdisjoint({source.stem, *names}), row["instance_id"]
