"""Files that are put back are known by name, and what no patch may change by where it lies."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from eval.protected import is_source, outside, steers_runner
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
    "path", ["ledger/money.py", "json.py", "tests/test_new.py", "setup.py", "src/_pytest/runner.py"]
)
def test_is_the_candidates_own(path: str) -> None:
    assert not steers_runner(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        "add.py",
        "index.js",
        "src/add.rs",
        "pkg/data/units.json",
        "lib/add.ts",
        "cmd/main.go",
        "add.c",
    ],
)
def test_is_source(path: str) -> None:
    assert is_source(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        "tests.py",
        "add_tests.py",
        "test.js",
        "check.sh",
        "run_tests.sh",
        "package.json",
        "Makefile",
        "tox.ini",
        "noxfile.py",
        "jest.config.js",
        "setup.py",
        "src/__snapshots__/add.test.js.snap",
        "src/add.spec.ts",
        "tests/helper.py",
        "ci/lib.sh",
        ".github/workflows/ci.yml",
        "pkg/.coveragerc",
    ],
)
def test_is_not_source(path: str) -> None:
    assert not is_source(PurePosixPath(path))


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/usr/bin/python3.11", "modified"),
        ("/usr/local/bin/xargs", "added"),
        ("/home/solver/.local/lib/python3.11/site-packages/usercustomize/__init__.py", "added"),
        ("/usr/lib/python3/dist-packages/apport_python_hook.py", "added"),
        ("/etc/ld.so.preload", "added"),
        ("/usr/lib/python3.11/json/__init__.py", "deleted"),
        ("/testbed/.venv/lib/python3.11/site-packages/_pytest/runner.py", "modified"),
    ],
)
def test_no_patch_may_change(path: str, change: Change) -> None:
    changes = {PurePosixPath(path): change}
    assert outside(changes, WORKDIR, (WORKDIR / ".venv",)) == changes


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/testbed/spans/units.py", "modified"),
        ("/testbed/tests/conftest.py", "added"),
        ("/tmp/pytest-of-solver/x.txt", "added"),
        ("/usr/lib/python3.11/__pycache__/copy.cpython-311.pyc", "modified"),
    ],
)
def test_everybody_may_change(path: str, change: Change) -> None:
    assert outside({PurePosixPath(path): change}, WORKDIR, (WORKDIR / ".venv",)) == {}


def test_a_folder_is_not_changed_by_what_is_in_it() -> None:
    changes: dict[PurePosixPath, Change] = {
        PurePosixPath("/usr/bin"): "modified",
        PurePosixPath("/usr/bin/git"): "modified",
    }
    assert list(outside(changes, WORKDIR)) == [PurePosixPath("/usr/bin/git")]
