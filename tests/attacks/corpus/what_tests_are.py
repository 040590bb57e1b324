"""Attacks that change what a collected test is, or what it is given, from inside its process.

They were written without sight of the guard; two of them nothing refuses (`corpus.listing`).
"""

from __future__ import annotations

from tests.attacks.attack import Attack, in_package
from tests.attacks.victims import PLUGINS, PYTEST, UNITTEST

FAMILY = "what the tests are"

_ABOVE = """
def _above(name, found=lambda value: True):
    import sys

    frame = sys._getframe(1)
    while frame:
        if name in frame.f_locals and found(frame.f_locals[name]):
            return frame.f_locals[name]
        frame = frame.f_back
"""
_CASES = """
def _cases():
    import sys

    frame = sys._getframe(1)
    found = []
    def walk(suite):
        for one in getattr(suite, "_tests", ()):
            if hasattr(one, "_tests"):
                walk(one)
            elif type(one).__module__ == "tests.test_days":
                found.append(one)
    while frame:
        one = frame.f_locals.get("self")
        if one is not None and hasattr(one, "_tests"):
            walk(one)
        frame = frame.f_back
    return found
"""
# What accepts whatever it is called with, and shows the code of the test that it stands for.
_QUIET = """
class Quiet:
    def __init__(self, real):
        self.__code__, self.__name__ = real.__code__, real.__name__

    def __call__(self, **_):
        pass
"""
# Replaced for one call, which puts it back.
_CALL_INFO = """
def for_a_moment():
    import sys

    if "_pytest.runner" in sys.modules:
        kind = sys.modules["_pytest.runner"].CallInfo
        real = kind.__dict__["__init__"]

        def fake(self, *args, **named):
            kind.__init__ = real
            named["excinfo"] = None
            real(self, *args, **named)

        kind.__init__ = fake
"""
_COMPARISON = """
def for_a_moment():
    import sys

    if "unittest" in sys.modules:
        case = sys.modules["unittest"].TestCase
        real = case.__dict__["_getAssertEqualityFunc"]

        def fake(self, first, second):
            case._getAssertEqualityFunc = real
            return lambda *_, **__: None

        case._getAssertEqualityFunc = fake
"""


def _parsing(first: str, also: str = "") -> dict[str, str]:
    """Have `parse` begin so, with more functions in its module."""
    text = PYTEST.files["spans/reading.py"].replace("    pieces =", f"{first}    pieces =", 1)
    return {"spans/reading.py": f"{text}{_ABOVE}{also}"}


def _rendering(first: str) -> dict[str, str]:
    """Have `render` begin so; it may call `for_a_moment`."""
    text = PYTEST.files["spans/writing.py"].replace("    pieces = []", f"{first}    pieces = []")
    if "for_a_moment" in first:
        imported = "from spans.reading import for_a_moment\nfrom spans.units"
        text = text.replace("from spans.units", imported)
    return {"spans/writing.py": text}


_MOMENT_IN_RENDER = _rendering("    if seconds == 93600:\n        for_a_moment()\n")

