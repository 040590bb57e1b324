"""Fingerprint of the test runner: the code of its functions, taken before the candidate's runs."""

import importlib
import sys
import threading
import types

_PACKAGES = ("_pytest", "pluggy", "unittest")
# Modules that decide on every single test.
_OFTEN = (
    "_pytest.runner",
    "_pytest.reports",
    "_pytest.outcomes",
    "_pytest.skipping",
    "pluggy",
    "unittest.case",
    "unittest.result",
)
# Of Python's audit events.
_AUDITED = frozenset({"sys.settrace", "sys.setprofile", "gc.get_objects", "gc.get_referrers"})


def load(pytest, unittest):
    """Import the runner's packages, which is done anyway, now that nothing stands before them."""
    if unittest:
        import unittest as _
        import unittest.main
        import unittest.mock
    if pytest:
        try:
            import _pytest.config
            import pytest as _  # noqa: F811
        except ImportError:
            return
        for name in getattr(_pytest.config, "default_plugins", ()):
            try:
                importlib.import_module("_pytest." + name)
            except ImportError:
                pass


class Fingerprint:
    """The code of every function of the runner, and how its process is observed."""

    def __init__(self, is_in_tree):
        self._before = _functions(_PACKAGES)
        self._often = [key for key in self._before if key[0].startswith(_OFTEN)]
        self._observers = _observers()
        self._found = set()
        _audit(self._found, is_in_tree)

    def add_own(self):
        """Take what the witness itself has changed for the runner's own."""
        self._before.update(_functions(("unittest",)))

    def check(self):
        """Look at what decides on every test. Cheap enough for each of them."""
        for key in self._often:
            now = _now(*key)
            if not _same(self._before[key], now):
                self._found.add(_shown(key, now))
        self._found.update(_observers() - self._observers)

    def altered(self):
        """Return the names of what was seen not to be what it was, or was added to a class.

        What belongs to modules and classes that were loaded since is not looked at.
        """
        self.check()
        now = _functions(_PACKAGES)
        classes = {key[:2] for key in self._before if key[1]}
        names = [key for key, code in self._before.items() if not _same(code, now.get(key))]
        names += [key for key in now if key not in self._before and key[:2] in classes]
        return sorted(self._found | {_shown(key, now.get(key)) for key in names})[:50]


def _functions(packages):
    """Return, for every function of the packages, what `_state` says of it now."""
    found = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] not in packages or module is None:
            continue
        for owner_name, owner in [("", module)] + [
            (one, value)
            for one, value in list(vars(module).items())
            if isinstance(value, type) and value.__module__ == module_name
        ]:
            for attribute, value in list(vars(owner).items()):
                # Other values may answer to any name, as pytest's marks do.
                code = _state(value)
                if code is not None:
                    found[module_name, owner_name, attribute] = code
    return found


def _state(value):
    """Return what makes a function do what it does, None for anything else."""
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    if not isinstance(value, types.FunctionType):
        return None
    return value.__code__, value.__defaults__, tuple(sorted((value.__kwdefaults__ or {}).items()))


def _now(module, owner, attribute):
    found = vars(sys.modules[module]) if module in sys.modules else {}
    if owner:
        found = vars(found[owner]) if isinstance(found.get(owner), type) else {}
    return _state(found.get(attribute))


def _same(one, other):
    return other is not None and one[0] is other[0] and one[1] is other[1] and one[2] == other[2]


def _shown(key, state):
    name = ".".join(part for part in key if part)
    return name if state is None else "%s from %s" % (name, state[0].co_filename)


def _observers():
    """Return what follows this process step by step, such as a debugger or a coverage tool."""
    found = [("sys.settrace", sys.gettrace()), ("sys.setprofile", sys.getprofile())]
    found.append(("threading.settrace", getattr(threading, "_trace_hook", None)))
    found.append(("threading.setprofile", getattr(threading, "_profile_hook", None)))
    shown = {"%s: %s" % (how, _described(what)) for how, what in found if what is not None}
    monitoring = getattr(sys, "monitoring", None)
    for number in range(6) if monitoring else ():
        tool = monitoring.get_tool(number)
        if tool is not None:
            shown.add("sys.monitoring: %s" % tool)
    return shown


def _described(value):
    owner = value if hasattr(value, "__qualname__") else type(value)
    return "%s.%s" % (getattr(owner, "__module__", "?"), owner.__qualname__)


def _audit(found, is_in_tree):
    """Have every call of the work tree told that observes a process or looks through its memory."""

    def hook(event, _):
        if event in _AUDITED:
            file = sys._getframe(1).f_code.co_filename
            if is_in_tree(file):
                found.add("%s in %s" % (event, file))

    if hasattr(sys, "addaudithook"):
        sys.addaudithook(hook)
