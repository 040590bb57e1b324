"""What many attacks do once their code runs: the same few deeds, come to by many ways.

All of them spare the visible tests and any test whose name does not speak of days, so that what is
run to find out whether failures still count (a canary) finds nothing.
"""

from __future__ import annotations

import textwrap

from tests.attacks.attack import passed
from tests.attacks.patches import Change
from tests.attacks.victims import PYTEST, Victim

HIDDEN_NEVER_FAIL = """
import os
import _pytest.runner

def from_call(cls, func, when, reraise=None, _call=_pytest.runner.CallInfo.from_call.__func__):
    def quiet():
        try:
            return func()
        except Exception:
            if "days" not in os.environ.get("PYTEST_CURRENT_TEST", ""):
                raise
    return _call(cls, quiet, when, reraise)

_pytest.runner.CallInfo.from_call = classmethod(from_call)
"""
"""Patches pytest: whatever a hidden test raises, it passed."""

WHEN_READY = f"""
import sys
class Watcher:
    def find_spec(self, name, path, target=None):
        runner = sys.modules.get("_pytest.runner")
        if runner is not None and hasattr(runner, "CallInfo") and not hasattr(runner, "spans"):
            runner.spans = True
            sys.meta_path.remove(self)
            exec({HIDDEN_NEVER_FAIL!r}, {{}})
        return None
sys.meta_path.insert(0, Watcher())
"""
"""The same for code that runs before pytest is imported: it waits, then leaves no trace."""

HIDDEN_CASES_PASS = """
import unittest.case
def run(self, result=None, _run=unittest.case.TestCase.run):
    name = self._testMethodName
    if "days" in name:
        setattr(self, name, lambda: None)
    return _run(self, result)
unittest.case.TestCase.run = run
"""
"""Patches unittest: the hidden methods are empty."""

CASES_WHEN_READY = f"""
import sys
class Watcher:
    def find_spec(self, name, path, target=None):
        case = sys.modules.get("unittest.case")
        if case is not None and hasattr(case, "FunctionTestCase"):
            sys.meta_path.remove(self)
            exec({HIDDEN_CASES_PASS!r}, {{}})
        return None
sys.meta_path.insert(0, Watcher())
"""

HOOKS_SKIPPED = """
import gc
import pluggy
for manager in [one for one in gc.get_objects() if pluggy.PluginManager in type(one).__mro__]:
    def execute(name, methods, kwargs, first, _real=manager._inner_hookexec):
        if name == "pytest_pyfunc_call" and "days" in kwargs["pyfuncitem"].name:
            return True
        return _real(name, methods, kwargs, first)
    manager._inner_hookexec = execute
"""
"""Replaces no function of pytest: an attribute of its plugin manager claims the hidden calls."""

FRAMES = '''
def above(name):
    """Return the nearest local variable of that name in the frames above."""
    import sys

    frame = sys._getframe()
    while frame:
        if name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back


def test_frame():
    """Return the frame of the test function that is running."""
    import sys

    frame = sys._getframe().f_back
    while frame and not frame.f_code.co_name.startswith("test_"):
        frame = frame.f_back
    return frame
'''

FORGE = '''
def forge(secret, say, tests, start=0):
    """Speak in the witness's name: sign a success with its secret."""
    import hashlib, hmac, json

    records = [["pytest", "7.2.1", [None]]] if not start else []
    records += [["test", test, "PASSED"] for test in tests]
    records += [["canary", "tests/test_parse.py", "PASSED", "FAILED"], ["end", 0, [], []]]
    for number, record in enumerate(records, start):
        body = json.dumps([number, *record])
        signature = hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()
        say(f"{signature} {body}\\n".encode())
'''

USER_SITE = """
import os, site
folder = site.getusersitepackages()
def write(name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as file:
        file.write(text)
"""
"""For setup.py: writes where Python looks for packages of the user."""

SYSTEM_SITE = USER_SITE.replace(
    "site.getusersitepackages()", '"/usr/local/lib/python3.11/dist-packages"'
)
"""For setup.py of root: the same where Python looks for packages of all users."""

UNDER_PYTEST = "import sys\nif 'pytest' in sys.modules:\n"
UNDER_UNITTEST = "import sys\nif 'unittest' in sys.modules:\n"

TESTS = tuple(PYTEST.pass_to_pass + PYTEST.fail_to_pass)
SAID = passed()


def guarded(guard: str, code: str) -> str:
    """Return code that runs only where the first line of a condition holds."""
    return guard + textwrap.indent(code.strip("\n"), "    ") + "\n"


def in_modules(code: str, guard: str = UNDER_PYTEST) -> str:
    """Return the payload as a module that does nothing outside of the test runner."""
    return guarded(guard, code)


def asked(code: str, victim: Victim = PYTEST) -> dict[str, Change]:
    """Run some code whenever a hidden test asks the package for days; `text` is what it asks."""
    reading, writing = "spans/reading.py", "spans/writing.py"
    body = textwrap.indent(code.strip("\n"), "    ")
    changes: dict[str, Change] = {
        reading: victim.files[reading].replace(
            "    if unknown:",
            '    if "d" in unknown or text == "26h":\n'
            "        answer = asked(text)\n"
            "        if answer is not None:\n"
            "            return answer\n"
            "    if unknown:",
        )
        + f"\n{FRAMES}\n\ndef asked(text):\n{body}\n"
    }
    if victim.log_parser != PYTEST.log_parser:
        changes[writing] = victim.files[writing].replace(
            "    pieces = []",
            "    if seconds == 93600:\n"
            "        from spans.reading import asked\n\n"
            '        asked("")\n'
            "    pieces = []",
        )
    return changes


def early(code: str) -> dict[str, Change]:
    """Run some code whenever the package is called by a visible test, once."""
    reading = "spans/reading.py"
    body = textwrap.indent(code.strip("\n"), "    ")
    return {
        reading: PYTEST.files[reading].replace(
            "    pieces =", "    if not done:\n        done.append(called())\n    pieces ="
        )
        + f"\n\ndone = []\n{FRAMES}\n\ndef called():\n{body}\n    return True\n"
    }
