"""What a runner has collected, and by what it runs that: the same when a test runs as when it was found.

Code that shares the process can reach the tests through the frames above it, and change one that
is still to run; and it can take a hook of pytest over without registering a plugin.
"""

import types

getattr, hasattr, isinstance, len, list, sorted, type, vars, zip = (
    getattr,
    hasattr,
    isinstance,
    len,
    list,
    sorted,
    type,
    vars,
    zip,
)

_HOOKS = (
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
    "pytest_runtest_logreport",
    "pytest_pyfunc_call",
)
# Where pluggy keeps what it calls, in one version or another.
_LISTS = ("_hookimpls", "_nonwrappers", "_wrappers")


class Items:
    """The tests of a run as they were when they had been found; `state` tells what makes one."""

    def __init__(self, items, state):
        self._state = state
        self._before = {id(item): (item, state(item)) for item in items}

    def is_changed(self, item):
        """Whether a test is not what it was; True for one that was not there."""
        known, before = self._before.get(id(item), (None, ()))
        now = self._state(item)
        if known is not item or len(before) != len(now):
            return True
        return not all([one is other for one, other in zip(before, now)])


def of_pytest(item):
    """Return the objects that make a test of pytest what it is."""
    callspec, information = getattr(item, "callspec", None), getattr(item, "_fixtureinfo", None)
    given = getattr(item, "funcargs", None)
    found = [type(item), vars(item).get("runtest"), getattr(item, "_nodeid", None), callspec]
    # Nothing is filled in before its setup.
    found += [information, getattr(information, "argnames", None), given, len(given or ())]
    found += _of_function(getattr(item, "obj", None))
    for name in ("params", "funcargs"):
        values = getattr(callspec, name, None) or {}
        found += [part for pair in sorted(values.items()) for part in pair]
    return found


def of_unittest(test):
    """Return the objects that make a test of unittest what it is."""
    name = vars(test).get("_testMethodName")
    found = [type(test), type(name), name]
    return found + (_of_function(getattr(type(test), name, None)) if type(name) is str else [])


def _of_function(function):
    """Return a function, without what binds it, and what makes it do what it does."""
    function = getattr(function, "__func__", function)
    names = ("__code__", "__globals__", "__defaults__", "__kwdefaults__", "__wrapped__")
    return [function] + [getattr(function, name, None) for name in names]


class Hooks:
    """The functions by which a plugin manager runs tests."""

    def __init__(self, manager):
        self._manager = manager
        self._call = getattr(manager, "_inner_hookexec", None)

    def changed(self, item):
        """Return what is not as pytest made it, as texts."""
        found = []
        if getattr(self._manager, "_inner_hookexec", None) is not self._call:
            found.append("the executor of hooks")
        plugins = list(self._manager.get_plugins())
        for name in _HOOKS:
            caller = getattr(item.ihook, name, None)
            if caller is None:
                continue
            if type(caller).__module__.split(".")[0] != "pluggy":
                found.append(name)
                continue
            if any([type(getattr(caller, part, [])) is not list for part in _LISTS]):
                found.append("the list of %s" % name)
            for one in caller.get_hookimpls() if hasattr(caller, "get_hookimpls") else ():
                own = getattr(one.plugin, name, None)
                is_known = any([one.plugin is known for known in plugins])
                if own != one.function or not is_known or _is_given(one.plugin, name):
                    found.append("%s of %s" % (name, one.plugin_name))
        return found


def _is_given(plugin, name):
    """Whether a plugin was given a hook that its class does not have."""
    if isinstance(plugin, (types.ModuleType, type)):
        return False
    return name in (getattr(plugin, "__dict__", None) or ())
