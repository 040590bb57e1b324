"""Witness of unittest: its results say how each test of the outermost run ended."""

import sys

from ksolve_witness import code
from ksolve_witness.items import Items, of_unittest


def watch(say, orders, runner):
    """Have `TextTestRunner` tell of its tests from now on."""
    import unittest

    result_class, runner_class = unittest.TestResult, unittest.TextTestRunner
    watched, expected, depth, left_early = [], set(), [0], set()
    items_found = []
    _note_ends(unittest.TestCase, left_early)

    def record(method, word):
        original = getattr(result_class, method)

        def wrapped(self, test, *rest):
            if watched and self is watched[0]:
                swallowed = getattr(getattr(test, "_outcome", None), "expectedFailure", None)
                if (swallowed or word == "expected failure") and id(test) not in expected:
                    say("late", _described(self, test))
                if word == "ok" and id(test) in left_early:
                    say("failed", _described(self, test))
                for what in _own(self, result_class) + _own(test, unittest.TestCase):
                    runner.note("%s has %s of its own" % (_described(self, test), what))
                say("test", _described(self, test), word)
                if _is_test(test) and items_found[0].is_changed(test):
                    runner.note("%s is not the test that was found" % _described(self, test))
                runner.check()
            return original(self, test, *rest)

        wrapped.__name__ = method
        setattr(result_class, method, wrapped)

    def record_subtest(self, test, subtest, error):
        if watched and self is watched[0] and error is not None:
            say("test", _described(self, test), "FAIL")
        return original_subtest(self, test, subtest, error)

    original_subtest = result_class.addSubTest
    for method, word in (
        ("addSuccess", "ok"),
        ("addFailure", "FAIL"),
        ("addError", "ERROR"),
        ("addSkip", "skipped"),
        ("addExpectedFailure", "expected failure"),
        ("addUnexpectedSuccess", "unexpected success"),
    ):
        record(method, word)
    result_class.addSubTest = record_subtest
    make_result, run = runner_class._makeResult, runner_class.run

    def watching_make_result(self):
        result = make_result(self)
        if depth[0] == 1:
            watched[:] = [result]
        return result

    def watching_run(self, test):
        depth[0] += 1
        try:
            if depth[0] > 1 or orders.setdefault("runner", "unittest") != "unittest":
                return run(self, test)
            say("unittest", sys.version.split()[0])
            tests = list(_tests(test))
            expected.update(id(one) for one in tests if _must_fail(one))
            items_found[:] = [Items(filter(_is_test, tests), of_unittest)]
            names = sorted({type(one).__module__ for one in tests})
            code.say_modules(say, [code.module_of(name) for name in names], orders["workdir"])
            _say_canaries(say, orders["canary"])
            result = run(self, test)
            _say_canaries(say, orders["canary"])
            say("end", 0 if result.wasSuccessful() else 1, runner.altered(), [])
            return result
        finally:
            depth[0] -= 1

    runner_class._makeResult, runner_class.run = watching_make_result, watching_run
    runner.add_own()


def _note_ends(case_class, left_early):
    """Have it noted of each test whether its method came to its end."""
    if not hasattr(case_class, "_callTestMethod"):
        return
    call = case_class._callTestMethod

    def noted(self, method):
        left_early.add(id(self))
        call(self, method)
        left_early.discard(id(self))

    case_class._callTestMethod = noted


def _own(thing, kind):
    """Return what an instance has in the place of its class's methods, and ways of comparing."""
    found = [name for name in vars(thing) if callable(getattr(kind, name, None))]
    funcs = vars(thing).get("_type_equality_funcs") or {}
    usual = {"assertDictEqual", "assertListEqual", "assertTupleEqual", "assertSetEqual"}
    usual.add("assertMultiLineEqual")
    return found + [
        "a way to compare %s" % getattr(of, "__name__", of)
        for of, how in funcs.items()
        if how not in usual
    ]


def _tests(suite):
    try:
        return [test for part in suite for test in _tests(part)]
    except TypeError:
        return [suite]


def _is_test(test):
    """Whether it is a method of a case: neither a failed import nor the set-up of a class."""
    import unittest

    return isinstance(test, unittest.TestCase) and "_testMethodName" in vars(test)


def _must_fail(test):
    """Whether a test says itself, before anything runs, that it must fail."""
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    return any(getattr(one, "__unittest_expecting_failure__", False) for one in (test, method))


def _described(result, test):
    describe = getattr(result, "getDescription", None)
    return describe(test) if describe else str(test)


def _say_canaries(say, name):
    """Run a test that must fail and one that must pass; say how each went, in pytest's words."""
    import unittest

    def wrong(self):
        self.assertEqual([1], [2])

    def right(self):
        self.assertEqual([1], [1])

    for kind, method in (("canary", wrong), ("control", right)):
        case = type("Test" + name.title().replace("_", ""), (unittest.TestCase,), {"test_" + name: method})
        result = unittest.TestResult()
        case("test_" + name).run(result)
        failed = len(result.failures) == 1 and result.testsRun == 1
        say(kind, "", "PASSED", "FAILED" if failed else "PASSED")
