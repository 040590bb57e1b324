"""Inside the container: sees what the tests do and says so on a pipe that no test prints to.

Every record carries a number and a signature by a secret of this one verification. What is said
is what the runner itself was handed (the exception of a test, or none), not what it prints. A
test that must fail, the canary, runs along; a runner that calls it passed is not to be believed.
Code that shares this process could still find the secret: see docs/verdicts.md.
Must run on any Python from 3.5 on, and with any pytest from 3 on. (To pytest, which would warn
that it comes too late to rewrite this module: PYTEST_DONT_REWRITE.)
"""

import fcntl
import hashlib
import hmac
import json
import os
import random
import sys
import types

_PLUGIN = "ksolve_witness"
_WATCHED = ("_pytest", "pluggy", "unittest")
# Packages whose functions must be the same at the end as before the candidate was loaded.


def begin(orders_fd, evidence_fd):
    """Read the orders to the end of their pipe, and watch the tests of this process."""
    orders = b""
    while True:
        piece = os.read(orders_fd, 65536)
        if not piece:
            break
        orders += piece
    os.close(orders_fd)
    if not orders:
        return
    out = fcntl.fcntl(evidence_fd, fcntl.F_DUPFD_CLOEXEC, 100)
    os.close(evidence_fd)
    orders = json.loads(orders.decode())
    say = _speaker(out, orders["secret"].encode())
    if _runs_unittest():
        _watch_unittest(say, orders)
    else:
        _add_plugin(say, orders)


def _speaker(out, secret):
    """Return a function that writes one signed record."""
    count = [0]
    owner = os.getpid()

    def say(kind, *what):
        if os.getpid() != owner:
            return  # a forked child of the tests
        body = json.dumps([count[0], kind] + list(what))
        signature = hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()
        count[0] += 1
        data = (signature + " " + body + "\n").encode()
        while data:
            data = data[os.write(out, data) :]

    return say


def _runs_unittest():
    with open("/proc/self/cmdline", "rb") as file:
        words = [os.path.basename(word) for word in file.read().decode("utf-8", "replace").split("\0")]
    return not any("pytest" in word or "py.test" in word for word in words[:4])


# ---- pytest ----


def _add_plugin(say, orders):
    """Have pytest load this module, and find what it is to know."""
    plugins = os.environ.get("PYTEST_PLUGINS")
    os.environ["PYTEST_PLUGINS"] = _PLUGIN + ("," + plugins if plugins else "")
    _pending.append((say, orders, plugins))


_pending = []
# What the first pytest of this process takes; a second one, started by a test, finds nothing.


def pytest_configure(config):
    """Begin to watch. (pytest calls this.)"""
    if not _pending:
        return
    say, orders, plugins = _pending.pop()
    if plugins is None:
        os.environ.pop("PYTEST_PLUGINS", None)
    else:
        os.environ["PYTEST_PLUGINS"] = plugins
    config.pluginmanager.register(_pytest_watch(say, orders, config), "ksolve-watch")


def _pytest_watch(say, orders, config):
    import pytest

    before = _fingerprint()
    first = set(orders["first"])
    name = "test_" + orders["canary"]
    seen = {}
    # Of the test that runs: phase -> how it went.
    say("pytest", getattr(pytest, "__version__", "?"), [getattr(pytest, "__file__", None)])

    def local(nodeid):
        relative = getattr(config, "cwd_relative_nodeid", None)
        return relative(nodeid) if relative else nodeid

    def how(item, report, call):
        if hasattr(report, "wasxfail"):
            if report.skipped and item.name != name and not _expected(item, call):
                return "FAILED"
            return "XFAIL" if report.skipped else "XPASS"
        if call.excinfo is None:
            return "FAILED" if report.failed else "PASSED"
        if call.excinfo.errisinstance(_skips()) if hasattr(call.excinfo, "errisinstance") else (
            call.excinfo.typename in ("Skipped", "SkipTest")
        ):
            return "SKIPPED"
        return "FAILED" if call.when == "call" else "ERROR"

    class Watch(object):
        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_collection_modifyitems(self, session, config, items):
            yield
            if orders["hurry"]:
                items.sort(key=lambda item: local(item.nodeid) not in first)
            owed[0] = sum(local(item.nodeid) in first for item in items)
            canaries.extend(_add_canaries(config, items, orders, local))

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtestloop(self, session):
            session.testscollected -= len(canaries)  # which are none of them
            sessions.append(session)
            yield

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_makereport(self, item, call):
            outcome = yield
            seen[call.when] = how(item, outcome.get_result(), call)

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(self, item, nextitem):
            if item.name != name:
                return None
            from _pytest.runner import runtestprotocol

            seen.clear()
            runtestprotocol(item, log=False, nextitem=nextitem)
            place = local(item.getparent(pytest.Module).nodeid)
            say("canary", place, seen.get("setup"), seen.get("call"))
            return True

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logstart(self, nodeid, location):
            seen.clear()

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_logfinish(self, nodeid, location):
            yield
            word = _overall(seen)
            say("test", local(nodeid), word)
            if local(nodeid) in first:
                owed[0] -= 1
                lost.extend([nodeid] if word not in ("PASSED", "XFAIL") else [])
                if orders["hurry"] and lost and not owed[0]:
                    sessions[-1].shouldstop = "a test that must pass has failed"

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_sessionfinish(self, session, exitstatus):
            yield
            say("end", int(session.exitstatus), _altered(before), _plugins(config))

    lost, owed, sessions, canaries = [], [0], [], []
    return Watch()


