"""The witness sees what the runner prints, is seen by nobody, and knows when it is lied to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eval.evidence import Evidence, read_evidence
from eval.stages import WITNESS

SECRET = "a secret of this run"
# As `eval.stages` starts the tests: orders on 8, evidence on 9, both outputs in one log.
START = 'orders=$ORDERS; unset ORDERS; exec "$@" 8< <(printf %s "$orders") 9>&2 2>&1'

TESTS = """
import os, sys, unittest
import pytest

@pytest.fixture
def broken():
    raise ValueError

@pytest.fixture
def breaks_after():
    yield
    raise ValueError

@pytest.mark.parametrize("value", [1, "x y", "[a]"])
def test_values(value): pass
def test_bad(): assert [1] == [2]
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_known(): assert 0
@pytest.mark.xfail(strict=True)
def test_mended(): pass
def test_setup(broken): pass
def test_teardown(breaks_after): pass
def test_nothing_is_left_to_find():
    assert "KSOLVE_WITNESS" not in os.environ and "PYTEST_PLUGINS" not in os.environ
    assert not [path for path in sys.path if "witness" in path]
class TestCase(unittest.TestCase):
    def test_right(self): self.assertEqual(1, 1)
    def test_wrong(self): self.assertEqual(1, 2)
    def test_left_out(self): self.skipTest("no")
"""


def run(
    folder: Path,
    *words: str,
    first: tuple[str, ...] = (),
    hurry: bool = False,
    behind: tuple[Path, ...] = (),
) -> tuple[str, Evidence]:
    """Run a module of Python under the witness; `behind` it on the path are other folders."""
    return run_program(folder, "-m", *words, first=first, hurry=hurry, behind=behind)


def run_program(
    folder: Path,
    *words: str,
    first: tuple[str, ...] = (),
    hurry: bool = False,
    behind: tuple[Path, ...] = (),
    python: str = sys.executable,
) -> tuple[str, Evidence]:
    orders = {
        "secret": SECRET,
        "canary": "unlikely",
        "workdir": str(folder),
        "first": list(first),
        "hurry": hurry,
        "places": None,
    }
    done = subprocess.run(
        ["bash", "-c", START, "bash", python, *words],
        cwd=folder,
        env={
            **os.environ,
            "ORDERS": json.dumps(orders),
            "PYTHONPATH": os.pathsep.join(map(str, (WITNESS, *behind))),
            "KSOLVE_WITNESS": "pytest:unittest:check.py",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, read_evidence(done.stderr, SECRET)


def run_pytest(folder: Path, **orders: object) -> tuple[str, Evidence]:
    words = ("pytest", "-rA", "-p", "no:cacheprovider", "tests")
    return run(folder, *words, **orders)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    return tmp_path


SUMMARY = re.compile(
    r"^(PASSED|FAILED|ERROR|XFAIL|XPASS) (tests/\S+?\.py::.*?)(?: - .*)?$", re.MULTILINE
)


def printed(log: str) -> dict[str, str]:
    """What pytest's summary says of each test that it names."""
    return {name.strip(): status for status, name in SUMMARY.findall(log)}


def test_it_sees_what_pytest_prints(folder: Path) -> None:
    (folder / "tests" / "test_all.py").write_text(TESTS)
    log, evidence = run_pytest(folder)
    seen = {name: status for name, status in evidence.tests if status != "SKIPPED"}
    assert seen == printed(log)
    assert len(seen) == 11
    assert seen["tests/test_all.py::test_nothing_is_left_to_find"] == "PASSED"
    assert evidence.runner == "pytest"
    assert evidence.exit_status == 1
    assert not evidence.forged
    # Plugins of pytest replace some of its functions; the tests do not.
    assert not [one for one in evidence.altered if str(folder) in one]


def test_the_canary_fails_and_is_not_to_be_seen(folder: Path) -> None:
    (folder / "tests" / "test_one.py").write_text("def test_one(): pass\n")
    log, evidence = run_pytest(folder)
    assert evidence.canary_failed is True
    assert evidence.exit_status == 0
    assert "unlikely" not in log
    assert "1 passed" in log
    assert "100%" in log


