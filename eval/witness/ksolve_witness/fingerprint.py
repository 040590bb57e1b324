"""Fingerprint of the test runner: the code of its functions, taken before the candidate's runs.

Beside the runner's own packages it covers those of its plugins. What looks at them is held from the
start, so that a built-in that is replaced later does not lie to it.
"""

import importlib
import sys
import threading
import types
from gc import get_referents
from operator import getitem, is_

# What is looked up in this module first, and in builtins never again.
getattr, hasattr, id, isinstance, vars, type = getattr, hasattr, id, isinstance, vars, type
all, len, map, zip = all, len, map, zip
dict, frozenset, list, set, sorted, tuple = dict, frozenset, list, set, sorted, tuple
_getframe = sys._getframe

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
# Of Python's audit events: who sets a function that observes this process, and who looks through
# its memory.
_SET = frozenset({"sys.settrace", "sys.setprofile"})
_LOOKED = frozenset({"sys._current_frames", "gc.get_objects", "gc.get_referrers"})


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
        self._is_in_tree = is_in_tree
        self._modules, self._before, self._names = {}, {}, {}
        self._found = set()
        self.add(_PACKAGES)
        self._often = [key for key in self._before if key[0].startswith(_OFTEN)]
        self._quick = _Quick(self._modules, self._often)
        self._observers = _observers()
        self._set = {}
        self._audit()

    def add(self, packages):
        """Take what is loaded of some packages for what it must be from now on."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name.split(".")[0] in packages and file and name not in self._modules:
                self._modules[name] = module
                self._before.update(_functions(name, module))
                self._names.update(_names(name, module))

    def add_own(self):
        """Take what the witness itself has changed for the runner's own."""
        for name, module in self._modules.items():
            if name.split(".")[0] == "unittest":
                self._before.update(_functions(name, module))
                self._names.update(_names(name, module))
        self._quick = _Quick(self._modules, self._often)

    def note(self, what):
        """Keep that something was seen."""
        self._found.add(what)

    def check(self):
        """Look at what decides on every test. Cheap enough for each of them."""
        if not self._quick.is_same():
            found = len(self._found)
            for key in self._often:
                now = self._now(*key)
                if not _same(self._before[key], now):
                    self._found.add(_shown(key, now))
            if len(self._found) == found:
                self._quick.renew()
        self._found.update(_observers() - self._observers)
        # What was set and not taken back by the same call of a function has seen others' code.
        self._found.update(["%s in %s" % pair for pair in self._set.values()])
        self._set.clear()

    def _audit(self):
        """Have every call of the work tree told that observes this process."""
        found, is_set, is_in_tree = self._found, self._set, self._is_in_tree

        def hook(event, args):
            if event in _SET:
                frame = _getframe(1)
                file, call = frame.f_code.co_filename, (event, id(frame))
                if is_in_tree(file) and is_set.pop(call, None) is None:
                    is_set[call] = event, file
            elif event in _LOOKED or (event == "open" and _is_memory(args[0])):
                file = _getframe(1).f_code.co_filename
                if is_in_tree(file):
                    found.add("%s in %s" % (event, file))

        if hasattr(sys, "addaudithook"):
            sys.addaudithook(hook)

    def altered(self):
        """Return the names of what was seen not to be what it was, or was added to a class.

        What belongs to modules and classes that were loaded since is not looked at.
        """
        self.check()
        now, names = {}, {}
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                self._found.add("%s is another module" % name)
            now.update(_functions(name, module))
            names.update(_names(name, module))
        for key, state in self._before.items():
            if not _same(state, now.get(key)):
                self._found.add(_shown(key, now.get(key)))
        for key, attributes in names.items():
            for added in attributes - self._names.get(key, attributes):
                self._found.add(_shown(key + (added,), now.get(key + (added,))))
        return sorted(self._found)[:50]

    def _now(self, module, owner, attribute):
        found = vars(self._modules[module])
        if owner:
            found = vars(found[owner]) if isinstance(found.get(owner), type) else {}
        return _state(found.get(attribute))


class _Quick:
    """What makes some functions what they are, held so that a look at all of them costs little.

    It may say that something changed where nothing did, and never the other way round.
    """

    def __init__(self, modules, keys):
        owners = {(module, owner) for module, owner, _ in keys if owner}
        places = [(vars(modules[module]), owner) for module, owner in owners]
        functions = []
        for module, owner, attribute in keys:
            names = vars(modules[module])
            holder = vars(names[owner]) if owner else names
            places.append((holder, attribute))
            functions.append(_function(holder[attribute]))
        self._holders = [holder for holder, _ in places]
        self._names = [name for _, name in places]
        self._values = list(map(getitem, self._holders, self._names))
        # What can change in a function without its being another object, and in what it holds.
        # Asked for by name, each of that would be an audit event.
        self._held = functions + [part for one in functions for part in one.__closure__ or ()]
        self._held += [one.__kwdefaults__ for one in functions if one.__kwdefaults__]
        self.renew()

    def renew(self):
        """Take what the functions refer to now for what they must."""
        self._referents = get_referents(*self._held)

    def is_same(self):
        """Whether all is as it was."""
        referents = get_referents(*self._held)
        try:
            values = map(getitem, self._holders, self._names)
            is_found = all(map(is_, values, self._values))
        except KeyError:
            return False
        is_as_long = len(referents) == len(self._referents)
        return is_found and is_as_long and all(map(is_, referents, self._referents))


def _owners(name, module):
    return [("", module)] + [
        (one, value)
        for one, value in list(vars(module).items())
        if isinstance(value, type) and value.__module__ == name
    ]


def _functions(name, module):
    """Return what `_state` says now of every function of a module and of its classes."""
    found = {}
    for owner_name, owner in _owners(name, module):
        for attribute, value in list(vars(owner).items()):
            # Other values may answer to any name, as pytest's marks do.
            state = _state(value)
            if state is not None:
                found[name, owner_name, attribute] = state
    return found


def _names(name, module):
    """Return the names of the attributes of every class of a module."""
    return {(name, one): set(vars(owner)) for one, owner in _owners(name, module)[1:]}


def _state(value):
    """Return what makes a function do what it does, None for anything else."""
    given, value = value, _function(value)
    if not isinstance(value, types.FunctionType):
        return None
    return (
        given if given is not value else None,
        value.__code__,
        value.__defaults__,
        tuple(sorted((value.__kwdefaults__ or {}).items())),
        tuple([_inside(cell) for cell in value.__closure__ or ()]),
    )


def _function(value):
    """Return what a method or property of a class calls, and anything else as it is."""
    if isinstance(value, (classmethod, staticmethod)):
        return value.__func__
    return value.fget if isinstance(value, property) else value


def _inside(cell):
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _same(one, other):
    if other is None or len(one[4]) != len(other[4]):
        return False
    closed_over = all([mine is its for mine, its in zip(one[4], other[4])])
    return closed_over and one[3] == other[3] and all([one[at] is other[at] for at in (0, 1, 2)])


def _shown(key, state):
    name = ".".join([part for part in key if part])
    return name if state is None else "%s from %s" % (name, state[1].co_filename)


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


def _is_memory(path):
    return isinstance(path, str) and path.startswith("/proc/") and path.endswith("/mem")
