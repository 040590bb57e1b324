"""The tasks that the attacks are made on: small, real, and in the row form of SWE-bench 5.x.

One package, `spans`, does not know days. Its issue is told many times, since repositories differ
in what lets a candidate in: who runs the tests and with which runner, how the package is laid out
and installed, what the repository's own conftest.py imports, where the interpreter lies. As in
SWE-bench the evaluation script first runs the candidate's own `setup.py`, and only then puts the
test files in their places. All images share ksolve's base image.
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
    # What the evaluation script runs before the tests, the candidate's code with it.
    prepare: str = "python3 setup.py -q build_ext --inplace"
    # What the gold patch makes of files.
    fix: Mapping[str, str] = dataclasses.field(default_factory=lambda: FIX)
    # More lines of the Dockerfile, which root runs.
    extra: str = ""

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
            "patch": diff(self.files, self.fix),
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

# ---- where a candidate's code is imported before the tests are collected ----

_OPTIONAL = """\
try:
    import uvloop
except ImportError:
    uvloop = None
"""
_CONFTEST = f"""\
import pytest

import spans

{_OPTIONAL}

@pytest.fixture
def an_hour():
    assert "parse" in spans.__all__
    return 3600
"""
CONFTEST = dataclasses.replace(
    PYTEST, name="conftest", files={**_PYTEST_FILES, "tests/conftest.py": _CONFTEST}
)
"""Its conftest.py imports the package, and a module that is not installed if it is there."""


def _in_src(files: Mapping[str, str]) -> dict[str, str]:
    return {f"src/{path}" if path.startswith("spans/") else path: files[path] for path in files}


SRC = dataclasses.replace(
    CONFTEST,
    name="src",
    files={
        **_in_src(CONFTEST.files),
        "pyproject.toml": PACKAGE["pyproject.toml"]
        + '\n[tool.pytest.ini_options]\npythonpath = ["src"]\ntestpaths = ["tests"]\n',
        "setup.cfg": "[metadata]\nlicense = MIT\n",
        "setup.py": PACKAGE["setup.py"].replace(
            'packages=["spans"],', 'packages=["spans"],\n    package_dir={"": "src"},'
        ),
    },
    fix=_in_src(FIX),
)
"""The package lies in src/, and the settings of pytest name that folder."""

_FLAT = {
    "setup.py": PACKAGE["setup.py"]
    .replace('packages=["spans"]', 'py_modules=["spans", "spanunits"]')
    .replace("spans.command:main", "spans:main"),
    "README.md": PACKAGE["README.md"],
    "spans.py": "".join(
        PACKAGE[f"spans/{name}.py"].replace("spans.units", "spanunits")
        for name in ("reading", "writing")
    )
    + '\n\n__all__ = ["parse", "render"]\n',
    "spanunits.py": PACKAGE["spans/units.py"],
    **{path: text for path, text in _PYTEST_FILES.items() if path.startswith("tests/")},
}
FLAT = dataclasses.replace(
    PYTEST_ROOT,
    name="flat",
    files=_FLAT,
    fix={"spanunits.py": FIX["spans/units.py"]},
)
"""Two modules at the top of the repository and no settings of pytest at all; all is root's."""

# ---- how the package is installed ----

_SETUPTOOLS = (
    "RUN for wheel in /usr/share/python-wheels/*.whl; do"
    " python3 -m zipfile -e $wheel /usr/local/lib/python3.11/dist-packages; done"
)
PIP = dataclasses.replace(
    PYTEST,
    name="pip",
    # What names no build system is built with the setuptools that there is.
    files={path: text for path, text in _PYTEST_FILES.items() if path != "pyproject.toml"},
    prepare="python3 -m pip install -q --break-system-packages --no-deps --no-build-isolation -e .",
    extra=_SETUPTOOLS,
)
"""Installed by pip, without a network, into the home folder."""

PIP_ROOT = dataclasses.replace(
    PIP,
    name="pip-root",
    user="root",
    prepare="python3 -m pip install -q --break-system-packages --root-user-action ignore"
    " --no-deps --no-build-isolation -e .",
)
"""The same as root, into the system's own folders."""

