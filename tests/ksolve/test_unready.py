"""Signs that tests fail for want of something that no patch could bring."""

from __future__ import annotations

import pytest

from ksolve.unready import unready

NAMES = {"src/anvil/__init__.py", "tests/test_anvil.py", "tools/forge.py"}


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("E   ModuleNotFoundError: No module named 'hypothesis'", "hypothesis is not installed"),
        ("E   ModuleNotFoundError: No module named 'yaml.nodes'", "yaml.nodes is not installed"),
        ("E   ModuleNotFoundError: No module named 'anvil'", "own module anvil cannot be imported"),
        ("ModuleNotFoundError: No module named 'forge'", "own module forge cannot be imported"),
        ("/opt/venv/bin/python3: No module named pytest", "pytest is not installed"),
        ("make: tox: No such file or directory\nmake: *** [Makefile:2: test] Error 127", "tox"),
        ("/bin/sh: 1: poetry: not found", "the program poetry is not there"),
        ("bash: line 1: jq: command not found", "the program jq is not there"),
        (
            "pytest: error: unrecognized arguments: --cov --cov-report=xml",
            "know --cov --cov-report",
        ),
        ("E       fixture 'mocker' not found", "the fixture mocker"),
        ("ERROR: file or directory not found: tests/test_x.py", "no tests tests/test_x.py"),
        ("Error: Cannot find module 'lodash'", "lodash is not installed"),
        ("no tests ran in 0.01s", "no test was run"),
        ("Ran 0 tests in 0.000s", "no test was run"),
        ("urllib3: Temporary failure in name resolution", "reaches for the network"),
    ],
)
def test_what_is_missing_is_named(log: str, said: str) -> None:
    found = unready(f"+ pytest\n{log}\n1 error", NAMES)
    assert found is not None
    assert said in found


@pytest.mark.parametrize(
    "log",
    [
        "E   ModuleNotFoundError: No module named 'anvil.hammer'",
        "E   assert 1 == 2\n1 failed in 0.1s",
        "Error: Cannot find module './hammer'",
        "ImportError: cannot import name 'hammer' from 'anvil'",
        "E   FileNotFoundError: [Errno 2] No such file or directory: 'a.txt'",
        "",
    ],
)
def test_what_the_issue_may_be_about_is_no_sign(log: str) -> None:
    assert unready(log, NAMES) is None
