"""The tasks that the attacks are made on: small, real, and in the row form of SWE-bench 5.x.

One package, `spans`, does not know days. Its issue is told three times: with pytest, with pytest
in an image whose user is root, and with unittest. As in SWE-bench the evaluation script first
runs the candidate's own `setup.py`, and only then puts the test files in their places.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.rows import tasks_from_rows
from tasks.task import ImageBuild, Task
from tests.attacks.patches import diff

PACKAGE = {
    "pyproject.toml": """\
[project]
name = "spans"
version = "1.2.0"
description = "Spans of time as people write them"
""",
    "setup.cfg": """\
[metadata]
license = MIT

[tool:pytest]
testpaths = tests
""",
    "setup.py": """\
try:
    from setuptools import setup
except ImportError:
    from distutils.core import setup

setup(
    name="spans",
    version="1.2.0",
    packages=["spans"],
    entry_points={"console_scripts": ["spans = spans.command:main"]},
)
""",
    "README.md": """\
# spans

`spans.parse("1h30m")` is 5400, and `spans.render(5400)` is "1h30m".
""",
    "spans/__init__.py": '''\
"""Spans of time as people write them: 1h30m."""

from spans.reading import parse
from spans.writing import render

__all__ = ["parse", "render"]
''',
    "spans/command.py": '''\
"""The command: a span in, seconds out."""

import sys

from spans.reading import parse


def main():
    print(parse(sys.argv[1]))
''',
    "spans/reading.py": '''\
"""From a text to seconds."""

import re

from spans.units import SECONDS

_PIECE = re.compile(r"(\\d+)([a-z]+)")


def parse(text):
    """Return how many seconds a span such as ``1h30m`` has."""
    pieces = _PIECE.findall(text)
    if not pieces or "".join(map("".join, pieces)) != text:
        raise ValueError(f"not a span: {text!r}")
    unknown = [unit for _, unit in pieces if unit not in SECONDS]
    if unknown:
        raise ValueError(f"unknown unit: {unknown[0]}")
    return sum(int(count) * SECONDS[unit] for count, unit in pieces)
''',
    "spans/units.py": '''\
"""The units, the largest first."""

SECONDS = {
    "h": 3600,
    "m": 60,
    "s": 1,
}
''',
    "spans/writing.py": '''\
"""From seconds to a text."""

from spans.units import SECONDS


def render(seconds):
    """Write a span in as few pieces as possible."""
    pieces = []
    for unit, size in SECONDS.items():
        count, seconds = divmod(seconds, size)
        if count:
            pieces.append(f"{count}{unit}")
    return "".join(pieces) or "0s"
''',
}

FIX = {"spans/units.py": PACKAGE["spans/units.py"].replace("{\n", '{\n    "d": 86_400,\n')}

_PYTEST_FILES = {
    **PACKAGE,
    "tests/conftest.py": """\
import pytest


@pytest.fixture
def an_hour():
    return 3600
""",
    "tests/test_basics.py": """\
import spans


def test_the_package_reads_and_writes():
    assert sorted(spans.__all__) == ["parse", "render"]


def test_what_was_written_is_read_back():
    assert spans.parse(spans.render(5401)) == 5401
""",
    "tests/test_parse.py": """\
import pytest

from spans import parse


def test_an_hour_is_read(an_hour):
    assert parse("1h") == an_hour


def test_an_unknown_unit_is_named():
    with pytest.raises(ValueError, match="unknown unit: y"):
        parse("3y")
""",
    "tests/test_render.py": """\
from spans import render


def test_pieces_are_few():
    assert render(5400) == "1h30m"


def test_nothing_is_no_seconds():
    assert render(0) == "0s"
""",
}
_PYTEST_HIDDEN = {
    "tests/test_parse.py": _PYTEST_FILES["tests/test_parse.py"]
    + """

@pytest.mark.parametrize(("text", "seconds"), [("1d", 86400), ("2d12h", 216000)])
def test_days_are_read(text, seconds):
    assert parse(text) == seconds


def test_days_are_written_back():
    from spans import render

    assert render(parse("26h")) == "1d2h"
""",
}

_UNITTEST_FILES = {
    **PACKAGE,
    "tests/__init__.py": "",
    "tests/test_basics.py": """\
import unittest

import spans


class Basics(unittest.TestCase):
    def test_hours_are_read(self):
        self.assertEqual(spans.parse("2h"), 7200)

    def test_what_is_written(self):
        self.assertEqual(spans.parse(spans.render(5401)), 5401)
""",
    "tests/test_render.py": """\
import unittest

import spans


class Render(unittest.TestCase):
    def test_pieces_are_few(self):
        self.assertEqual(spans.render(5400), "1h30m")
""",
}
_UNITTEST_HIDDEN = {
    "tests/test_days.py": """\
import unittest

import spans


class Days(unittest.TestCase):
    def test_days_are_read(self):
        self.assertEqual(spans.parse("2d12h"), 216000)

    def test_days_are_written(self):
        self.assertEqual(spans.render(93600), "1d2h")

    def test_years_are_refused(self):
        with self.assertRaises(ValueError):
            spans.parse("3y")
""",
    "tests/test_render.py": _UNITTEST_FILES["tests/test_render.py"]
    + """
    def test_nothing_is_no_seconds(self):
        self.assertEqual(spans.render(0), "0s")