@pytest.mark.parametrize(
    "lie",
    [
        "import _pytest.runner as r\nr.pytest_runtest_call = lambda item: None",
        "import _pytest.python as p\np.Function.runtest = lambda self: None",
        "import _pytest.assertion.rewrite as w\nw.rewrite_asserts = lambda *a, **k: None",
    ],
)
def test_a_runner_that_passes_everything_is_found_out(folder: Path, lie: str) -> None:
    (folder / "tests" / "test_a.py").write_text(f"{lie}\ndef test_a(): pass\n")
    (folder / "tests" / "test_b.py").write_text("def test_b(): assert [1] == [2]\n")
    _, evidence = run_pytest(folder, first=("tests/test_b.py::test_b",))
    assert evidence.altered or evidence.canary_failed is False


@pytest.mark.parametrize(
    ("deceit", "told"),
    [
        ("import sys\nsys.settrace(lambda *_: None)", "sys.settrace"),
        (
            "import sys\nset = sys.settrace\n(lambda: set(lambda *_: 0))()\nset(None)",
            "sys.settrace",
        ),
        ("import sys\nsys.setprofile(lambda *_: None)", "sys.setprofile"),
        ("import gc\ngc.get_objects()", "gc.get_objects"),
        (
            "import _pytest.reports as r\nr.TestReport.__init__.__defaults__ = (1, 2, 3)",
            "TestReport",
        ),
    ],
)
def test_the_package_is_seen_to_observe_or_change_its_runner(
    folder: Path, deceit: str, told: str
) -> None:
    (folder / "package.py").write_text(deceit)
    (folder / "tests" / "test_a.py").write_text("import package\ndef test_a(): pass\n")
    _, evidence = run_pytest(folder)
    assert any(told in one for one in evidence.altered)


def test_a_package_may_observe_itself(folder: Path) -> None:
    (folder / "package.py").write_text(
        "import sys\nbefore = sys.gettrace()\nsys.settrace(lambda *_: None)\nsys.settrace(before)\n"
    )
    (folder / "tests" / "test_a.py").write_text("import package\ndef test_a(): pass\n")
    _, evidence = run_pytest(folder)
    assert not [one for one in evidence.altered if "package.py" in one]


def test_the_account_does_not_pass_through_functions_that_can_be_replaced(folder: Path) -> None:
    (folder / "package.py").write_text(
        "import hashlib, hmac, json, os\n"
        "json.dumps = json.JSONEncoder.encode = lambda *_: '[]'\n"
        "os.getpid = lambda: 1\nhmac.new = hashlib.sha256 = None\n"
        "write = os.write\nos.write = lambda file, data: len(data)\n"
    )
    (folder / "tests" / "test_a.py").write_text("import package\ndef test_a(): assert 0\n")
    _, evidence = run_pytest(folder)
    assert evidence.tests == (("tests/test_a.py::test_a", "FAILED"),)
    assert not evidence.forged


def test_a_mark_that_comes_while_a_test_runs_is_told(folder: Path) -> None:
    (folder / "tests" / "test_a.py").write_text(
        "import pytest\n"
        "def test_late(request):\n    request.node.add_marker(pytest.mark.xfail)\n    assert 0\n"
        "@pytest.mark.xfail\ndef test_known(): assert 0\n"
    )
    _, evidence = run_pytest(folder)
    assert evidence.late == {"tests/test_a.py::test_late"}


def test_a_module_is_told_before_its_first_line_runs(folder: Path) -> None:
    (folder / "org.py").write_text("import sys\ndel sys.modules['org']\n")
    (folder / "json.py").write_text("raise ImportError\n")
    (folder / "tests" / "test_a.py").write_text(
        "import sys\nsys.modules.pop('json', None)\n"
        "try:\n    import json\nexcept ImportError: pass\n"
        "sys.modules.pop('copy')\nimport copy\ndef test_a(): pass\n"
    )
    log, evidence = run_pytest(folder)
    found = {one.name: one for one in evidence.imports}
    assert found["org"].origin == "org.py", log
    assert found["org"].from_outside
    assert found["json"].shadows
    assert "sitecustomize" in evidence.missing


