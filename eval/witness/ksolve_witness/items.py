"""What pytest has collected, and by what it runs that: the same when a test runs as when it was found.

Code that shares the process can reach the tests through the frames above it, and change one that
is still to run; and it can take a hook of pytest over without registering a plugin.
"""

getattr, hasattr, list, sorted, type, vars, zip = (
    getattr,
    hasattr,
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


class Items:
    """The tests of a session as they were when they had been found."""

    def __init__(self, items):
        self._before = {id(item): (item, _state(item)) for item in items}

    def is_changed(self, item):
        """Whether a test is not what it was; True for one that was not there."""
        known, before = self._before.get(id(item), (None, ()))
        now = _state(item)
        if known is not item or len(before) != len(now):
            return True
        return not all([one is other for one, other in zip(before, now)])


def _state(item):
    """Return the objects that make a test what it is."""
    callspec = getattr(item, "callspec", None)
    function = getattr(getattr(item, "obj", None), "__func__", getattr(item, "obj", None))
    found = [type(item), vars(item).get("runtest"), getattr(function, "__code__", None)]
    for name in ("params", "funcargs"):
        values = getattr(callspec, name, None) or {}
        found += [part for pair in sorted(values.items()) for part in pair]
    return found


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
            for one in caller.get_hookimpls() if hasattr(caller, "get_hookimpls") else ():
                own = getattr(one.plugin, name, None)
                if own != one.function or not any([one.plugin is known for known in plugins]):
                    found.append("%s of %s" % (name, one.plugin_name))
        return found