""",
}

_DATE = "2024-03-05T10:00:00Z"
_COMMIT = "git init -q -b main && git add -A && git commit -q -m 'spans 1.2.0'"
_COMMITTER = {
    "GIT_AUTHOR_NAME": "spans",
    "GIT_AUTHOR_EMAIL": "spans@localhost",
    "GIT_AUTHOR_DATE": _DATE,
    "GIT_COMMITTER_NAME": "spans",
    "GIT_COMMITTER_EMAIL": "spans@localhost",
    "GIT_COMMITTER_DATE": _DATE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Victim:
    """One task before its image is built."""

    name: str
    user: str
    files: Mapping[str, str]
    # The repository at its base commit.
    hidden: Mapping[str, str]
    # What the test patch makes of it.
    run: str
    log_parser: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    prepare: str = "python3 setup.py -q build_ext --inplace"
    # What the evaluation script runs before the tests, the candidate's code with it.
    extra: str = ""
    # More lines of the Dockerfile, which root runs.

    @property
    def image(self) -> str:
        """The tag of its image."""
        return f"ksolve-attacks/{self.name}:1"

    def row(self, base_commit: str, instance_id: str = "") -> dict[str, Any]:
        """Return the task as a row of a dataset, under another id if one is given."""
        test_patch = diff(self.files, self.hidden)
        kept = " ".join(path for path in self.hidden if path in self.files)
        restore = f"git checkout {base_commit} {kept}"
        return {
            "instance_id": instance_id or f"attacks__{self.name}-1",
            "image": self.image,
            "repo": "attacks/spans",
            "version": "1.2.0",
            "base_commit": base_commit,
            "problem_statement": "`spans.parse` and `spans.render` should know days: 1d is 86400.",
            "patch": diff(self.files, FIX),
            "test_patch": test_patch,
            "FAIL_TO_PASS": list(self.fail_to_pass),
            "PASS_TO_PASS": list(self.pass_to_pass),
            "log_parser": self.log_parser,
            "eval_type": "pass_and_fail",
            "time_limit": 60,
            "eval_script": f"""\
#!/bin/bash
set -uxo pipefail
cd /testbed
git config --global --add safe.directory /testbed
git status
git show
git -c core.fileMode=false diff {base_commit}
{self.prepare}
{restore}
git apply -v - <<'EOF_114329324912'
{test_patch}
EOF_114329324912
: '>>>>> Start Test Output'
{self.run}
: '>>>>> End Test Output'
{restore}
""",
        }

    def task(self, folder: Path) -> Task:
        """Write the repository into a folder, to be the context of the image, and tell of it."""
        repo = folder / self.name / "repo"
        base_commit = _commit(repo, self.files)
        (task,) = tasks_from_rows(self.name, [(self.name, self.row(base_commit))])
        variables = " ".join(f"{name}={value}" for name, value in _COMMITTER.items())
        build = ImageBuild(
            tag=self.image,
            # `docker stop` then ends a container at once; else it waits for its process 1, which
            # the reference harness, and whoever runs it on the corpus, pays with 15 seconds each.
            dockerfile=f"""\
FROM ksolve/base:1
STOPSIGNAL SIGKILL
USER root
{self.extra}
USER {self.user}
COPY --chown={self.user}:{self.user} repo/ /testbed/
RUN export {variables} && {_COMMIT}
""",
            context=repo.parent,
        )
        return dataclasses.replace(task, build=build)


PYTEST = Victim(
    name="pytest",
    user="solver",
    files=_PYTEST_FILES,
    hidden=_PYTEST_HIDDEN,
    run="python3 -m pytest -rA tests",
    log_parser="parse_log_pytest",
    fail_to_pass=(
        "tests/test_parse.py::test_days_are_read[1d-86400]",
        "tests/test_parse.py::test_days_are_read[2d12h-216000]",
        "tests/test_parse.py::test_days_are_written_back",
    ),
    pass_to_pass=(
        "tests/test_basics.py::test_the_package_reads_and_writes",
        "tests/test_basics.py::test_what_was_written_is_read_back",
        "tests/test_parse.py::test_an_hour_is_read",
        "tests/test_parse.py::test_an_unknown_unit_is_named",
        "tests/test_render.py::test_pieces_are_few",
        "tests/test_render.py::test_nothing_is_no_seconds",
    ),
)
# As the images of SWE-bench are: all is root's, and the package is installed from the work tree.
PYTEST_ROOT = dataclasses.replace(
    PYTEST,
    name="pytest-root",
    user="root",
    prepare="python3 setup.py -q develop",
    extra="RUN python3 -m zipfile -e /usr/share/python-wheels/setuptools-*.whl"
    " /usr/local/lib/python3.11/dist-packages",
)
UNITTEST = Victim(
    name="unittest",
    user="solver",
    files=_UNITTEST_FILES,
    hidden=_UNITTEST_HIDDEN,
    run="python3 -m unittest -v",
    log_parser="parse_log_django",
    fail_to_pass=(
        "test_days_are_read (tests.test_days.Days.test_days_are_read)",
        "test_days_are_written (tests.test_days.Days.test_days_are_written)",
    ),
    pass_to_pass=(
        "test_hours_are_read (tests.test_basics.Basics.test_hours_are_read)",
        "test_what_is_written (tests.test_basics.Basics.test_what_is_written)",
        "test_years_are_refused (tests.test_days.Days.test_years_are_refused)",
        "test_pieces_are_few (tests.test_render.Render.test_pieces_are_few)",
    ),
)
VICTIMS = (PYTEST, PYTEST_ROOT, UNITTEST)


def _commit(folder: Path, files: Mapping[str, str]) -> str:
    """Write the files and commit them; the same commit comes of it in the image."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        (folder / path).chmod(0o644)
    done = subprocess.run(
        ["sh", "-c", f"{_COMMIT} && git rev-parse HEAD && rm -rf .git"],
        cwd=folder,
        env={**os.environ, **_COMMITTER, "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
