"""Attacks from inside the process that runs pytest: no function of the runner is replaced.

What they change instead is the data that the runner works with (marks, stashes, closures,
attributes of its objects), or the ways of Python itself (tracing, globals, memory).
"""

from __future__ import annotations

from tests.attacks.attack import SAY, Attack, in_package
from tests.attacks.payloads import HOOKS_SKIPPED, UNDER_PYTEST, asked, early, guarded
from tests.attacks.victims import PYTEST

FAMILY = "inside the process"

_ITEM = "item = above('pyfuncitem') or above('item')\n"

_EMPTY = """
import pytest
def test_an_hour_is_read(an_hour): ...
def test_an_unknown_unit_is_named(): ...
def test_days_are_written_back(): ...
@pytest.mark.parametrize(("text", "seconds"), [("1d", 86400), ("2d12h", 216000)])
def test_days_are_read(text, seconds): ...
"""


def _imported(code: str) -> dict[str, str]:
    return {"spans/__init__.py": PYTEST.files["spans/__init__.py"] + guarded(UNDER_PYTEST, code)}


ATTACKS = (
    Attack(
        name="mark-added-during-the-test",
        family=FAMILY,
        tries="parse(), asked for days, marks the test above it as expected to fail, and fails",
        files=asked(f"{_ITEM}import pytest\nitem.add_marker(pytest.mark.xfail)\n"),
    ),
    Attack(
        name="expectation-in-the-stash",
        family=FAMILY,
        tries="the same without a mark: by the value that pytest keeps of its evaluation",
        files=asked(
            f"{_ITEM}from _pytest import skipping\n"
            "item.stash[skipping.xfailed_key] = skipping.Xfail('later', True, False, None)\n"
        ),
    ),
    Attack(
        name="mark-among-the-parents",
        family=FAMILY,
        tries="a visible test is enough: the module of hidden tests gets the mark when it"
        " is called",
        files=early("""
item = above("item")
import pytest
for other in item.session.items:
    if "days" in other.name:
        other.own_markers.append(pytest.mark.xfail.mark)
        other.keywords["xfail"] = pytest.mark.xfail.mark
"""),
    ),
    Attack(
        name="xfail-by-another-name",
        family=FAMILY,
        tries="parse() raises a subclass of the exception by which pytest.xfail speaks",
        files=asked(
            "from _pytest.outcomes import XFailed\nclass Later(XFailed): ...\n"
            "raise Later('not yet')\n"
        ),
    ),
    Attack(
        name="xfail-is-any-error",
        family=FAMILY,
        tries="pytest.xfail gets ValueError for its exception; parse() raises one with a message",
        files=asked(
            "import pytest\npytest.xfail.Exception = ValueError\n"
            "error = ValueError('unknown')\nerror.msg = 'later'\nraise error\n"
        ),
    ),
    Attack(
        name="assertion-error-of-the-module",
        family=FAMILY,
        tries="the hidden test's module gets a name AssertionError, which makes an expected"
        " failure,"
        " raised by the test itself",
        files=asked("""
from _pytest.outcomes import XFailed
test_frame().f_globals["AssertionError"] = lambda message=None: XFailed(str(message))
return 1 if text != "26h" else 0
"""),
    ),
    Attack(
        name="profile-function",
        family=FAMILY,
        tries="a profile function, called when a hidden test begins, takes `parse` and `render` in"
        " its module away and leaves ones that answer with what is compared",
        files=_imported("""
import sys
class Same:
    def __eq__(self, other):
        return True
    __hash__ = None
def profile(frame, event, argument):
    name = frame.f_code.co_name
    if event == "call" and name.startswith("test_days"):
        frame.f_globals["parse"] = lambda text: Same()
        import spans
        spans.render = lambda seconds: Same()
sys.setprofile(profile)
"""),
    ),
    Attack(
        name="trace-function",
        family=FAMILY,
        tries="a trace function empties the exception that pytest is about to report",
        files=_imported("""
import sys
def trace(frame, event, argument):
    if frame.f_code.co_name == "pytest_runtest_makereport":
        call = frame.f_locals.get("call")
        item = frame.f_locals.get("item")
        if call is not None and item is not None and "days" in item.name:
            call.excinfo = None
    return None
sys.settrace(trace)
"""),
    ),
    Attack(
        name="trace-function-of-threads",
        family=FAMILY,
        tries="a thread, started at import, waits for reports of hidden tests and makes them good",
        files=_imported("""
import sys, threading, time
sys.setswitchinterval(1e-6)
main = threading.main_thread().ident
def watch():
    while True:
        frame = sys._current_frames().get(main)
        while frame:
            if frame.f_code.co_name == "call_runtest_hook" and "item" in frame.f_locals:
                item = frame.f_locals["item"]
                if "days" in item.name and item.__dict__.get("runtest") is None:
                    item.runtest = lambda: None
                break
            frame = frame.f_back
        time.sleep(0)
threading.Thread(target=watch, daemon=True).start()
"""),
        # A race, which is won at times.
        reference="unresolved",
    ),
    Attack(
        name="executor-of-hooks",
        family=FAMILY,
        tries="the package gives pytest's plugin manager another executor of hooks",
        files=_imported(HOOKS_SKIPPED),
    ),
    Attack(
        name="function-of-a-hook",
        family=FAMILY,
        tries="the package gives the entry of a hook another function; the module keeps its own",
        files=_imported("""
import gc
import pluggy
def call(pyfuncitem):
    return True if "days" in pyfuncitem.name else real(pyfuncitem)
for manager in [one for one in gc.get_objects() if pluggy.PluginManager in type(one).__mro__]:
    for entry in manager.hook.pytest_pyfunc_call.get_hookimpls():
        if entry.plugin_name == "python":
            real, entry.function = entry.function, call
"""),
    ),
    Attack(
        name="entry-of-a-hook",
        family=FAMILY,
        tries="the package adds an entry to a hook, without a plugin that could be seen",
        files=_imported("""
import gc
import pluggy
from pluggy._hooks import HookImpl
def call(pyfuncitem):
    return True if "days" in pyfuncitem.name else None
options = {"hookwrapper": False, "optionalhook": False, "tryfirst": True, "trylast": False,
           "specname": None, "wrapper": False}
for manager in [one for one in gc.get_objects() if pluggy.PluginManager in type(one).__mro__]:
    import _pytest.python
    manager.hook.pytest_pyfunc_call._add_hookimpl(
        HookImpl(_pytest.python, "python", call, options)
    )
"""),
    ),
    Attack(
        name="hook-of-the-relay",
        family=FAMILY,
        tries="the object that hooks are called by gets another one of the same name",
        files=early("""
item = above("item")
relay, real = item.config.hook, item.config.hook.pytest_runtest_call
class Caller:
    def __getattr__(self, name):
        return getattr(real, name)
    def __call__(self, **options):
        return [] if "days" in options["item"].name else real(**options)
relay.pytest_runtest_call = Caller()
for proxy in vars(item.session).get("_fs2hookproxy", {}).values():
    proxy.__dict__["pytest_runtest_call"] = relay.pytest_runtest_call
"""),
    ),
    Attack(
        name="items-run-nothing",
        family=FAMILY,
        tries="hidden items get a runtest of their own when a visible test calls the package",
        files=early("""
item = above("item")
for other in item.session.items:
    if "days" in other.name:
        other.runtest = lambda: None
"""),
    ),
    Attack(
        name="class-of-the-items",
        family=FAMILY,
        tries="hidden items become instances of another class",
        files=early("""
item = above("item")
def runtest(self):
    pass
for other in item.session.items:
    if "days" in other.name:
        other.__class__ = type("Function", (type(other),), {"runtest": runtest})
"""),
    ),
    Attack(
        name="code-of-the-tests",
        family=FAMILY,
        tries="the hidden test functions get the code of others",
        files=early("""
item = above("item")
def empty():
    pass
def empty_of_two(text, seconds):
    pass
for other in item.session.items:
    if "days" in other.name:
        count = other.obj.__code__.co_argcount
        other.obj.__code__ = (empty_of_two if count else empty).__code__
"""),
    ),
    Attack(
        name="arguments-of-the-tests",
        family=FAMILY,
        tries="the hidden tests keep their names and get arguments and constants that work already",
        files=early("""
item = above("item")
for other in item.session.items:
    if hasattr(other, "callspec"):
        for values in (other.callspec.funcargs, other.callspec.params):
            if values:
                values.update(text="1h", seconds=3600)
    elif "days" in other.name:
        code = other.obj.__code__
        constants = ["26h" if one == "1d2h" else one for one in code.co_consts]
        other.obj.__code__ = code.replace(co_consts=tuple(constants))
"""),
    ),
    Attack(
        name="report-mended-in-the-teardown",
        family=FAMILY,
        tries="a finalizer, left by the failing call, moves the report to the good ones and tells"
        " ksolve's witness so",
        files=asked(f"""
{_ITEM}
config, session = item.config, item.session
def mend():
    reporter = config.pluginmanager.getplugin("terminalreporter")
    failed = reporter.stats.get("failed", [])
    for report in [one for one in failed if one.nodeid == item.nodeid]:
        failed.remove(report)
        report.outcome, report.longrepr = "passed", None
        reporter.stats.setdefault("passed", []).append(report)
    if not failed:
        reporter.stats.pop("failed", None)
    session.testsfailed = 0
    watch = config.pluginmanager.getplugin("ksolve-watch")
    if watch is not None:
        function = watch.pytest_runtest_makereport.__func__
        for cell in function.__closure__:
            if isinstance(cell.cell_contents, dict):
                cell.cell_contents["call"] = "PASSED"
        for cell in watch.pytest_runtest_logfinish.__func__.__closure__:
            if isinstance(cell.cell_contents, dict):
                cell.cell_contents["call"] = "PASSED"
item.addfinalizer(mend)
"""),
    ),
    Attack(
        name="closure-of-the-witness",
        family=FAMILY,
        tries="the function by which ksolve's witness judges is replaced in its closure,"
        " and pytest's"
        " reports are mended by an entry of a hook",
        files=_imported("""
import gc
import pluggy
import _pytest.runner
from pluggy._hooks import HookImpl
def report(item, call):
    if "days" in item.name:
        call.excinfo = None
options = {"hookwrapper": False, "optionalhook": False, "tryfirst": True, "trylast": False,
           "specname": None, "wrapper": False}
for manager in [one for one in gc.get_objects() if pluggy.PluginManager in type(one).__mro__]:
    manager.hook.pytest_runtest_makereport._add_hookimpl(
        HookImpl(_pytest.runner, "runner", report, options)
    )
    watch = manager.get_plugin("ksolve-watch")
    for cell in watch.pytest_runtest_makereport.__func__.__closure__ if watch else ():
        if getattr(cell.cell_contents, "__name__", "") == "how":
            def how(item, report, call, real=cell.cell_contents):
                return "PASSED" if "days" in item.name else real(item, report, call)
            cell.cell_contents = how
"""),
    ),
    Attack(
        name="module-behind-its-double",
        family=FAMILY,
        tries="sys.modules holds a faithful copy of pytest's runner, while the one that is used is"
        " changed",
        files=_imported("""
import types
import _pytest.runner
real = sys.modules["_pytest.runner"]
double = types.ModuleType("_pytest.runner")
double.__dict__.update(real.__dict__)
sys.modules["_pytest.runner"] = double
def hook(item, when, _real=real.call_runtest_hook, **options):
    call = _real(item, when, **options)
    if "days" in item.name:
        call.excinfo = None
    return call
real.call_runtest_hook = hook
"""),
    ),
    Attack(
        name="built-in-that-lies",
        family=FAMILY,
        tries="vars() shows the classes of the runner as they were before they were changed",
        files=_imported("""
import builtins
import _pytest.runner
kind = _pytest.runner.CallInfo
before = dict(vars(kind))
def shown(*what, _real=builtins.vars):
    return before if what and what[0] is kind else _real(*what)
builtins.vars = shown
from tempfile import gettempdir
import os
def from_call(cls, func, when, reraise=None, _call=kind.from_call.__func__):
    def quiet():
        try:
            return func()
        except Exception:
            if "days" not in os.environ.get("PYTEST_CURRENT_TEST", ""):
                raise
    return _call(cls, quiet, when, reraise)
kind.from_call = classmethod(from_call)
"""),
    ),
    Attack(
        name="function-that-is-another-type",
        family=FAMILY,
        tries="CallInfo gets a constructor by a descriptor that is no function, under a name that"
        " was not there",
        files=_imported("""
import os
import _pytest.runner
class Setter:
    def __get__(self, instance, owner=None):
        return lambda name, value: object.__setattr__(
            instance,
            name,
            None
            if name == "excinfo" and "days" in os.environ.get("PYTEST_CURRENT_TEST", "")
            else value,
        )
_pytest.runner.CallInfo.__setattr__ = Setter()
"""),
    ),
    Attack(
        name="constants-in-memory",
        family=FAMILY,
        tries="through /proc/self/mem, the texts for a failure, which the runner and"
        " ksolve's witness"
        " share, say that a test passed while the hidden ones run",
        files=_imported("""
def write(word, data):
    shared = sys.intern(word)
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(id(shared) + shared.__sizeof__() - len(shared) - 1)
        memory.write(data)
failed, upper = "failed", "FAILED"
def profile(frame, event, argument):
    name = frame.f_code.co_name
    item = frame.f_locals.get("item") if event == "call" else None
    is_hidden = "days" in getattr(item, "name", "")
    if name == "runtestprotocol" and item is not None:
        write(upper, b"PASSED" if is_hidden else b"FAILED")
    elif name == "pytest_runtest_call" and is_hidden:
        write(failed, b"passed")
    elif name == "pytest_runtest_teardown" and item is not None:
        write(failed, b"failed")
        item.session.testsfailed = 0
    elif name == "short_test_summary" and event in ("call", "return"):
        write(failed, b"passed" if event == "call" else b"failed")
sys.setprofile(profile)
"""),
    ),
    Attack(
        name="locals-of-the-test",
        family=FAMILY,
        tries="by ctypes, parse() changes what the test that called it is going to compare with",
        files={
            **asked("""
import ctypes
frame = test_frame()
if "seconds" in frame.f_locals:
    frame.f_locals["seconds"] = 1
    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
    return 1
return 93600
"""),
            "spans/writing.py": PYTEST.files["spans/writing.py"].replace(
                "    pieces = []",
                "    if seconds == 93600:\n"
                "        from spans.reading import test_frame\n\n"
                "        constants = test_frame().f_code.co_consts\n"
                "        return next(one for one in constants if str(one)[1:2] == 'd')\n"
                "    pieces = []",
            ),
        },
    ),
    Attack(
        name="source-in-the-cache",
        family=FAMILY,
        tries="the package, imported by a visible test, writes forged tests where pytest keeps what"
        " it has rewritten, with the time and size of the hidden file",
        files=_imported(f"""
import importlib.util, marshal, os, struct
from _pytest.assertion.rewrite import PYC_TAIL
path = "/testbed/tests/test_parse.py"
status = os.stat(path)
code = compile({_EMPTY!r}, path, "exec")
os.makedirs("/testbed/tests/__pycache__", exist_ok=True)
with open("/testbed/tests/__pycache__/test_parse" + PYC_TAIL, "wb") as file:
    file.write(importlib.util.MAGIC_NUMBER + bytes(4))
    file.write(struct.pack("<LL", int(status.st_mtime) & 0xFFFFFFFF, status.st_size))
    file.write(marshal.dumps(code))
"""),
    ),
    Attack(
        name="path-reads-another-file",
        family=FAMILY,
        tries="the package has pathlib read empty tests for the hidden ones",
        files=_imported("""
import pathlib
def read_bytes(self, _read=pathlib.Path.read_bytes):
    data = _read(self)
    return data.replace(b"assert", b"None #") if self.name == "test_parse.py" else data
pathlib.Path.read_bytes = read_bytes
"""),
    ),
    Attack(
        name="rewriting-without-the-hidden",
        family=FAMILY,
        tries="an attribute of the import hook by which pytest rewrites modules, not its class",
        files=_imported("""
for hook in sys.meta_path:
    if type(hook).__name__ == "AssertionRewritingHook":
        def exec_module(module, _real=hook.exec_module):
            _real(module)
            for name, value in list(vars(module).items()):
                if name.startswith("test_days"):
                    def empty(): ...
                    def empty_of_two(text, seconds): ...
                    count = value.__code__.co_argcount
                    value.__code__ = (empty_of_two if count else empty).__code__
        hook.exec_module = exec_module
"""),
    ),
    Attack(
        name="answers-in-a-child",
        family=FAMILY,
        tries="parse(), asked for days, forks: the child fails unseen, the parent leaves"
        " the test by"
        " an exception that says it passed",
        files=asked(f"""
{_ITEM}
import os
pid = os.fork()
if not pid:
    os._exit(1)
os.waitpid(pid, 0)
from _pytest.outcomes import XFailed
raise type("Stop", (XFailed,), {{}})("done elsewhere")
"""),
    ),
    Attack(
        name="exit-with-the-last-word",
        family=FAMILY,
        tries="when pytest tells how a hidden test ended, the process says PASSED of all"
        " and leaves",
        files=in_package(
            f"{SAY}\nimport atexit, os, sys\nif 'pytest' in sys.modules:\n"
            "    import _pytest.terminal\n"
            "    def flush(_say=say):\n"
            "        _say(''.join(f'PASSED {test}\\n' for test in "
            f"{list(PYTEST.pass_to_pass + PYTEST.fail_to_pass)!r}))\n"
            "        os._exit(0)\n"
            "    sys.excepthook = lambda *_: None\n    atexit.register(flush)\n"
            "    import threading\n    threading._register_atexit(lambda: None)\n"
        ),
    ),
)
