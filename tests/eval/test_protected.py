"""What steers a test runner is known by its name; honest work is not taken for it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from eval.protected import (
    loads_itself,
    loads_more,
    runner_settings,
    shadowing,
    stands_before,
    steers_runner,
    tampering,
)
from sandbox.sandbox import Change

WORKDIR = PurePosixPath("/testbed")


@pytest.mark.parametrize(
    "path",
    [
        "conftest.py",
        "tests/unit/conftest.py",
        "pytest.ini",
        "tests/.pytest.ini",
        "x.pth",
        "sitecustomize.py",
        "evil.egg-info",
        "evil.egg-info/entry_points.txt",
        "evil.dist-info/METADATA",
        "pkg/__pycache__/m.cpython-311.pyc",
    ],
)
def test_steers_the_runner(path: str) -> None:
    assert steers_runner(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        "ledger/money.py",
        "ledger/json.py",
        "json.py",
        "tests/test_new.py",
        "tests/helper.py",
        "setup.py",
        "src/_pytest/runner.py",
    ],
)
def test_is_the_candidates_own(path: str) -> None:
    assert not steers_runner(PurePosixPath(path))


@pytest.mark.parametrize(
    ("added", "shadows"),
    [
        (["pytest.py"], {"pytest.py"}),
        (["json.py"], {"json.py"}),
        (["shlex.cpython-311-x86_64-linux-gnu.so"], {"shlex.cpython-311-x86_64-linux-gnu.so"}),
        (["_pytest", "_pytest/__init__.py", "_pytest/x.py"], {"_pytest"}),
        (["unittest", "unittest/__init__.cpython-311-x86_64-linux-gnu.so"], {"unittest"}),
        # A folder that was there, or that Python imports nothing from.
        (["types/__init__.py"], set()),
        (["types", "types/index.d.ts"], set()),
        (["queue", "queue/worker.go"], set()),
        (["ledger/json.py", "test.txt", "reproduce.py"], set()),
    ],
)
def test_what_would_be_imported_for_the_runner_is_known(
    added: list[str], shadows: set[str]
) -> None:
    assert shadowing([PurePosixPath(path) for path in added]) == shadows


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/usr/bin/python3.11", "modified"),
        ("/usr/bin/git", "deleted"),
        ("/usr/local/bin/python3", "added"),
        ("/home/solver/.local/bin/pytest", "added"),
        ("/opt/miniconda3/envs/testbed/bin/python", "modified"),
        ("/home/solver/.local/lib/python3.11/site-packages/usercustomize.py", "added"),
        ("/usr/lib/python3.11/sitecustomize.py", "added"),
        ("/home/solver/.local/lib/python3.11/site-packages/attr/__init__.py", "added"),
        ("/etc/ld.so.preload", "added"),
        ("/opt/miniconda3/lib/python3.9/site-packages/_pytest/runner.py", "modified"),
        ("/usr/lib/python3/dist-packages/pluggy/__init__.py", "modified"),
        ("/usr/lib/python3.11/json/__init__.py", "modified"),
        ("/home/solver/.bashrc", "modified"),
        ("/etc/profile", "modified"),
        ("/lib/x86_64-linux-gnu/libc.so.6", "modified"),
    ],
)
def test_is_tampering(path: str, change: Change) -> None:
    assert tampering({PurePosixPath(path): change}, (), WORKDIR) == [PurePosixPath(path)]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/tmp/pytest-of-solver/x.txt", "added"),
        ("/home/solver/.cache/pip/x", "added"),
        ("/home/solver/.config/app.ini", "added"),
        ("/root/.gitconfig", "added"),
        ("/opt/miniconda3/envs/testbed/bin/flask", "added"),
        (
            "/opt/miniconda3/envs/testbed/lib/python3.9/site-packages/flask-2.dist-info/RECORD",
            "added",
        ),
        ("/opt/miniconda3/envs/testbed/lib/python3.9/site-packages/easy-install.pth", "added"),
        ("/opt/miniconda3/envs/testbed/lib/python3.9/site-packages/__editable__.x-2.pth", "added"),
        ("/usr/lib/python3.11/unittest/__pycache__/mock.cpython-311.pyc", "added"),
        ("/testbed/tests/conftest.py", "added"),
    ],
)
def test_is_what_builds_and_tests_do(path: str, change: Change) -> None:
    assert tampering({PurePosixPath(path): change}, (), WORKDIR) == []


@pytest.mark.parametrize(
    ("path", "stands"),
    [
        ("tests/test_x/__init__.py", True),
        ("tests/test_x.cpython-311-x86_64-linux-gnu.so", True),
        ("tests.py", True),
        ("tests/test_y.py", False),
        ("tests/deep/test_x.py", False),
        ("src/tests.py", False),
    ],
)
def test_what_would_be_imported_for_a_test_file_is_known(path: str, stands: bool) -> None:
    assert stands_before(PurePosixPath(path), [PurePosixPath("tests/test_x.py")]) == stands


@pytest.mark.parametrize(
    ("path", "text", "more"),
    [
        ("a/evil.pth", "import evil\n", True),
        ("a/evil.pth", "/testbed/src\n", False),
        ("a/x.dist-info/entry_points.txt", "[pytest11]\nx = x\n", True),
        ("a/x.dist-info/entry_points.txt", "[console_scripts]\nx = x:main\n", False),
    ],
)
def test_what_loads_code_by_itself_is_known_by_what_it_says(
    path: str, text: str, more: bool
) -> None:
    assert loads_itself(PurePosixPath(path))
    assert loads_more(PurePosixPath(path), text) == more


def test_what_changes_without_a_candidate_may_change() -> None:
    path = PurePosixPath("/etc/locale.gen")
    assert tampering({path: "modified"}, {path}, WORKDIR) == []


def test_a_folder_is_not_to_blame_for_what_is_in_it() -> None:
    changes: dict[PurePosixPath, Change] = {
        PurePosixPath("/usr/bin"): "modified",
        PurePosixPath("/usr/bin/git"): "modified",
    }
    assert tampering(changes, (), WORKDIR) == [PurePosixPath("/usr/bin/git")]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("pyproject.toml", "[project]\nversion = '1'\n", "[project]\nversion = '2'\n"),
        ("setup.cfg", "[metadata]\nversion = 1\n", "[metadata]\nversion = 2\n"),
        ("tox.ini", "[tox]\nenvlist = a\n[pytest]\naddopts = -q\n", "[pytest]\naddopts = -q\n"),
    ],
)
def test_settings_beside_those_of_pytest_do_not_matter(name: str, before: str, after: str) -> None:
    assert runner_settings(name, before) == runner_settings(name, after)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("pyproject.toml", "", "[tool.pytest.ini_options]\naddopts = '-p evil'\n"),
        ("pyproject.toml", "", "[tool.pytest]\naddopts = ['-p', 'evil']\n"),
        ("pyproject.toml", "[project]\n", "[broken"),
        ("setup.cfg", "[tool:pytest]\naddopts = -q\n", "[tool:pytest]\naddopts = -p evil\n"),
        ("tox.ini", "[pytest]\n", "[tox]\n"),
        # What is a header to one reader of such files is none to the other.
        ("tox.ini", "", "[pytest]#]\naddopts = -p evil\n"),
    ],
)
def test_settings_of_pytest_matter(name: str, before: str, after: str) -> None:
    assert runner_settings(name, before) != runner_settings(name, after)
