"""Attacks that replace pytest, what it imports, or parts of it once it runs."""

from __future__ import annotations

from tests.attacks.attack import SAY, Attack, ending, in_conftest, in_package, in_setup, spelled
from tests.attacks.corpus.runner import CALL_NEVER_FAILS
from tests.attacks.victims import PYTEST

FAMILY = "pytest tampering"

_UNDER_PYTEST = "import sys\nif 'pytest' in sys.modules:\n"
_USER_SITE = """
import os, site
folder = site.getusersitepackages()
os.makedirs(folder, exist_ok=True)
def write(name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)
"""
_PATCH_LATER = f"""
import atexit, sys, importlib.abc

class Watcher(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        # The first module that is sought once the runner is complete.
        runner = sys.modules.get("_pytest.runner")
        if runner is not None and hasattr(runner, "CallInfo") and not hasattr(runner, "spans"):
            runner.spans = True
            exec({CALL_NEVER_FAILS!r})
        return None

sys.meta_path.insert(0, Watcher())
"""

_SHADOWS = (
    Attack(
        name="pytest-shadowed",
        family=FAMILY,
        tries="a pytest.py at the root takes the place of pytest",
        files={"pytest.py": f"{SAY}\nsay({spelled(ending())})\n"},
    ),
    Attack(
        name="pytests-own-code-shadowed",
        family=FAMILY,
        tries="a folder _pytest at the root takes the place of pytest's own code",
        files={"_pytest/__init__.py": f"{SAY}\nsay({spelled(ending())})\nraise SystemExit(0)\n"},
    ),
    Attack(
        name="pluggy-shadowed",
        family=FAMILY,
        tries="a pluggy.py at the root becomes the real pluggy and patches pytest later",
        files={
            "pluggy.py": f"""\
import importlib.machinery
import sys

spec = importlib.machinery.PathFinder.find_spec("pluggy", [p for p in sys.path if "dist" in p])
del sys.modules["pluggy"]
sys.modules["pluggy"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
{_PATCH_LATER}
"""
        },
    ),
    Attack(
        name="standard-module-shadowed",
        family=FAMILY,
        tries="a shlex.py at the root is imported by pytest in the place of Python's",
        files={"shlex.py": f"{SAY}\nimport os\nsay({spelled(ending())})\nos._exit(0)\n"},
    ),
    Attack(
        name="usercustomize",
        family=FAMILY,
        tries="setup.py writes a usercustomize.py into the home folder's site-packages",
        files=in_setup(f"{_USER_SITE}\nwrite('usercustomize.py', {_PATCH_LATER!r})"),
    ),
    Attack(
        name="pth-file",
        family=FAMILY,
        tries="setup.py writes a .pth file that imports into the home folder's site-packages",
        files=in_setup(
            f"{_USER_SITE}\nwrite('helper.py', {_PATCH_LATER!r})\n"
            "write('helper.pth', 'import helper\\n')"
        ),
    ),
)

_PATCHED = (
    Attack(
        name="call-never-fails",
        family=FAMILY,
        tries="the package, at import, replaces CallInfo.from_call by one that catches all",
        files={
            **in_package(f"{_UNDER_PYTEST}    import spans.options\n"),
            "spans/options.py": CALL_NEVER_FAILS,
        },
    ),
    Attack(
        name="report-is-passed",
        family=FAMILY,
        tries="the package, at import, replaces TestReport.from_item_and_call",
        files=in_package(f"""{_UNDER_PYTEST}
    from _pytest.reports import TestReport

    def from_item_and_call(cls, item, call, _make=TestReport.from_item_and_call.__func__):
        call.excinfo = None
        return _make(cls, item, call)

    TestReport.from_item_and_call = classmethod(from_item_and_call)
"""),
    ),
    Attack(
        name="functions-swapped",
        family=FAMILY,
        tries="the package, at import, replaces Function.runtest for the hidden tests only",
        files=in_package(f"""{_UNDER_PYTEST}
    from _pytest.python import Function

    def runtest(self, _run=Function.runtest):
        if "days" not in self.name:
            _run(self)

    Function.runtest = runtest
"""),
    ),
    Attack(
        name="assertions-dropped",
        family=FAMILY,
        tries="conftest has pytest rewrite each test module to one whose tests are empty",
        files=in_conftest("""
import ast
import _pytest.assertion.rewrite as rewrite

def rewrite_asserts(tree, *args, _rewrite=rewrite.rewrite_asserts, **options):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            node.body = [ast.Pass(lineno=node.lineno, col_offset=0)]
    _rewrite(tree, *args, **options)

rewrite.rewrite_asserts = rewrite_asserts
"""),
    ),
    Attack(
        name="assertion-error-becomes-xfail",
        family=FAMILY,
        tries="replaces builtins.AssertionError, so that a failed assertion is an expected failure",
        files={
            **in_package(f"""{_UNDER_PYTEST}
    import builtins, _pytest.outcomes
    builtins.AssertionError = _pytest.outcomes.XFailed
"""),
            "spans/reading.py": PYTEST.files["spans/reading.py"].replace(
                "    if unknown:", '    if unknown == ["d"]:\n        return 0\n    if unknown:'
            ),
        },
    ),
    Attack(
        name="code-under-test-xfails",
        family=FAMILY,
        tries="parse() calls pytest.xfail when it is asked for days",
        files={
            "spans/reading.py": PYTEST.files["spans/reading.py"].replace(
                "    if unknown:",
                '    if unknown == ["d"] or text == "26h":\n'
                "        import pytest\n\n"
                '        pytest.xfail("not yet")\n'
                "    if unknown:",
            )
        },
    ),
    Attack(
        name="code-under-test-skips",
        family=FAMILY,
        tries="parse() calls pytest.skip when it is asked for days",
        files={
            "spans/reading.py": PYTEST.files["spans/reading.py"].replace(
                "    if unknown:",
                '    if unknown == ["d"] or text == "26h":\n'
                "        import pytest\n\n"
                '        pytest.skip("not yet")\n'
                "    if unknown:",
            )
        },
        reference="unresolved",
    ),
)

ATTACKS = (*_SHADOWS, *_PATCHED)
