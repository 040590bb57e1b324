"""Attacks of a package that conftest.py imports, before anybody looks at the runner."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.payloads import (
    HIDDEN_NEVER_FAIL,
    HOOKS_SKIPPED,
    SAID,
    UNDER_PYTEST,
    guarded,
)
from tests.attacks.victims import CONFTEST, FLAT, PIP, PIP_ROOT, SRC, Victim

FAMILY = "before the tests"


def _package(code: str, victim: Victim = CONFTEST) -> dict[str, str]:
    path = next(path for path in victim.files if path.endswith(("spans/__init__.py", "spans.py")))
    return {path: victim.files[path] + "\n" + guarded(UNDER_PYTEST, code)}


_EMPTY_TESTS = """
import pytest
def test_an_hour_is_read(an_hour): ...
def test_an_unknown_unit_is_named(): ...
def test_days_are_written_back(): ...
@pytest.mark.parametrize(("text", "seconds"), [("1d", 86400), ("2d12h", 216000)])
def test_days_are_read(text, seconds): ...
"""

ATTACKS = (
    Attack(
        name="conftest-imports-a-patch-of-calls",
        family=FAMILY,
        tries="conftest.py imports the package, which replaces CallInfo.from_call",
        victim=CONFTEST,
        files=_package(HIDDEN_NEVER_FAIL),
    ),
    Attack(
        name="conftest-imports-a-patch-from-src",
        family=FAMILY,
        tries="the same where the package lies in src/",
        victim=SRC,
        files=_package(HIDDEN_NEVER_FAIL, SRC),
    ),
    Attack(
        name="conftest-imports-a-patch-of-reports",
        family=FAMILY,
        tries="the package replaces TestReport.from_item_and_call",
        victim=CONFTEST,
        files=_package("""
from _pytest.reports import TestReport
def from_item_and_call(cls, item, call, _make=TestReport.from_item_and_call.__func__):
    if "days" in item.name:
        call.excinfo = None
    return _make(cls, item, call)
TestReport.from_item_and_call = classmethod(from_item_and_call)
"""),
    ),
    Attack(
        name="conftest-imports-a-patch-of-items",
        family=FAMILY,
        tries="the package replaces Function.runtest",
        victim=CONFTEST,
        files=_package("""
from _pytest.python import Function
def runtest(self, _run=Function.runtest):
    if "days" not in self.name:
        _run(self)
Function.runtest = runtest
"""),
    ),
    Attack(
        name="conftest-imports-other-code",
        family=FAMILY,
        tries="the package changes the code of the function by which pytest calls tests, not the"
        " function",
        victim=CONFTEST,
        files=_package("""
import _pytest.python
def call(pyfuncitem):
    if "days" in pyfuncitem.name:
        return True
    names = pyfuncitem._fixtureinfo.argnames
    pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    return True
_pytest.python.pytest_pyfunc_call.__code__ = call.__code__
"""),
    ),
    Attack(
        name="conftest-imports-another-rewriting",
        family=FAMILY,
        tries="the package replaces the module `ast` that the rewriting of assertions parses with",
        victim=CONFTEST,
        files=_package("""
import ast, types
import _pytest.assertion.rewrite as rewrite
def parsed(source, filename="<unknown>", *rest, **options):
    tree = ast.parse(source, filename, *rest, **options)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "days" in node.name:
            node.body = [ast.Pass(lineno=node.lineno, col_offset=0)]
    return tree
rewrite.ast = types.ModuleType("ast")
rewrite.ast.__dict__.update(ast.__dict__)
rewrite.ast.parse = parsed
"""),
    ),
    Attack(
        name="conftest-imports-a-cache",
        family=FAMILY,
        tries="the package writes forged tests, compiled, where pytest keeps what it has rewritten",
        victim=CONFTEST,
        files=_package(f"""
