"""Witness of pytest: a plugin that tells how each test ended, by what pytest itself was handed.

(To pytest, which would warn that it comes too late to rewrite this module: PYTEST_DONT_REWRITE.)
"""

import importlib
import os
import random
import shutil
import sys
import tempfile

from ksolve_witness import code
from ksolve_witness.items import Hooks, Items, of_pytest

_PLUGIN = "ksolve_witness.pytest_runner"
# What the first pytest of this process takes; a second one, started by a test, finds nothing.
_pending = []


def add_plugin(say, orders, runner, recorder):
    """Have pytest load this module, and find what it is to know."""
    plugins = os.environ.get("PYTEST_PLUGINS")
    os.environ["PYTEST_PLUGINS"] = _PLUGIN + ("," + plugins if plugins else "")
    _pending.append((say, orders, runner, recorder, plugins))


def pytest_load_initial_conftests(early_config):
    """Take what pytest has loaded before any conftest.py. (pytest calls this.)"""
    if not _pending:
        return
    _, orders, runner, recorder, _ = _pending[0]
    manager = early_config.pluginmanager
    names = [getattr(plugin, "__name__", type(plugin).__module__) for plugin in manager.get_plugins()]
    runner.add({name.split(".")[0] for name in names} | {"asyncio"})
    orders["hooks"] = Hooks(manager)


# Before those of a conftest.py are there.
pytest_load_initial_conftests.pytest_impl = {"tryfirst": True}


def pytest_configure(config):
    """Begin to watch. (pytest calls this.)"""
    if not _pending:
        return
    say, orders, runner, recorder, plugins = _pending.pop()
    if plugins is None:
        os.environ.pop("PYTEST_PLUGINS", None)
    else:
        os.environ["PYTEST_PLUGINS"] = plugins
    if orders.setdefault("runner", "pytest") == "pytest":
        watch = _watch(say, orders, runner, recorder, config)
        config.pluginmanager.register(watch, "ksolve-watch")


def _watch(say, orders, runner, recorder, config):
    import pytest

    first = set(orders["first"])
    name = "test_" + orders["canary"]
    # Of the test that runs: phase -> how it went.
    seen = {}
    lost, owed, sessions, canaries, expected, before = [], [0], [], [], set(), set()
    tests = set()
    # Phases in which the test that runs has raised something: a second account of what pytest says.
    raised = set()
    hooks, items_found = orders.get("hooks") or Hooks(config.pluginmanager), []
    say("pytest", getattr(pytest, "__version__", "?"))

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

    def run_own(collector, nextitem):
        for kind, how_it_went in _own_tests(collector, nextitem, orders["canary"], seen):
            say(kind, "", how_it_went.get("setup"), how_it_went.get("call"))

    def watch_item(item):
        if item in tests:
            runner.note("%s runs again" % local(item.nodeid))
        tests.add(item)
        if not items_found or items_found[0].is_changed(item):
            runner.note("%s is not the test that was found" % local(item.nodeid))
        for what in hooks.changed(item):
            runner.note("%s is not pytest's" % what)

    def watch_phase(when, outcome):
        if outcome.excinfo is not None:
            raised.add(when)

    class Watch(object):
        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_collection(self, session):
            say("settings", _settings(config), _plugins(config))
            recorder.collecting = True
            yield

        @pytest.hookimpl(tryfirst=True)
        def pytest_collectreport(self, report):
            if report.failed:
                say("test", local(report.nodeid), "ERROR")

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_collection_modifyitems(self, session, config, items):
            yield
            if orders["hurry"]:
                items.sort(key=lambda item: local(item.nodeid) not in first)
            owed[0] = sum(local(item.nodeid) in first for item in items)
            expected.update(item.nodeid for item in items if item.get_closest_marker("xfail"))
            canaries.extend(_add_canaries(config, items, orders, local))
            before.update(_boundaries(items))
            items_found.append(Items(items, of_pytest))

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtestloop(self, session):
            # They are none of the tests that were found.
            session.testscollected -= len(canaries)
            sessions.append(session)
            nodes = [item.getparent(pytest.Module) for item in session.items]
            code.say_modules(say, [node.obj for node in nodes if node], orders["workdir"])
            if not before or _will_not_run(session):
                run_own(session, None)
            yield

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_makereport(self, item, call):
            outcome = yield
            word = how(item, outcome.get_result(), call)
            if word == "PASSED" and call.when in raised:
                runner.note("%s raised something and passed" % local(item.nodeid))
            raised.discard(call.when)
            seen[call.when] = word
            if word in ("FAILED", "ERROR") and item.name != name and item in tests:
                say("failed", local(item.nodeid))

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_setup(self, item):
            outcome = yield
            watch_phase("setup", outcome)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_call(self, item):
            outcome = yield
            watch_phase("call", outcome)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_teardown(self, item, nextitem):
            outcome = yield
            watch_phase("teardown", outcome)

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(self, item, nextitem):
            watch_item(item)
            if item in before:
                run_own(_file(item).parent, item)
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
            runner.check()
            if word == "XFAIL" and nodeid not in expected:
                say("late", local(nodeid))
            if local(nodeid) in first:
                owed[0] -= 1
                lost.extend([nodeid] if word not in ("PASSED", "XFAIL") else [])
                if orders["hurry"] and lost and not owed[0]:
                    sessions[-1].shouldstop = "a test that must pass has failed"

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_sessionfinish(self, session, exitstatus):
            yield
            say("end", int(session.exitstatus), runner.altered(), _plugins(config))

    return Watch()