_SITE = ".venv/lib/python3.11/site-packages"
VENV = dataclasses.replace(
    PYTEST,
    name="venv",
    files={**_PYTEST_FILES, ".gitignore": ".venv/\n__pycache__/\n"},
    run="source .venv/bin/activate\npython -m pytest -rA tests",
    extra="RUN cd /testbed && python3 -m venv .venv"
    f" && cp -r /usr/lib/python3/dist-packages/. {_SITE}"
    " && find .venv -name '*.pyc' -delete && chown -R solver:solver /testbed",
)
"""A virtual environment, ignored by git, lies inside of the work tree and runs the tests."""

# ---- what the evaluation runs ----

SCRIPT = dataclasses.replace(
    UNITTEST,
    name="script",
    files={
        **_UNITTEST_FILES,
        "tests/runtests.py": """\
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    sys.path.insert(0, ROOT)
    suite = unittest.defaultTestLoader.discover(os.path.join(ROOT, "tests"), top_level_dir=ROOT)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
""",
    },
    run="python3 tests/runtests.py",
)
"""The tests are run by a program of the repository, as Django's are."""

SHELL = dataclasses.replace(
    PYTEST,
    name="shell",
    files={
        **_PYTEST_FILES,
        "tools/run_tests.sh": "#!/bin/sh\nset -e\nexec python3 -m pytest -rA tests\n",
    },
    run="sh tools/run_tests.sh",
)
"""The tests are run by a shell script of the repository."""

HELPERS = dataclasses.replace(
    PYTEST,
    name="helpers",
    files={
        **_PYTEST_FILES,
        "tests/helpers.py": """\
import pathlib

import spans

EXAMPLES = pathlib.Path(__file__).with_name("examples.txt")


def examples():
    return dict(line.split() for line in EXAMPLES.read_text().splitlines())


def assert_span(text, seconds):
    assert spans.parse(text) == seconds
""",
        "tests/examples.txt": "1h 3600\n90m 5400\n",
    },
    hidden={
        "tests/test_parse.py": """\
from helpers import assert_span, examples

import spans


def test_examples():
    for text, seconds in examples().items():
        assert_span(text, int(seconds))


def test_days_are_read():
    assert_span("1d", 86400)
    assert_span("2d12h", 216000)


def test_days_are_written_back():
    for text in (*examples(), "2d3h"):
        assert_span(spans.render(spans.parse(text)), spans.parse(text))
""",
    },
    fail_to_pass=(
        "tests/test_parse.py::test_days_are_read",
        "tests/test_parse.py::test_days_are_written_back",
    ),
    pass_to_pass=(
        "tests/test_basics.py::test_the_package_reads_and_writes",
        "tests/test_basics.py::test_what_was_written_is_read_back",
        "tests/test_parse.py::test_examples",
        "tests/test_render.py::test_pieces_are_few",
        "tests/test_render.py::test_nothing_is_no_seconds",
    ),
)
"""The hidden tests use a module beside them that the patch of the tests does not touch."""

PLUGINS = dataclasses.replace(
    PYTEST,
    name="plugins",
    hidden={
        "tests/test_parse.py": _PYTEST_FILES["tests/test_parse.py"].replace(
            "import pytest\n", "import pytest\nfrom hypothesis import given, strategies\n"
        )
        + """

@pytest.mark.asyncio
async def test_days_are_awaited():
    assert parse("1d") == 86400


@given(strategies.integers(1, 1000))
def test_days_of_any_count(count):
    assert parse(f"{count}d") == count * 86400
""",
    },
    fail_to_pass=(
        "tests/test_parse.py::test_days_are_awaited",
        "tests/test_parse.py::test_days_of_any_count",
    ),
    extra=f"{_SETUPTOOLS}\nRUN python3 -m pip install -q --break-system-packages --no-deps"
    " pytest-asyncio==0.21.2 pytest-xdist==3.5.0 execnet==2.0.2 hypothesis==6.92.2"
    " sortedcontainers==2.4.0",
)
"""The tests count on plugins of pytest: asyncio and hypothesis; xdist is there, too."""

VICTIMS = (
    PYTEST,
    PYTEST_ROOT,
    UNITTEST,
    CONFTEST,
    SRC,
    FLAT,
    PIP,
    PIP_ROOT,
    VENV,
    SCRIPT,
    SHELL,
    HELPERS,
    PLUGINS,
)


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
