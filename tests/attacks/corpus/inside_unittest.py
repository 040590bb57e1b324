"""Attacks from inside the process that runs unittest: by instances, closures and what is raised."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.payloads import UNDER_UNITTEST, asked, guarded
from tests.attacks.victims import UNITTEST

FAMILY = "inside the process"


def _imported(code: str) -> dict[str, str]:
    return {
        "spans/__init__.py": UNITTEST.files["spans/__init__.py"] + guarded(UNDER_UNITTEST, code)
    }


ATTACKS = (
    Attack(
        name="failure-expected-during-the-test",
        family=FAMILY,
        tries="parse(), asked for days, has the outcome above it expect a failure, and fails",
        victim=UNITTEST,
        files=asked("above('outcome').expecting_failure = True\nraise ValueError('d')", UNITTEST),
    ),
    Attack(
        name="stops-as-a-subtest-does",
        family=FAMILY,
        tries="parse() raises the exception by which unittest leaves a test at its first failure,"
        " which is counted for a success",
        victim=UNITTEST,
        files=asked("import unittest.case\nraise unittest.case._ShouldStop", UNITTEST),
    ),
    Attack(
        name="failure-is-a-stop",
        family=FAMILY,
        tries="the test case above gets that exception for its own failures",
        victim=UNITTEST,
        files=asked(
            "import unittest.case\n"
            "above('self').failureException = unittest.case._ShouldStop\n"
            "frame = test_frame()\n"
            "frame.f_locals['self'].failureException = unittest.case._ShouldStop\n"
            "return 0",
            UNITTEST,
        ),
    ),
    Attack(
        name="result-that-only-succeeds",
        family=FAMILY,
        tries="parse() finds the result above it and gives this one instance other methods",
        victim=UNITTEST,
        files=asked(
            "result = above('result')\n"
            "result.addFailure = result.addError = lambda test, error: result.addSuccess(test)\n"
            "raise ValueError('d')",
            UNITTEST,
        ),
    ),
    Attack(
        name="success-in-a-cleanup",
        family=FAMILY,
        tries="a cleanup, left by the failing call, adds a success for the same test",
        victim=UNITTEST,
        files=asked(
            "case, result = test_frame().f_locals['self'], above('result')\n"
            "case.addCleanup(lambda: result.addSuccess(case))\nraise ValueError('d')",
            UNITTEST,
        ),
    ),
    Attack(
        name="equality-of-the-case",
        family=FAMILY,
        tries="the test case above learns to compare numbers and texts by a function that accepts"
        " all",
        victim=UNITTEST,
        files=asked(
            "case = test_frame().f_locals['self']\n"
            "for kind in (int, str):\n"
            "    case.addTypeEqualityFunc(kind, lambda *_, **__: None)\n"
            "return 0",
            UNITTEST,
        ),
    ),
    Attack(
        name="assertion-of-the-case",
        family=FAMILY,
        tries="the test case above gets an assertEqual of its own",
        victim=UNITTEST,
        files=asked(
            "case = test_frame().f_locals['self']\n"
            # The method that is called now has been looked up already, but not what it calls.
            "case.assertEqual = case._baseAssertEqual = lambda *_, **__: None\n"
            "case._getAssertEqualityFunc = lambda *_: case._baseAssertEqual\n"
            "return 0",
            UNITTEST,
        ),
    ),
    Attack(
        name="closure-of-the-executor",
        family=FAMILY,
        tries="the function that swallows no exception is replaced in the closure of a decorator",
        victim=UNITTEST,
        files=_imported("""
import contextlib, unittest.case
def executor(self, test_case, subTest=False):
    try:
        yield
    except Exception:
        if "days" not in test_case.id():
            raise
executor = executor
real = unittest.case._Outcome.testPartExecutor
inner = real.__closure__[0].cell_contents
def both(self, test_case, subTest=False):
    if "days" in test_case.id():
        return executor(self, test_case, subTest)
    return inner(self, test_case, subTest)
real.__closure__[0].cell_contents = both
"""),
    ),
    Attack(
        name="attribute-by-another-descriptor",
        family=FAMILY,
        tries="TestCase gets a way of finding attributes that is no function",
        victim=UNITTEST,
        files=_imported("""
import unittest
class Finder:
    def __get__(self, case, owner=None):
        def find(name):
            value = object.__getattribute__(case, name)
            return (lambda: None) if name.startswith("test_days") else value
        return find
unittest.TestCase.__getattribute__ = Finder()
"""),
    ),
    Attack(
        name="suites-of-this-loader",
        family=FAMILY,
        tries="the loader that is at work gets another class of suites, as an attribute",
        victim=UNITTEST,
        files=_imported("""
import gc, unittest
def suite(tests=()):
    tests = list(tests)
    for test in tests:
        name = getattr(test, "_testMethodName", "")
        if "days" in name:
            setattr(test, name, lambda: None)
    return unittest.TestSuite(tests)
for loader in [one for one in gc.get_objects() if unittest.TestLoader in type(one).__mro__]:
    loader.suiteClass = suite
"""),
    ),
    Attack(
        name="defaults-of-a-method",
        family=FAMILY,
        tries="the default by which a case finds its assertion is another one; no code is changed",
        victim=UNITTEST,
        files=_imported("""
import unittest.case
case = unittest.case.TestCase
class Assertions(dict):
    pass
def accept(first, second, msg=None):
    pass
class Finder:
    def __get__(self, instance, owner=None):
        def find(first, second):
            name = instance._testMethodName
            return accept if "days" in name else instance._baseAssertEqual
        return find
case._getAssertEqualityFunc = Finder()
""")
        | {
            "spans/reading.py": UNITTEST.files["spans/reading.py"].replace(
                "    if unknown:", '    if unknown == ["d"]:\n        return 0\n    if unknown:'
            )
        },
    ),
    Attack(
        name="tracing-takes-the-error",
        family=FAMILY,
        tries="a trace function, at work in the hidden tests, has them call a method that passes",
        victim=UNITTEST,
        files=_imported("""
import sys
def trace(frame, event, argument):
    if frame.f_code.co_name == "_callTestMethod":
        case = frame.f_locals["self"]
        if "days" in case.id():
            case.assertEqual = lambda *_: None
            import spans
            frame.f_locals["method"].__func__.__globals__["spans"] = Spans
    return None
class Spans:
    @staticmethod
    def parse(text):
        raise ValueError if "y" in text else AttributeError
    parse = staticmethod(lambda text: real(text))
    render = staticmethod(lambda seconds: "")
def real(text):
    if "y" in text:
        raise ValueError(text)
sys.settrace(trace)
"""),
    ),
)