def _settings(config):
    """Return what pytest has made of its options and files, as pairs of texts."""
    found = {"rootdir": str(config.rootdir) if not hasattr(config, "rootpath") else str(config.rootpath)}
    file = config.inipath if hasattr(config, "inipath") else config.inifile
    found["inifile"] = str(file)
    found["args"] = _text(list(config.args))
    for name, value in vars(config.option).items():
        found["option " + name] = _text(value)
    ini = config._inicfg if hasattr(config, "_inicfg") else config.inicfg
    # Of older versions it is a section of a file, which is no mapping, and has items all the same.
    for name, value in list(ini.items()) if hasattr(ini, "items") else []:
        found["ini " + name] = _text(getattr(value, "value", value))
    return sorted([name, value] for name, value in found.items())


def _text(value):
    """Return a value as text; of what is not made of plain values only the type."""
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(_text(one) for one in value)
    if value is None or isinstance(value, (str, int, float, os.PathLike)):
        return str(value)
    return type(value).__name__


def _file(item):
    """Return the node of the file that a test is in."""
    import pytest

    return next((node for node in item.listchain() if isinstance(node, pytest.File)), item)


def _boundaries(items):
    """Choose two tests that our own are run before: the first, and the first one of some file."""
    starts = [item for at, item in enumerate(items) if not at or _file(item) is not _file(items[at - 1])]
    return starts[:1] + ([random.choice(starts)] if starts else [])


def _will_not_run(session):
    option = session.config.option
    goes_on = getattr(option, "continue_on_collection_errors", False)
    return option.collectonly or (session.testsfailed and not goes_on)


def _own_tests(parent, nextitem, word, seen):
    """Collect a file of our own, and run its tests: one that must fail, and one that must pass."""
    import pytest
    from _pytest.runner import runtestprotocol

    name, folder = "test_" + word + "_own", tempfile.mkdtemp()
    modules, path = set(sys.modules), sys.path[:]
    try:
        file = os.path.join(folder, name + ".py")
        with open(file, "w") as written:
            written.write("def test_canary():\n    left, right = [1], [2]\n    assert left == right\n\n")
            written.write("def test_control():\n    assert [1] == [1]\n")
        importlib.invalidate_caches()
        module = _module(pytest.Module, parent, file)
        for item in list(module.collect()):
            seen.clear()
            runtestprotocol(item, log=False, nextitem=nextitem)
            yield item.name.partition("_")[2], dict(seen)
    finally:
        seen.clear()
        sys.path[:] = path
        for one in set(sys.modules) - modules:
            if one.startswith(name):
                del sys.modules[one]
        shutil.rmtree(folder, ignore_errors=True)


def _module(kind, parent, file):
    """Return the node of a file, in the way of each version of pytest."""
    if not hasattr(kind, "from_parent"):
        import py

        return kind(py.path.local(file), parent=parent)
    import pytest

    if int(pytest.__version__.split(".")[0]) >= 7:
        import pathlib

        return kind.from_parent(parent, path=pathlib.Path(file))
    import py

    return kind.from_parent(parent, fspath=py.path.local(file))


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
        if not name.startswith("ksolve_witness"):
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