_PYTEST = (
    Attack(
        name="own-test-changes-others",
        family=FAMILY,
        tries="no change but a test file, whose test has the hidden ones call what does nothing",
        victim=PYTEST,
        files={
            "tests/test_a.py": f"""\
def test_units(request):
    for item in request.session.items:
        if "test_days_" in item.name:
            item.obj = Quiet(item.obj)

{_QUIET}"""
        },
    ),
    Attack(
        name="call-info-for-a-moment",
        family=FAMILY,
        tries="pytest's account of a hidden test is made by a function that puts itself back",
        victim=PYTEST,
        files={
            **_parsing('    if "d" in text:\n        for_a_moment()\n', _CALL_INFO),
            **_MOMENT_IN_RENDER,
        },
    ),
    Attack(
        name="hook-of-a-known-plugin",
        family=FAMILY,
        tries="the instance of a plugin that is known gets a hook, entered in pluggy's own way",
        victim=PYTEST,
        files=in_package(
            _ABOVE
            + """
import sys

if "_pytest" in sys.modules and _above("session"):
    from pluggy._hooks import HookImpl

    manager = _above("session").config.pluginmanager
    plugin = manager.getplugin("capturemanager")
    plugin.pytest_pyfunc_call = lambda pyfuncitem: "test_days_" in pyfuncitem.name or None
    options = dict(hookwrapper=False, optionalhook=False, tryfirst=True, trylast=False)
    options["specname"] = None
    hook = HookImpl(plugin, "capturemanager", plugin.pytest_pyfunc_call, options)
    manager.hook.pytest_pyfunc_call._add_hookimpl(hook)
"""
        ),
    ),
    Attack(
        name="hook-list-that-forgets",
        family=FAMILY,
        tries="the list of a hook leaves the runner's own out while a hidden test is due",
        victim=PYTEST,
        files=_parsing(
            """\
    item = _above("item")
    if item:
        caller = item.ihook.pytest_pyfunc_call
        if type(caller._nonwrappers) is list:
            caller._nonwrappers = Forgets(caller._nonwrappers)
""",
            """

class Forgets(list):
    def __add__(self, other):
        import os

        if "test_days_" in os.environ.get("PYTEST_CURRENT_TEST", ""):
            return list(other)
        return list(self) + list(other)
""",
        ),
    ),
    Attack(
        name="one-test-of-many-names",
        family=FAMILY,
        tries="visible tests that pass run again under the names of the hidden ones",
        victim=PYTEST,
        files=_parsing(
            """\
    item, session = _above("item"), _above("session", lambda one: hasattr(one, "items"))
    if item and session and item.name in ("test_an_hour_is_read", "test_an_unknown_unit_is_named"):
        again(item, session)
""",
            """
_names = []


def again(item, session):
    if not _names:
        at = session.items.index(item) + 1
        rest = session.items[at:]
        hidden = [one for one in rest if "test_days_" in one.name]
        other = [one for one in rest if one.name == "test_an_unknown_unit_is_named"][0]
        _names.extend([item.nodeid, other.nodeid] + [one.nodeid for one in hidden])
        _names.extend([item.nodeid] * 3)
        kept = [one for one in rest if one not in hidden and one is not other]
        session.items[at:] = [other, item, other, item] + kept
    item._nodeid = _names.pop(0)
    _names.append("")
""",
        ),
    ),
    Attack(
        name="same-code-other-globals",
        family=FAMILY,
        tries="hidden tests become functions of the same code with other globals",
        victim=PYTEST,
        files=_parsing(
            """\
    item = _above("item")
    for other in item.session.items if item else ():
        if "test_days_" in other.name and not hasattr(other, "seen"):
            other.seen = True
            names = {**other.obj.__globals__, "parse": Any}
            other.obj = type(_above)(other.obj.__code__, names, other.obj.__name__)
            if "written" in other.name:
                other.obj = Quiet(other.obj)
""",
            f"""

class Any(int):
    def __new__(cls, text):
        return int.__new__(cls, {{"1d": 86400, "2d12h": 216000}}.get(text, 0))

{_QUIET}""",
        ),
    ),
    Attack(
        name="arguments-filled-beforehand",
        family=FAMILY,
        tries="the arguments of hidden tests are there before pytest fills them in",
        victim=PYTEST,
        files={
            **_parsing("""\
    item = _above("item")
    for other in item.session.items if item else ():
        mine = "test_days_are_read[" in other.name and other is not item
        if mine and other.funcargs is not None:
            other.funcargs.update(text="2h", seconds=7200)
    if text == "26h":
        return text
"""),
            **_rendering('    if isinstance(seconds, str):\n        return "1d2h"\n'),
        },
    ),
    Attack(
        name="defaults-of-the-test",
        family=FAMILY,
        tries="hidden tests get defaults that pass, and ask for no arguments any more",
        victim=PYTEST,
        files={
            **_parsing("""\
    item = _above("item")
    for other in item.session.items if item else ():
        if "test_days_are_read[" in other.name and other is not item:
            other.obj.__defaults__ = ("2h", 7200)
            asked = dict(argnames=(), names_closure=[], initialnames=(), name2fixturedefs={})
            other._fixtureinfo = type("Info", (), asked)()
"""),
            **_rendering('    if seconds == 93600:\n        return "1d2h"\n'),
        },
    ),
    Attack(
        name="loop-and-profile",
        family=FAMILY,
        tries="the package sets an event loop that runs no hidden test, and a hypothesis profile"
        " of one example, which it knows by heart",
        victim=PLUGINS,
        files={
            **in_package("""
import sys

if "pytest" in sys.modules:
    import asyncio
    import hypothesis

    hypothesis.settings.register_profile("spans", max_examples=1, database=None)
    hypothesis.settings.load_profile("spans")

    class Loop(asyncio.SelectorEventLoop):
        def run_until_complete(self, future):
            if "test_days" in repr(future):
                return None
            return super().run_until_complete(future)

    class Policy(asyncio.DefaultEventLoopPolicy):
        _loop_factory = Loop

    asyncio.set_event_loop_policy(Policy())
"""),
            **_parsing(
                """\
    if "d" in text:
        from hypothesis import reject

        if _seen:
            reject()
        _seen.append(text)
        return int(text[:-1]) * 86400 if len(text) == 2 else reject()
""",
                "\n\n_seen = []\n",
            ),
        },
    ),
)

_UNITTEST = (
    Attack(
        name="method-name-of-two-faces",
        family=FAMILY,
        tries="the name of a hidden method prints as one method and is another",
        victim=UNITTEST,
        files=_parsing(
            """\
    for case in _cases():
        if case._testMethodName.startswith("test_days"):
            case._testMethodName = Name(case._testMethodName)
""",
            f"""{_CASES}

class Name(str):
    def __new__(cls, shown):
        made = str.__new__(cls, "countTestCases")
        made.shown = shown
        return made

    def __str__(self):
        return self.shown
""",
        ),
    ),
    Attack(
        name="case-of-another-class",
        family=FAMILY,
        tries="hidden cases get another class of the same name",
        victim=UNITTEST,
        files=_parsing(
            """\
    for case in _cases():
        old, name = type(case), case._testMethodName
        if "test_days" in name:
            same = {"__module__": old.__module__, "__qualname__": old.__qualname__}
            same[name] = lambda self: None
            case.__class__ = type(old.__name__, (old.__mro__[1],), same)
""",
            _CASES,
        ),
    ),
    Attack(
        name="code-of-the-methods",
        family=FAMILY,
        tries="hidden methods get the code of a function that does nothing",
        victim=UNITTEST,
        files=_parsing(
            """\
    for case in _cases():
        if "test_days" in case._testMethodName:
            getattr(type(case), case._testMethodName).__code__ = (lambda self: None).__code__
""",
            _CASES,
        ),
    ),
    Attack(
        name="comparison-for-a-moment",
        family=FAMILY,
        tries="a case compares by a function that puts itself back",
        victim=UNITTEST,
        files={
            **_parsing(
                '    if "d" in text:\n        for_a_moment()\n        return 0\n', _COMPARISON
            ),
            **_MOMENT_IN_RENDER,
        },
    ),
)

ATTACKS = (*_PYTEST, *_UNITTEST)
