"""Attacks on ksolve's witness by what it calls, where it lies and what it was told.

The standard library's functions that it signs with are not its own; its objects lie in the same
memory; its orders lie in the memory of the shell above it.
"""

from __future__ import annotations

from tests.attacks.attack import SAY, Attack
from tests.attacks.payloads import (
    FORGE,
    HIDDEN_NEVER_FAIL,
    SAID,
    TESTS,
    UNDER_PYTEST,
    UNDER_UNITTEST,
    guarded,
)
from tests.attacks.victims import PYTEST, PYTEST_ROOT, UNITTEST, Victim

FAMILY = "witness sought"


def _imported(code: str, victim: Victim = PYTEST) -> dict[str, str]:
    guard = UNDER_PYTEST if victim.log_parser == PYTEST.log_parser else UNDER_UNITTEST
    return {"spans/__init__.py": victim.files["spans/__init__.py"] + guarded(guard, code)}


_LEAVE = f"{SAY}\nsay({SAID!r})\nimport os\nos._exit(0)\n"

ATTACKS = (
    Attack(
        name="dumps-tells-another-story",
        family=FAMILY,
        tries="the package patches pytest and has json.dumps leave out what was altered",
        files=_imported(f"""
import json
{HIDDEN_NEVER_FAIL}
def dumps(what, *rest, _real=json.dumps, **options):
    if isinstance(what, list) and len(what) == 5 and what[1] == "end":
        what = [*what[:3], [], what[4]]
    return _real(what, *rest, **options)
json.dumps = dumps
"""),
    ),
    Attack(
        name="getpid-mends-the-record",
        family=FAMILY,
        tries="the same by os.getpid, which empties the list of what was altered in the"
        " frame above",
        files=_imported(f"""
{HIDDEN_NEVER_FAIL}
def getpid(_real=os.getpid):
    what = sys._getframe(1).f_locals.get("what")
    if isinstance(what, tuple) and len(what) == 3 and isinstance(what[1], list):
        what[1].clear()
    return _real()
os.getpid = getpid
"""),
    ),
    Attack(
        name="hmac-tells-the-secret",
        family=FAMILY,
        tries="hmac.new keeps the secret that it is called with; at the end the process signs a"
        " success with it",
        files=_imported(f"""
import hmac
{FORGE}
{SAY}
import atexit, os
kept = []
def new(key, *rest, _real=hmac.new, **options):
    frame = sys._getframe(1)
    if "count" in frame.f_locals:
        kept[:] = [key, frame.f_locals["out"], frame.f_locals["count"]]
    return _real(key, *rest, **options)
hmac.new = new
def finish():
    if kept:
        secret, out, count = kept
        forge(secret, lambda line: os.write(out, line), {TESTS!r}, count[0])
    say({SAID!r})
    os._exit(0)
atexit.register(finish)
"""),
    ),
    Attack(
        name="hash-tells-the-frame",
        family=FAMILY,
        tries="hashlib.sha256 looks at the frame that signs and changes the record that follows",
        files=_imported(f"""
import hashlib
{HIDDEN_NEVER_FAIL}
class Sha256:
    def __call__(self, *data, **options):
        return real(*data, **options)
real = hashlib.sha256
witness = sys.modules.get("ksolve_witness")
if witness is not None:
    import types
    witness.hashlib = types.SimpleNamespace(sha256=real)
    altered = witness._altered
    witness._altered = type("Nothing", (), {{"__call__": lambda self, before: []}})()
hashlib.sha256 = Sha256()
"""),
    ),
    Attack(
        name="write-signs-again",
        family=FAMILY,
        tries="os.write, called by the witness, signs another text with the secret in the"
        " frame above",
        files=_imported(f"""
import hashlib, hmac, json
{HIDDEN_NEVER_FAIL}
def write(out, data, _real=os.write):
    above = sys._getframe(1).f_locals
    if "signature" in above and "secret" in above:
        body = json.loads(above["body"])
        if body[1] == "end":
            body[3] = []
            text = json.dumps(body)
            key = hmac.new(above["secret"], text.encode(), hashlib.sha256).hexdigest()
            _real(out, (key + " " + text + "\\n").encode())
            return len(data)
    return _real(out, data)
os.write = write
"""),
    ),
    Attack(
        name="witness-has-nothing-to-compare",
        family=FAMILY,
        tries="the package patches pytest and then the function of the witness's module"
        " that compares",
        files=_imported(f"""
{HIDDEN_NEVER_FAIL}
witness = sys.modules.get("ksolve_witness")
if witness is not None:
    witness._altered = lambda before: []
"""),
    ),
    Attack(
        name="witness-compares-with-now",
        family=FAMILY,
        tries="the same by the dictionary that the witness compares with, found by its keys",
        files=_imported(f"""
import gc
{HIDDEN_NEVER_FAIL}
key = ("_pytest.runner", "CallInfo", "from_call")
for thing in gc.get_objects():
    if type(thing) is dict and key in thing:
        thing[key] = _pytest.runner.CallInfo.__dict__["from_call"].__func__.__code__
"""),
    ),
    Attack(
        name="witness-speaks-for-us",
        family=FAMILY,
        tries="the package finds the witness's plugin by its name, calls what it speaks by, and"
        " leaves",
        files=_imported(f"""
import gc
import pluggy
for manager in [one for one in gc.get_objects() if pluggy.PluginManager in type(one).__mro__]:
    watch = manager.get_plugin("ksolve-watch")
    if watch is not None:
        cells = watch.pytest_runtest_logfinish.__func__.__closure__
        (speak,) = [one.cell_contents for one in cells
                    if getattr(one.cell_contents, "__name__", "") == "say"]
        for test in {TESTS!r}:
            speak("test", test, "PASSED")
        speak("canary", "tests/test_parse.py", "PASSED", "FAILED")
        speak("end", 0, [], [])
{_LEAVE}
"""),
    ),
    Attack(
        name="witness-speaks-later",
        family=FAMILY,
        tries="the same after all has run as ever: the last record of a test is what counts",
        files=_imported(f"""
import atexit, gc
import pluggy
{SAY}
for manager in [one for one in gc.get_objects() if pluggy.PluginManager in type(one).__mro__]:
    watch = manager.get_plugin("ksolve-watch")
    if watch is not None:
        cells = watch.pytest_runtest_logfinish.__func__.__closure__
        (speak,) = [one.cell_contents for one in cells
                    if getattr(one.cell_contents, "__name__", "") == "say"]
        for test in {TESTS!r}:
            atexit.register(speak, "test", test, "PASSED")
        # A status that is not 0 needs a failure.
        atexit.register(speak, "test", "nothing", "FAILED")
atexit.register(say, {SAID!r} + "FAILED nothing\\n")
"""),
    ),
    Attack(
        name="referrers-of-the-witness",
        family=FAMILY,
        tries="the function that speaks is found by who refers to the module's `hmac`",
        files=_imported(f"""
import gc
witness = sys.modules.get("ksolve_witness")
for thing in gc.get_referrers(vars(witness)) if witness is not None else ():
    if getattr(thing, "__qualname__", "") == "_speaker.<locals>.say":
        for test in {TESTS!r}:
            thing("test", test, "PASSED")
        thing("canary", "tests/test_parse.py", "PASSED", "FAILED")
        thing("end", 0, [], [])
        break
{_LEAVE}
"""),
    ),
    Attack(
        name="orders-in-the-memory-of-the-shell",
        family=FAMILY,
        tries="the package reads the witness's orders in the memory of the shell above the tests",
        files=_imported(f"""
import glob, json, os, re
{FORGE}
{SAY}
count, out, secret = 0, None, None
shell = os.getppid()
for pid in (shell, int(open(f"/proc/{{shell}}/stat").read().split()[3])):
    try:
        with open(f"/proc/{{pid}}/maps") as maps, open(f"/proc/{{pid}}/mem", "rb") as memory:
            for line in maps:
                span, rights = line.split()[:2]
                if "rw" in rights and secret is None:
                    start, end = (int(part, 16) for part in span.split("-"))
                    try:
                        memory.seek(start)
                        found = re.search(rb'"secret": "([0-9a-f]{{32}})', memory.read(end - start))
                    except (OSError, ValueError, OverflowError):
                        continue
                    secret = found and found[1]
    except (OSError, ValueError):
        pass
if secret:
    numbers = sorted(int(one) for one in os.listdir("/proc/self/fd"))
    for number in [one for one in numbers if one >= 100]:
        try:
            # The one record that was said by now is the first.
            forge(secret, lambda line: os.write(number, line), {TESTS!r}, 1)
            break
        except OSError:
            pass
say({SAID!r})
os._exit(0)
"""),
    ),
    Attack(
        name="secret-in-the-own-memory",
        family=FAMILY,
        tries="the package looks for the secret among all bytes objects that gc can reach from"
        " functions",
        files=_imported(f"""
import gc, os
{FORGE}
{SAY}
for thing in gc.get_objects():
    if type(thing).__name__ == "cell":
        try:
            value = thing.cell_contents
        except ValueError:
            continue
        if isinstance(value, bytes) and len(value) == 32:
            for number in sorted(int(one) for one in os.listdir("/proc/self/fd")):
                if number >= 100:
                    try:
                        forge(value, lambda line: os.write(number, line), {TESTS!r}, 1)
                        break
                    except OSError:
                        pass
            break
say({SAID!r})
os._exit(0)
"""),
    ),
    Attack(
        name="word-of-the-stage",
        family=FAMILY,
        tries="as root: the package reads the word of the shell above, tells the exit"
        " status and that"
        " nothing was touched, signs a success, and ends that shell",
        victim=PYTEST_ROOT,
        files=_imported(f"""
import os, re, signal
{FORGE}
{SAY}
def pieces(pid):
    with open(f"/proc/{{pid}}/maps") as maps, open(f"/proc/{{pid}}/mem", "rb") as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" in rights:
                start, end = (int(part, 16) for part in span.split("-"))
                try:
                    memory.seek(start)
                    yield memory.read(end - start)
                except (OSError, ValueError, OverflowError):
                    pass
shell = os.getppid()
outer = int(open(f"/proc/{{shell}}/stat").read().split()[3])
secret, words = None, set()
try:
    for piece in pieces(outer):
        found = re.search(rb'"secret": "([0-9a-f]{{32}})', piece)
        secret = secret or (found and found[1])
        words.update(re.findall(rb"(?<![0-9a-f])[0-9a-f]{{32}}(?![0-9a-f])", piece))
    evidence = os.open(f"/proc/{{outer}}/fd/9", os.O_WRONLY)
except OSError:
    secret = None
say({SAID!r})
if secret:
    forge(secret, lambda line: os.write(evidence, line), {TESTS!r}, 1)
    for word in words:
        os.write(evidence, word + b" exit 0\\n" + word + b" intact\\n")
os._exit(0)
"""),
    ),
    Attack(
        name="witness-of-unittest-has-nothing-to-compare",
        family=FAMILY,
        tries="the package patches unittest and then the witness's function that compares",
        victim=UNITTEST,
        files=_imported(
            """
import unittest
witness = sys.modules.get("ksolve_witness")
if witness is not None:
    witness._altered = lambda before: []
def run(self, result=None, _run=unittest.TestCase.run):
    if "days" in self._testMethodName:
        setattr(self, self._testMethodName, lambda: None)
    return _run(self, result)
unittest.TestCase.run = run
""",
            UNITTEST,
        ),
    ),
    Attack(
        name="dumps-for-unittest",
        family=FAMILY,
        tries="the same by json.dumps",
        victim=UNITTEST,
        files=_imported(
            """
import json, unittest
def dumps(what, *rest, _real=json.dumps, **options):
    if isinstance(what, list) and len(what) == 5 and what[1] == "end":
        what = [*what[:3], [], what[4]]
    return _real(what, *rest, **options)
json.dumps = dumps
def run(self, result=None, _run=unittest.TestCase.run):
    if "days" in self._testMethodName:
        setattr(self, self._testMethodName, lambda: None)
    return _run(self, result)
unittest.TestCase.run = run
""",
            UNITTEST,
        ),
    ),
)
