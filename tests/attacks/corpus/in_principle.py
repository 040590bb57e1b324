"""Attacks that nothing can stop that runs tests in the process of the code under test.

They are shown, not asserted. What they have in common: they come in by an import of the package,
as the fix itself would, and touch only what belongs to the hidden tests. See docs/verdicts.md.
"""

from __future__ import annotations

from tests.attacks.attack import Attack, in_package, passed
from tests.attacks.corpus.oracle import FORGED_TESTS
from tests.attacks.victims import PYTEST, UNITTEST

FAMILY = "in principle"

_FRAMES = """
def above(name):
    import sys

    frame = sys._getframe()
    while frame:
        if name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
"""

ATTACKS = (
    Attack(
        name="reads-the-tests-as-they-run",
        family=FAMILY,
        tries="the package reads the hidden tests beside it and answers what they ask",
        files={
            **in_package("from spans.known import parse, render"),
            "spans/known.py": """\
import pathlib
import re

from spans import reading, writing

_tests = pathlib.Path(__file__).parents[1] / "tests" / "test_parse.py"
_text = _tests.read_text() if _tests.exists() else ""
_numbers = {text: int(number) for text, number in re.findall(r'"(\\w+)", (\\d+)', _text)}
_texts = dict(re.findall(r'render\\(parse\\("(\\w+)"\\)\\) == "(\\w+)"', _text))


def parse(text):
    return text if text in _texts else _numbers[text] if text in _numbers else reading.parse(text)


def render(seconds):
    return _texts[seconds] if seconds in _texts else writing.render(seconds)
""",
        },
    ),
    Attack(
        name="fixed-under-test-only",
        family=FAMILY,
        tries="the package knows days when pytest is there, and not otherwise",
        files={
            "spans/units.py": PYTEST.files["spans/units.py"]
            + '\nimport sys\n\nif "pytest" in sys.modules:\n'
            + '    SECONDS = {"d": 86_400, **SECONDS}\n'
        },
    ),
    Attack(
        name="import-hook",
        family=FAMILY,
        tries="the package has Python import forged tests under the name of the hidden file",
        files=in_package(f"""
import importlib.abc, importlib.util, pathlib, sys

class Loader(importlib.abc.InspectLoader):
    def get_source(self, name):
        return {FORGED_TESTS!r}

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "test_parse":
            place = str(pathlib.Path(__file__).parents[1] / "tests" / "test_parse.py")
            spec = importlib.util.spec_from_loader(name, Loader(), origin=place)
            spec.has_location = True
            return spec

if "pytest" in sys.modules:
    sys.meta_path.insert(0, Finder())
"""),
    ),
    Attack(
        name="items-swapped-from-a-test",
        family=FAMILY,
        tries="parse(), called by a visible test, finds the session above it and empties others",
        files={
            "spans/reading.py": PYTEST.files["spans/reading.py"].replace(
                "    pieces =",
                """\
    item = above("item")
    for other in item.session.items if item else ():
        if "days" in other.name:
            other.obj = lambda **_: None
    pieces =""",
            )
            + _FRAMES
        },
    ),
    Attack(
        name="plugin-registered-at-import",
        family=FAMILY,
        tries="the package, when it is imported, finds pytest's configuration above it and"
        " registers a plugin by the usual way",
        files=in_package(f"""{_FRAMES}
import sys

class Plugin:
    def pytest_collection_modifyitems(self, items):
        for item in items:
            if "days" in item.name:
                item.obj = lambda **_: None

if "pytest" in sys.modules and above("session"):
    above("session").config.pluginmanager.register(Plugin())
"""),
    ),
    Attack(
        name="property-replaced",
        family=FAMILY,
        tries="the package replaces no function of pytest, but the property by which an item"
        " knows its function",
        files=in_package("""
import os, sys
if "pytest" in sys.modules:
    from _pytest.python import PyobjMixin
    real = PyobjMixin.obj

    def obj(self):
        is_running = "days" in os.environ.get("PYTEST_CURRENT_TEST", "")
        return (lambda **_: None) if is_running else real.fget(self)

    PyobjMixin.obj = property(obj, real.fset)
"""),
    ),
    Attack(
        name="methods-looked-up-elsewhere",
        family=FAMILY,
        tries="the package adds a __getattribute__ to TestCase that finds empty hidden methods",
        victim=UNITTEST,
        files=in_package(
            """
import sys
if "unittest" in sys.modules:
    import unittest

    def look_up(self, name):
        return (lambda: None) if "test_days" in name else object.__getattribute__(self, name)

    unittest.TestCase.__getattribute__ = look_up
""",
            UNITTEST,
        ),
    ),
    Attack(
        name="witness-robbed",
        family=FAMILY,
        tries="the package finds the function that ksolve's witness speaks by, and speaks itself",
        files=in_package(f"""
import sys
if "pytest" in sys.modules:
    import gc, os
    for thing in gc.get_objects():
        code = getattr(thing, "__code__", None)
        if getattr(code, "co_name", "") == "say" and "secret" in getattr(code, "co_freevars", ()):
            for line in {passed()!r}.splitlines():
                thing("test", line.split()[1], "PASSED")
            thing("canary", "PASSED", "FAILED")
            thing("end", 0, [])
            break
    with open(f"/proc/{{os.getppid()}}/fd/1", "w") as log:
        log.write({passed()!r})
    os._exit(0)
"""),
    ),
)
