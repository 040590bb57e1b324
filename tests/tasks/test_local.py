from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import git
import pytest

from tasks.local import LONGEST_STATEMENT, Found, local_task
from tasks.pythons import exactly
from tasks.task import EXIT_CODE_PARSER, Task
from tasks.worktree import LocalRepoError

RUN_TEST = "python3 -c 'import tests.test_anvil as t; t.test_weight()'"


def task_of(repo: Path, test_command: str = "pytest -q", **options: Any) -> Task:
    options.setdefault("cache", repo.parent / "cache")
    return local_task(repo, "It weighs too little.", test_command, **options)


def evaluated(task: Task, folder: Path, prepare: str = "") -> list[str]:
    """Unpack what the image would hold, change it, and run its script as swebench would."""
    from swebench.harness.utils import parse_eval_script, record_test_exit_code

    assert task.build is not None
    folder.mkdir()
    with tarfile.open(task.build.context / "testbed.tar") as tar:
        tar.extractall(folder, filter="data")
    testbed = folder / "testbed"
    subprocess.run(["bash", "-ec", prepare], cwd=testbed, check=True)
    script = "\n".join(record_test_exit_code(parse_eval_script(task.oracle.eval_script)))
    done = subprocess.run(
        ["bash", "-c", "set -uxo pipefail\n" + script.replace("/testbed", str(testbed))],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return [line for line in done.stdout.splitlines() if not line.startswith("+")]


def exit_code(output: list[str]) -> str:
    return next(line for line in output if line.startswith(">>>>> Test Exit Code"))


def test_the_issue_shows_the_command_and_the_oracle_asks_for_it(repo: Path) -> None:
    task = task_of(repo, time_limit=60.0)
    assert task.issue.statement == "It weighs too little."
    assert task.issue.test_command == "pytest -q"
    assert re.fullmatch(r"local__anvil-works-[0-9a-f]{16}", task.id)
    assert re.fullmatch(r"ksolve-local/anvil-works:[0-9a-f]{16}", task.issue.image)
    assert (task.oracle.fail_to_pass, task.oracle.log_parser) == (("pytest -q",), EXIT_CODE_PARSER)
    assert task.oracle.time_limit == 60.0


def test_the_base_fails_and_a_right_change_passes(repo: Path, tmp_path: Path) -> None:
    task = task_of(repo, RUN_TEST)
    assert exit_code(evaluated(task, tmp_path / "base")).endswith(": 1")
    fix = "sed -i 's/n - 1/n/' anvil/__init__.py"
    assert exit_code(evaluated(task, tmp_path / "fixed", fix)).endswith(": 0")


@pytest.mark.parametrize(
    "cheat",
    [
        "echo 'def test_weight(): pass' > tests/test_anvil.py",
        "rm tests/test_anvil.py",
        "rm -r tests && ln -s anvil tests",
    ],
)
def test_a_candidate_cannot_pass_by_changing_the_tests(
    repo: Path, tmp_path: Path, cheat: str
) -> None:
    task = task_of(repo, RUN_TEST)
    assert exit_code(evaluated(task, tmp_path / "x", cheat)).endswith(": 1")


def test_test_files_with_any_name_are_put_back(repo: Path, tmp_path: Path) -> None:
    names = ["te st's [1]_test.py", "conftest.py", "web/a.test.ts", "pkg/sub/tests/data.json"]
    for name in names:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text("base\n")
    (repo / "latest.py").write_text("base\n")
    task = task_of(repo, "true", include_dirty=True)
    spoil = "git ls-files -z | grep -zv '^link' | xargs -0 -I{} sh -c 'echo spoiled > \"$1\"' - {}"
    evaluated(task, tmp_path / "x", spoil)
    testbed = tmp_path / "x" / "testbed"
    assert {(testbed / name).read_text() for name in names} == {"base\n"}
    assert (testbed / "latest.py").read_text() == "spoiled\n"


def test_a_repository_without_test_files_is_evaluated_all_the_same(
    repo: Path, tmp_path: Path
) -> None:
    with git.Repo(repo) as opened:
        opened.git.rm("-r", "tests")
        opened.git.commit("-m", "Trust")
    assert exit_code(evaluated(task_of(repo, "true"), tmp_path / "x")).endswith(": 0")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("exit 3", 3),
        ("false | cat", 1),
        ('test -z "$NOT_SET_ANYWHERE"', 0),
        ("cd anvil && ls __init__.py", 0),
        ("false\ntrue", 0),
        ("cat <<'EOF'\n'quoted'\nEOF", 0),
    ],
)
def test_a_persons_own_shell_line_runs_as_in_their_shell(
    repo: Path, tmp_path: Path, command: str, status: int
) -> None:
    output = evaluated(task_of(repo, command), tmp_path / "x")
    assert output[-1] == f">>>>> Test Exit Code: {status}"


def test_the_image_of_an_unchanged_state_is_the_same_and_of_another_is_not(repo: Path) -> None:
    def image(**options: Any) -> str:
        return task_of(repo, **options).issue.image

    first = image()
    assert image(include_dirty=True) == first
    assert task_of(repo, "tox").issue.image == first
    assert image(base="HEAD~1") != first
    assert image(setup="true") != first
    assert image(image="python:3.12") != first
    (repo / "tests" / "test_new.py").write_text("")
    assert image() == first
    assert image(include_dirty=True) != first


def test_what_the_image_is_built_from_belongs_to_the_solver(repo: Path) -> None:
    build = task_of(repo).build
    assert build is not None
    with tarfile.open(build.context / "testbed.tar") as tar:
        entries = tar.getmembers()
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(1000, 1000, 1577836800)}
    modes = {entry.name: entry.mode for entry in entries}
    assert modes["testbed/run.sh"] & 0o111
    assert not modes["testbed/blob.bin"] & 0o111