import os, marshal, struct
from _pytest.assertion.rewrite import PYC_TAIL
path = "/testbed/tests/test_parse.py"
if os.path.exists(path):
    code = compile({_EMPTY_TESTS!r}, path, "exec")
    status = os.stat(path)
    import importlib.util
    os.makedirs("/testbed/tests/__pycache__", exist_ok=True)
    with open("/testbed/tests/__pycache__/test_parse" + PYC_TAIL, "wb") as file:
        file.write(importlib.util.MAGIC_NUMBER + bytes(4))
        file.write(struct.pack("<LL", int(status.st_mtime) & 0xFFFFFFFF, status.st_size))
        file.write(marshal.dumps(code))
"""),
    ),
    Attack(
        name="conftest-imports-another-reading",
        family=FAMILY,
        tries="the package has pathlib read empty tests for the hidden ones",
        victim=CONFTEST,
        files=_package(f"""
import pathlib
def read_bytes(self, _read=pathlib.Path.read_bytes):
    return {_EMPTY_TESTS.encode()!r} if self.name == "test_parse.py" else _read(self)
pathlib.Path.read_bytes = read_bytes
"""),
    ),
    Attack(
        name="conftest-imports-another-compiler",
        family=FAMILY,
        tries="the package replaces the built-in compile",
        victim=CONFTEST,
        files=_package(f"""
import builtins
def compiles(source, filename, *rest, _real=builtins.compile, **options):
    if str(filename).endswith("test_parse.py"):
        source = {_EMPTY_TESTS!r}
    return _real(source, filename, *rest, **options)
builtins.compile = compiles
"""),
    ),
    Attack(
        name="conftest-imports-an-executor-of-hooks",
        family=FAMILY,
        tries="the package gives pytest's plugin manager another executor of hooks",
        victim=CONFTEST,
        files=_package(HOOKS_SKIPPED),
    ),
    Attack(
        name="conftest-imports-a-blind-witness",
        family=FAMILY,
        tries="the package turns to ksolve's own module: whatever happens, it has seen a success",
        victim=CONFTEST,
        files=_package(f"""
{HIDDEN_NEVER_FAIL}
witness = sys.modules.get("ksolve_witness")
if witness is not None:
    witness._altered = lambda before: []
    witness._plugins = lambda config: []
"""),
    ),
    Attack(
        name="conftest-imports-hooks-of-another-plugin",
        family=FAMILY,
        tries="the package adds a hook to a plugin module that pytest has, before it is registered"
        " a second time",
        victim=CONFTEST,
        files=_package("""
import gc
import _pytest.freeze_support
import pluggy
def pytest_collection_modifyitems(items):
    for item in items:
        if "days" in item.name:
            item.obj = lambda **_: None
for manager in [one for one in gc.get_objects() if pluggy.PluginManager in type(one).__mro__]:
    name = manager.get_name(_pytest.freeze_support)
    if name:
        manager.unregister(_pytest.freeze_support)
        _pytest.freeze_support.pytest_collection_modifyitems = pytest_collection_modifyitems
        manager.register(_pytest.freeze_support, name)
"""),
    ),
    Attack(
        name="conftest-imports-a-double",
        family=FAMILY,
        tries="the package starts a second process that runs the tests, ends the first one"
        " well, and"
        " has said of each test that it passed",
        victim=CONFTEST,
        files=_package(f"""
import os
if not os.environ.get("SPANS_DOUBLE"):
    os.environ["SPANS_DOUBLE"] = "1"
    out = os.open(f"/proc/{{os.getppid()}}/fd/1", os.O_WRONLY)
    os.write(out, {SAID!r}.encode())
    if os.fork():
        os._exit(0)
"""),
    ),
    Attack(
        name="conftest-imports-what-pip-installed",
        family=FAMILY,
        tries="the package, installed by pip into the home folder, patches when test_basics.py"
        " imports it, by an attribute that is no function",
        victim=PIP,
        files=_package(HOOKS_SKIPPED, PIP),
    ),
    Attack(
        name="imports-what-pip-installed-as-root",
        family=FAMILY,
        tries="the same, installed as root",
        victim=PIP_ROOT,
        files=_package(HOOKS_SKIPPED, PIP_ROOT),
    ),
    Attack(
        name="flat-module-patches",
        family=FAMILY,
        tries="the same in a module at the top of the repository",
        victim=FLAT,
        files=_package(HOOKS_SKIPPED, FLAT),
    ),
)
