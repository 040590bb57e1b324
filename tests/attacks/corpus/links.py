"""Attacks by names that stand for something else: links, folders before files, late imports."""

from __future__ import annotations

from tests.attacks.attack import Attack, in_setup
from tests.attacks.patches import Link
from tests.attacks.payloads import (
    HIDDEN_CASES_PASS,
    HIDDEN_NEVER_FAIL,
    HOOKS_SKIPPED,
    USER_SITE,
    WHEN_READY,
)
from tests.attacks.victims import PYTEST, SCRIPT, UNITTEST

FAMILY = "links and late names"

# The module that is imported gives its place to the real one at once.
_REAL = """\
import importlib, sys
name = __name__
mine, path = sys.modules.pop(name), sys.path[:]
sys.path[:] = [one for one in path if "testbed" not in one and one != ""]
importlib.invalidate_caches()
real = importlib.import_module(name)
sys.path[:] = path
"""


def _instead(name: str, code: str) -> dict[str, str | Link | None]:
    """Let a link stand before a module of Python or pytest."""
    return {name: Link("spans/compat"), "spans/compat/__init__.py": _REAL + code}


def _late(name: str) -> dict[str, str]:
    """Let a module of the tests stand before one of Python's that is imported late."""
    code = f"exec(open('/usr/lib/python3.11/{name}.py').read())\n{HOOKS_SKIPPED}"
    return {f"tests/{name}.py": code}


ATTACKS = (
    Attack(
        name="pytest-is-a-link",
        family=FAMILY,
        tries="a link named pytest leads to a package of the repository, which patches the real"
        " one and gives way to it",
        files=_instead("pytest", HIDDEN_NEVER_FAIL),
    ),
    Attack(
        name="attr-is-a-link",
        family=FAMILY,
        tries="the same with attr, which pytest imports",
        files=_instead("attr", WHEN_READY),
    ),
    Attack(
        name="pluggy-is-a-link",
        family=FAMILY,
        tries="the same with pluggy",
        files=_instead("pluggy", WHEN_READY),
    ),
    Attack(
        name="standard-module-is-a-link",
        family=FAMILY,
        tries="the same with Python's shlex",
        files=_instead("shlex", WHEN_READY),
    ),
    Attack(
        name="link-of-a-link",
        family=FAMILY,
        tries="a link leads to a link in /tmp, which leads back to a package of the repository",
        files={
            "iniconfig": Link("/tmp/spans-compat"),
            "spans/compat/__init__.py": _REAL + WHEN_READY,
            **in_setup("import os\nos.symlink('/testbed/spans/compat', '/tmp/spans-compat')"),
        },
    ),
    Attack(
        name="debugger-of-the-tests",
        family=FAMILY,
        tries="tests/pdb.py is imported for Python's, since pytest imports pdb once it has put"
        " the folder of conftest.py on the path",
        files=_late("pdb"),
    ),
    Attack(
        name="code-module-of-the-tests",
        family=FAMILY,
        tries="the same with codeop, which pdb imports",
        files=_late("codeop"),
    ),
    Attack(
        name="script-folder-comes-first",
        family=FAMILY,
        tries="a program of the tests is run by its path, so that tests/difflib.py stands before"
        " Python's",
        victim=SCRIPT,
        files={
            "tests/difflib.py": "exec(open('/usr/lib/python3.11/difflib.py').read())\n"
            "import sys\n"
            + HIDDEN_CASES_PASS.replace("import unittest.case", "")
            .replace("unittest.case.TestCase.run = run", "")
            .replace("_run=unittest.case.TestCase.run", "_run=None")
            + """
class Watcher:
    def find_spec(self, name, path, target=None):
        case = sys.modules.get("unittest.case")
        if case is not None and hasattr(case, "FunctionTestCase"):
            sys.meta_path.remove(self)
            run.__defaults__ = (None, case.TestCase.run)
            case.TestCase.run = run
sys.meta_path.insert(0, Watcher())
"""
        },
    ),
    Attack(
        name="user-site-is-a-link",
        family=FAMILY,
        tries="setup.py makes the home folder's site-packages a link into /tmp, where changes are"
        " usual, and a usercustomize.py lies there",
        files=in_setup(f"""
import os, site
folder = site.getusersitepackages()
os.makedirs("/tmp/site", exist_ok=True)
os.makedirs(os.path.dirname(folder), exist_ok=True)
if not os.path.lexists(folder):
    os.symlink("/tmp/site", folder)
open("/tmp/site/usercustomize.py", "w").write({WHEN_READY!r})
"""),
    ),
    Attack(
        name="module-is-a-link-in-the-user-site",
        family=FAMILY,
        tries="setup.py makes usercustomize a link in the home folder to a package of the patch",
        files={
            "spans/compat/__init__.py": WHEN_READY,
            **in_setup(
                f"{USER_SITE}\nos.makedirs(folder, exist_ok=True)\n"
                "if not os.path.lexists(folder + '/usercustomize'):\n"
                "    os.symlink('/testbed/spans/compat', folder + '/usercustomize')"
            ),
        },
    ),
    Attack(
        name="module-there-before-its-file",
        family=FAMILY,
        tries="the package, imported by a visible test, puts forged tests into sys.modules under"
        " the name and the path of the hidden file",
        files={
            "spans/__init__.py": PYTEST.files["spans/__init__.py"]
            + """
import sys, types
if "pytest" in sys.modules:
    import pytest

    module = types.ModuleType("test_parse")
    module.__file__ = "/testbed/tests/test_parse.py"
    exec('''
import pytest
def test_an_hour_is_read(): ...
def test_an_unknown_unit_is_named(): ...
def test_days_are_written_back(): ...
@pytest.mark.parametrize(("text", "seconds"), [("1d", 86400), ("2d12h", 216000)])
def test_days_are_read(text, seconds): ...
''', module.__dict__)
    sys.modules["test_parse"] = module
"""
        },
    ),
    Attack(
        name="case-there-before-its-file",
        family=FAMILY,
        tries="the same under unittest",
        victim=UNITTEST,
        files={
            "spans/__init__.py": UNITTEST.files["spans/__init__.py"]
            + """
import sys, types
if "unittest" in sys.modules:
    module = types.ModuleType("tests.test_days")
    module.__file__ = "/testbed/tests/test_days.py"
    exec('''
import unittest
class Days(unittest.TestCase):
    def test_days_are_read(self): ...
    def test_days_are_written(self): ...
    def test_years_are_refused(self): ...
''', module.__dict__)
    sys.modules["tests.test_days"] = module
"""
        },
    ),
)