def test_what_the_image_is_built_from_is_the_same_however_git_holds_it(
    repo: Path, tmp_path: Path
) -> None:
    tars = []
    for number in range(3):
        build = task_of(repo, cache=tmp_path / str(number)).build
        assert build is not None
        tars.append((build.context / "testbed.tar").read_bytes())
        with git.Repo(repo) as opened:
            (repo / "README").touch()
            opened.git.repack("-a", "-d", "-f")
            opened.git.commit("--amend", "--allow-empty", "-m", f"Retell {number}")
    assert tars[0] == tars[1] == tars[2]


def test_in_an_image_of_ones_own_whoever_runs_may_write(repo: Path) -> None:
    build = task_of(repo, image="python:3.12", setup="pip install hypothesis").build
    assert build is not None
    assert build.dockerfile.startswith("FROM python:3.12\n")
    assert "venv" not in build.dockerfile
    with tarfile.open(build.context / "testbed.tar") as tar:
        assert all(entry.mode & 0o666 == 0o666 for entry in tar if not entry.issym())


@pytest.mark.parametrize(
    ("name", "text", "installed"),
    [
        ("pyproject.toml", "[project]\nname = 'anvil'\n", True),
        ("pyproject.toml", "[build-system]\nrequires = []\n", True),
        ("setup.py", "", True),
        ("pyproject.toml", "[tool.ruff]\n", False),
        ("pyproject.toml", "not toml [", False),
        ("docs/setup.py", "", False),
    ],
)
def test_an_installable_package_is_installed_unless_told_otherwise(
    repo: Path, name: str, text: str, installed: bool
) -> None:
    def dockerfile(**options: Any) -> str:
        build = task_of(repo, include_dirty=True, **options).build
        assert build is not None
        return build.dockerfile

    (repo / name).parent.mkdir(exist_ok=True)
    (repo / name).write_text(text)
    assert ('"pip install -e ."' in dockerfile()) is installed
    assert "pip install" not in dockerfile(setup="")
    assert "pip install" not in dockerfile(image="python:3.12")


def test_a_setup_of_many_lines_stays_one_instruction(repo: Path) -> None:
    build = task_of(repo, setup='echo "a \\\n b"\n# FROM nothing\nUSER root').build
    assert build is not None
    assert [line.split()[0] for line in build.dockerfile.splitlines()].count("FROM") == 1


@pytest.mark.parametrize(
    ("statement", "command", "options", "said"),
    [
        (" \n", "pytest", {}, "issue text is empty"),
        ("x" * (LONGEST_STATEMENT + 1), "pytest", {}, "100,001 characters"),
        ("It floats.", "  ", {}, "test command is empty"),
        ("It floats.", "echo '>>>>> End Test Output'", {}, "may hold neither"),
        ("It\0floats.", "pytest", {}, "NUL"),
        ("It floats.", "pytest", {"base": "HEAD~1", "include_dirty": True}, "belong to HEAD"),
        ("It floats.", "pytest", {"base": "nowhere"}, "has no commit 'nowhere'"),
    ],
)
def test_what_cannot_be_a_task_is_named(
    repo: Path, statement: str, command: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(LocalRepoError, match=said):
        local_task(repo, statement, command, cache=repo.parent / "cache", **options)


def test_no_scratch_is_left_in_the_cache(repo: Path) -> None:
    build = task_of(repo).build
    assert build is not None
    assert list(build.context.parent.iterdir()) == [build.context]
    assert sorted(path.name for path in build.context.iterdir()) == ["testbed.tar", "trusted.pem"]


def test_a_cache_that_cannot_be_written_is_one_sentence(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalRepoError, match=r"could not be written to .*: Not a directory"):
        local_task(repo, "It floats.", "pytest", cache=tmp_path / "file")


def test_what_is_found_is_told_before_anything_is_copied(repo: Path) -> None:
    (repo / "pyproject.toml").write_text(
        "[project]\nname = 'anvil'\nrequires-python = '>=3.12'\n[dependency-groups]\ntest = []\n"
    )
    with git.Repo(repo) as opened:
        head = opened.head.commit.hexsha
        opened.git.update_index("--add", "--cacheinfo", f"160000,{head},vendor/steel")
    told: list[Found] = []

    def refuse(found: Found) -> None:
        told.append(found)
        raise LocalRepoError("Stopped.")

    with pytest.raises(LocalRepoError, match="Stopped"):
        task_of(repo, include_dirty=True, consider=refuse)
    (found,) = told
    assert found.setup.command == "pip install -U pip && pip install -e . --group test"
    assert found.setup.sources == ("pyproject.toml",)
    assert str(found.python) == "Python >=3.12 (pyproject.toml)"
    assert "vendor/steel" in found.missing[0]
    assert {"anvil/__init__.py", "pyproject.toml"} <= found.names
    assert list((repo.parent / "cache").rglob("testbed.tar")) == []


def test_an_image_of_ksolves_own_stands_on_one_that_can_build(repo: Path) -> None:
    build = task_of(repo).build
    assert build is not None
    assert build.parent is not None
    assert build.dockerfile.startswith(f"FROM {build.parent.tag}\n")
    assert build.parent.dockerfile.startswith("FROM ksolve/base:1\n")
    other = task_of(repo, image="python:3.12").build
    assert other is not None
    assert other.parent is None


def test_the_image_of_another_python_or_release_is_another(repo: Path) -> None:
    def image(**options: Any) -> str:
        return task_of(repo, **options).issue.image

    first = image()
    assert image(python=exactly("3.12")) != first
    with git.Repo(repo) as opened:
        opened.create_tag("v1.0")
    assert image() != first
