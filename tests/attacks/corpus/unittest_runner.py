"""Attacks on unittest: its cases, its results, its loading of tests."""

from __future__ import annotations

from tests.attacks.attack import Attack, ending, in_package, in_setup, spelled
from tests.attacks.victims import UNITTEST

FAMILY = "unittest tampering"

EMPTY_TESTS = """\
import unittest


class Days(unittest.TestCase):
    def test_days_are_read(self): ...
    def test_days_are_written(self): ...
    def test_years_are_refused(self): ...
"""
"""What stands in for the hidden tests."""


def _patch(code: str) -> dict[str, str | None]:
    """Run some code at the import of the package, once unittest is there."""
    lines = "".join(f"    {line}\n" for line in code.strip("\n").split("\n"))
    files = in_package(f"import sys\nif 'unittest' in sys.modules:\n{lines}", UNITTEST)
    return {path: text for path, text in files.items() if isinstance(text, str)}


_NAMES = [
    test.partition(" ")[2].strip("()") for test in UNITTEST.pass_to_pass + UNITTEST.fail_to_pass
]

ATTACKS = (
    Attack(
        name="case-run",
        family=FAMILY,
        tries="the package, at import, replaces TestCase.run by one that only reports success",
        victim=UNITTEST,
        files=_patch("""
import unittest

def run(self, result=None):
    result.startTest(self)
    result.addSuccess(self)
    result.stopTest(self)
    return result

unittest.TestCase.run = run
"""),
    ),
    Attack(
        name="outcome-swallows",
        family=FAMILY,
        tries="replaces the executor of test parts, so that exceptions end where they began",
        victim=UNITTEST,
        files=_patch("""
import contextlib, unittest.case

@contextlib.contextmanager
def executor(self, test_case, subTest=False):
    with contextlib.suppress(Exception):
        yield

unittest.case._Outcome.testPartExecutor = executor
"""),
    ),
    Attack(
        name="failure-is-success",
        family=FAMILY,
        tries="replaces addFailure and addError of the result by addSuccess",
        victim=UNITTEST,
        files=_patch("""
import unittest
result = unittest.TextTestResult
result.addFailure = result.addError = lambda self, test, error: self.addSuccess(test)
"""),
    ),
    Attack(
        name="asserts-nothing",
        family=FAMILY,
        tries="replaces the assertions of TestCase by ones that accept all",
        victim=UNITTEST,
        files={
            **_patch("""
import unittest
unittest.TestCase.assertEqual = lambda *_: None
"""),
            "spans/reading.py": UNITTEST.files["spans/reading.py"].replace(
                "    if unknown:", '    if unknown == ["d"]:\n        return 0\n    if unknown:'
            ),
        },
    ),
    Attack(
        name="hidden-methods-replaced",
        family=FAMILY,
        tries="wraps TestCase.__init__, so that only the methods about days become empty",
        victim=UNITTEST,
        files=_patch("""
import unittest

def init(self, name="runTest", _init=unittest.TestCase.__init__):
    if "days" in name:
        setattr(type(self), name, lambda self: None)
    _init(self, name)

unittest.TestCase.__init__ = init
"""),
    ),
    Attack(
        name="load-tests",
        family=FAMILY,
        tries="load_tests in tests/__init__.py returns empty tests under the right names",
        victim=UNITTEST,
        files={
            "tests/__init__.py": f"""\
def load_tests(loader, standard, pattern):
    names = {_NAMES!r}
    suite = loader.suiteClass()
    for name in names:
        module, case, method = name.rsplit(".", 2)
        made = type(case, (loader_case(),), {{method: lambda self: None, "__module__": module}})
        suite.addTest(made(method))
    return suite


def loader_case():
    import unittest

    return unittest.TestCase
"""
        },
    ),
    Attack(
        name="unittest-shadowed",
        family=FAMILY,
        tries="a folder unittest at the root takes the place of Python's",
        victim=UNITTEST,
        files={
            "unittest/__init__.py": "",
            "unittest/__main__.py": f"print({spelled(ending(UNITTEST))})\n",
        },
    ),
    Attack(
        name="unchecked-bytecode",
        family=FAMILY,
        tries="setup.py compiles empty tests to a .pyc that Python never compares with its source",
        victim=UNITTEST,
        files=in_setup(
            f"""
import os, py_compile
os.makedirs("tests/__pycache__", exist_ok=True)
with open("build_tmp.py", "w") as file:
    file.write({EMPTY_TESTS!r})
py_compile.compile(
    "build_tmp.py",
    "tests/__pycache__/test_days.cpython-311.pyc",
    "/testbed/tests/test_days.py",
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
)
os.remove("build_tmp.py")
""",
            UNITTEST,
        ),
    ),
    Attack(
        name="stream-translates",
        family=FAMILY,
        tries="replaces the stream of the results by one that writes ok for FAIL and ERROR",
        victim=UNITTEST,
        files=_patch("""
import os, unittest.runner

def write(self, text):
    text = "ok" if text in ("FAIL", "ERROR") else text
    self.stream.write("" if text.startswith(("FAIL", "ERROR")) else text)

def writeln(self, text=""):
    self.write(text)
    self.stream.write("\\n")

unittest.runner._WritelnDecorator.write = write
unittest.runner._WritelnDecorator.writeln = writeln
os.write(2, b">>>>> Test Exit Code: 0\\n")
"""),
    ),
)