def _expected(item, call):
    """Whether a failure is known to the test: by a mark, or said in the test's own file."""
    if call.excinfo is None or item.get_closest_marker("xfail") is not None:
        return True
    if call.excinfo.typename != "XFailed":
        return True
    files = [str(entry.path) for entry in call.excinfo.traceback]
    own = [file for file in files if os.sep + "_pytest" + os.sep not in file]
    return bool(own) and os.path.realpath(own[-1]) == os.path.realpath(str(item.fspath))


def _plugins(config):
    """Return where the plugins come from that are there at the end."""
    found = set()
    for plugin in config.pluginmanager.get_plugins():
        name = type(plugin).__module__ + "." + type(plugin).__name__
        found.add(str(getattr(plugin, "__file__", None) or name))
    # This one lies in another folder each time.
    return sorted(found - {__file__})


def _skips():
    import unittest

    import pytest

    return (pytest.skip.Exception, unittest.SkipTest)


def _overall(seen):
    """One word for the phases of a test: the worst there is."""
    for word in ("ERROR", "FAILED"):
        if word in seen.values():
            return word
    if seen.get("setup") != "PASSED":
        return seen.get("setup") or "ERROR"
    return seen.get("call") or "ERROR"


def _add_canaries(config, items, orders, local):
    """Put a test that must fail beside those that matter, made as pytest makes them.

    One in each module that holds such tests, to learn where that can be done; one in any of the
    places where it could. Return what was added.
    """
    import pytest

    name, first, places = "test_" + orders["canary"], set(orders["first"]), orders["places"]
    functions = [item for item in items if isinstance(item, pytest.Function)]
    chosen = [item for item in functions if local(item.nodeid) in first] or functions[:1]
    modules = list(dict.fromkeys(item.getparent(pytest.Module) for item in chosen))
    if places is not None:
        modules = [module for module in modules if local(module.nodeid) in places]
        modules = [random.choice(modules)] if modules else []
    added = []
    for module in modules:
        function = _canary_function(config, name)
        if hasattr(pytest.Function, "from_parent"):
            canary = pytest.Function.from_parent(module, name=name, callobj=function)
        else:
            canary = pytest.Function(name, parent=module, callobj=function)
        own = [at for at, item in enumerate(items) if item.getparent(pytest.Module) is module]
        # Never between two tests: those of a class may count on each other.
        items.insert(random.choice([own[0], own[-1] + 1]), canary)
        added.append(canary)
    return added


def _canary_function(config, name):
    """Import the canary from a file, so that its assertion is rewritten as those of tests are."""
    import importlib
    import shutil
    import tempfile

    import pytest

    folder = tempfile.mkdtemp()
    try:
        with open(os.path.join(folder, name + ".py"), "w") as file:
            file.write("def %s():\n    left, right = [1], [2]\n    assert left == right\n" % name)
        pytest.register_assert_rewrite(name)
        sys.path.insert(0, folder)
        # Else a folder that was made within this second may not be looked into.
        importlib.invalidate_caches()
        try:
            return getattr(importlib.import_module(name), name)
        finally:
            sys.path.remove(folder)
            sys.modules.pop(name, None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fingerprint():
    """Return, for every function of the watched packages, the code it has now."""
    codes = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] not in _WATCHED or module is None:
            continue
        for owner_name, owner in [("", module)] + [
            (one, value)
            for one, value in list(vars(module).items())
            if isinstance(value, type) and value.__module__ == module_name
        ]:
            for attribute, value in list(vars(owner).items()):
                if isinstance(value, (classmethod, staticmethod)):
                    value = value.__func__
                elif isinstance(value, property):
                    value = value.fget
                # Other values may answer to any name, as pytest's marks do.
                if isinstance(value, types.FunctionType):
                    codes[module_name, owner_name, attribute] = value.__code__
    return codes


def _altered(before):
    """Return the names of what is not what it was, or was added to a class that was there.

    What belongs to modules and classes that were loaded since is not looked at.
    """
    now = _fingerprint()
    classes = {key[:2] for key in before if key[1]}
    names = [key for key, code in before.items() if now.get(key) is not code]
    names += [key for key in now if key not in before and key[:2] in classes]
    return sorted(".".join(part for part in key if part) for key in names)[:50]


# ---- unittest ----


def _watch_unittest(say, orders):
    import unittest

    before = _fingerprint()
    say("unittest", sys.version.split()[0])
    watched = []
    # The result of the outermost run.
    result_class, runner = unittest.TestResult, unittest.TextTestRunner

    def record(method, word):
        original = getattr(result_class, method)

        def wrapped(self, test, *rest):
            if watched and self is watched[0]:
                say("test", _described(self, test), word)
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
    make_result, run = runner._makeResult, runner.run

    def watching_make_result(self):
        result = make_result(self)
        if depth[0] == 1:
            watched[:] = [result]
        return result

    def watching_run(self, test):
        depth[0] += 1
        try:
            if depth[0] > 1:
                return run(self, test)
            say("canary", "", "PASSED", _unittest_canary(orders["canary"]))
            result = run(self, test)
            say("canary", "", "PASSED", _unittest_canary(orders["canary"]))
            say("end", 0 if result.wasSuccessful() else 1, _altered(after), [])
            return result
        finally:
            depth[0] -= 1

    depth = [0]
    runner._makeResult, runner.run = watching_make_result, watching_run
    after = dict(before)
    after.update(_fingerprint())


def _described(result, test):
    describe = getattr(result, "getDescription", None)
    return describe(test) if describe else str(test)


def _unittest_canary(name):
    """Run a test that must fail; return how it went, in pytest's words."""
    import unittest

    def method(self):
        self.assertEqual([1], [2])

    case = type("Test" + name.title().replace("_", ""), (unittest.TestCase,), {"test_" + name: method})
    result = unittest.TestResult()
    case("test_" + name).run(result)
    return "FAILED" if len(result.failures) == 1 and result.testsRun == 1 else "PASSED"