def test_settings_are_what_pytest_made_of_them(folder: Path) -> None:
    (folder / "tests" / "test_a.py").write_text("def test_a(): pass\n")
    _, before = run_pytest(folder)
    (folder / "tests" / "setup.cfg").write_text("[metadata]\r[tool:pytest]\naddopts = -q\n")
    (folder / "tests" / "pytest.ini").write_text("[pytest]\naddopts = -q\n")
    _, after = run_pytest(folder)
    differ = {name for name, _ in set(before.settings) ^ set(after.settings)}
    assert {"inifile", "rootdir", "ini addopts"} <= differ


def test_tests_that_cannot_be_collected_leave_the_runner_proved(folder: Path) -> None:
    (folder / "tests" / "test_a.py").write_text("import nothing_of_that_name\n")
    _, evidence = run_pytest(folder)
    assert evidence.canary_failed is True
    assert evidence.any_failed
    assert evidence.exit_status == 2


def test_a_program_that_ends_by_itself_is_told_from_one_that_is_ended(folder: Path) -> None:
    (folder / "check.py").write_text("import add\nassert add\n")
    (folder / "add.py").write_text("")
    _, evidence = run_program(folder, "check.py")
    assert (evidence.runner, evidence.exit_status) == ("script", 0)
    (folder / "add.py").write_text("raise ValueError\n")
    assert run_program(folder, "check.py")[1].exit_status == 1
    (folder / "add.py").write_text("import os\nos._exit(0)\n")
    assert run_program(folder, "check.py")[1].exit_status is None


@pytest.mark.parametrize(
    ("runner", "file"),
    [("pytest", "unittest_spans.py"), ("unittest", "pytest_spans.py"), ("unittest", "test_a.py")],
)
def test_the_runner_is_known_whatever_its_test_files_are_called(
    folder: Path, runner: str, file: str
) -> None:
    text = "import unittest\nclass T(unittest.TestCase):\n    def test_t(self): pass\n"
    (folder / file).write_text(text)
    _, evidence = run(folder, runner, file)
    assert (evidence.runner, evidence.exit_status, evidence.canary_failed) == (runner, 0, True)


def test_a_program_that_runs_unittest_is_watched_as_such(folder: Path) -> None:
    (folder / "check.py").write_text(
        "import unittest\n"
        "class T(unittest.TestCase):\n    def test_t(self): pass\n"
        "unittest.main()\n"
    )
    _, evidence = run_program(folder, "check.py")
    assert (evidence.runner, evidence.exit_status, evidence.canary_failed) == ("unittest", 0, True)


def test_the_canary_does_not_come_between_tests_of_a_class(folder: Path) -> None:
    (folder / "tests" / "test_c.py").write_text(
        "class TestState:\n"
        "    @classmethod\n    def setup_class(cls): cls.seen = []\n"
        "    def test_one(self): self.seen.append(1)\n"
        "    def test_two(self): assert self.seen == [1]\n"
    )
    first = ("tests/test_c.py::TestState::test_two",)
    for _ in range(4):
        _, evidence = run_pytest(folder, first=first)
        assert {status for _, status in evidence.tests} == {"PASSED"}
        assert evidence.canaries == ("tests/test_c.py",)


def test_a_suite_without_functions_has_a_canary_beside_it(folder: Path) -> None:
    (folder / "tests" / "calc.py").write_text(
        'def f():\n    """\n    >>> f()\n    1\n    """\n    return 1\n'
    )
    words = ("pytest", "-rA", "-p", "no:cacheprovider", "--doctest-modules", "tests/calc.py")
    log, evidence = run(folder, *words)
    assert "1 passed" in log
    assert (evidence.exit_status, evidence.canary_failed, evidence.canaries) == (0, True, ())


def test_a_report_rewritten_for_the_log_is_not_rewritten_for_the_witness(folder: Path) -> None:
    (folder / "tests" / "test_b.py").write_text("def test_b(): assert [1] == [2]\n")
    (folder / "tests" / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_logreport(report):\n    report.outcome = 'passed'\n"
    )
    log, evidence = run_pytest(folder)
    assert "1 passed" in log
    assert evidence.tests == (("tests/test_b.py::test_b", "FAILED"),)


def test_in_a_hurry_nothing_runs_after_a_test_that_matters_has_failed(folder: Path) -> None:
    (folder / "tests" / "test_a.py").write_text("def test_a(): pass\n")
    (folder / "tests" / "test_b.py").write_text("def test_b(): assert 0\ndef test_c(): pass\n")
    first = ("tests/test_b.py::test_b", "tests/test_b.py::test_c")
    _, evidence = run_pytest(folder, first=first, hurry=True)
    assert dict(evidence.tests) == {first[0]: "FAILED", first[1]: "PASSED"}
    (folder / "tests" / "test_b.py").write_text("def test_b(): pass\ndef test_c(): pass\n")
    _, evidence = run_pytest(folder, first=first, hurry=True)
    assert [name for name, _ in evidence.tests] == [*first, "tests/test_a.py::test_a"]


def test_it_sees_what_unittest_prints(folder: Path) -> None:
    (folder / "tests" / "__init__.py").touch()
    (folder / "tests" / "test_u.py").write_text(
        "import unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_right(self): pass\n"
        "    def test_told(self):\n        'In words.'\n"
        "    def test_wrong(self): self.fail()\n"
        "    def test_broken(self): raise ValueError\n"
        "    def test_left_out(self): self.skipTest('no')\n"
        "    @unittest.expectedFailure\n"
        "    def test_known(self): self.fail()\n"
        "    def test_parts(self):\n"
        "        with self.subTest(1): self.fail()\n"
    )
    log, evidence = run(folder, "unittest", "-v", "tests.test_u")
    lines = [line.partition(" (subTest")[0] for line in log.splitlines() if " ... " in line]
    expected = {line.split(" 'no'")[0] for line in lines}
    seen = set(evidence.as_log("parse_log_django").splitlines())
    assert {line for line in expected if "test_parts" not in line} <= seen
    assert len(expected) >= 7
    assert evidence.any_failed
    assert evidence.canary_failed is True
    assert evidence.exit_status == 1


def test_a_failure_that_unittest_is_told_to_expect_while_it_runs_is_told(folder: Path) -> None:
    (folder / "tests" / "__init__.py").touch()
    (folder / "tests" / "test_u.py").write_text(
        "import unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_t(self):\n"
        "        self._outcome.expecting_failure = True\n        self.fail()\n"
        "    @unittest.expectedFailure\n    def test_known(self): self.fail()\n"
    )
    _, evidence = run(folder, "unittest", "-v", "tests.test_u")
    assert [name.partition(" ")[0] for name in evidence.late] == ["test_t"]


def test_a_unittest_that_passes_everything_is_found_out(folder: Path) -> None:
    (folder / "tests" / "__init__.py").touch()
    (folder / "tests" / "test_u.py").write_text(
        "import unittest\n"
        "unittest.TestCase.assertEqual = lambda self, a, b: None\n"
        "class T(unittest.TestCase):\n    def test_t(self): self.assertEqual(1, 2)\n"
    )
    log, evidence = run(folder, "unittest", "-v", "tests.test_u")
    assert "OK" in log
    assert evidence.canary_failed is False


def test_another_python_that_the_tests_start_is_left_alone(folder: Path) -> None:
    (folder / "tests" / "test_p.py").write_text(
        "import subprocess, sys\n"
        "def test_p():\n"
        "    code = 'import sys; print([m for m in sys.modules if \"witness\" in m])'\n"
        "    assert subprocess.check_output([sys.executable, '-c', code]).strip() == b'[]'\n"
        "    words = [sys.executable, '-m', 'pytest', '--version']\n"
        "    assert b'pytest' in subprocess.check_output(words, stderr=subprocess.STDOUT)\n"
    )
    log, evidence = run_pytest(folder)
    assert evidence.tests == (("tests/test_p.py::test_p", "PASSED"),), log
    assert not evidence.forged


def test_a_sitecustomize_of_the_image_is_still_run(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import builtins; builtins.was_run = True\n")
    (folder / "tests" / "test_s.py").write_text(
        "import builtins\ndef test_s(): assert builtins.was_run\n"
    )
    log, evidence = run(folder, "pytest", "-q", "tests", behind=(other,))
    assert "1 passed" in log
    assert evidence.exit_status == 0
