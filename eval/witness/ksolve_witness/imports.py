"""Record of the modules that are imported from the work tree, and of names that nobody finds.

Each is said before the module's first line runs. Whoever imports something is known by the file
of its code: what the runner, the standard library and installed packages import must come from
where it comes without a candidate.
"""

import os
import sys
from importlib import _bootstrap
from importlib.machinery import PathFinder

_IMPORTLIB = os.path.dirname(os.path.abspath(sys.modules["importlib"].__file__)) + os.sep
_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep


def folders_of_packages():
    """Return the folders that this Python and its packages live in."""
    import site

    found = {sys.prefix, sys.exec_prefix, sys.base_prefix, os.path.dirname(os.__file__)}
    found.update(getattr(site, "getsitepackages", list)())
    if hasattr(site, "getusersitepackages"):
        found.add(site.getusersitepackages())
    return sorted(os.path.realpath(path) for path in found)


class Recorder:
    """Watches the import system of this process."""

    def __init__(self, say, workdir):
        self._say = say
        self._workdir = os.path.realpath(workdir) + os.sep
        packages = [path + os.sep for path in folders_of_packages()]
        # A virtual environment may lie in the work tree.
        self._installed = tuple(path for path in packages if path.startswith(self._workdir))
        self._seen = set()
        self.collecting = False
        """Whether the runner has begun to look for tests."""

    def start(self):
        """Begin. What is loaded already comes from the image."""
        find_spec = _bootstrap._find_spec

        def recorded(name, path, target=None):
            spec = find_spec(name, path, target)
            found = name, spec is not None and spec.origin
            if found not in self._seen:
                self._seen.add(found)
                self._note(name, spec)
            return spec

        _bootstrap._find_spec = recorded

    def _note(self, name, spec):
        is_outside = not self.is_in_tree(_importer())
        if spec is None:
            if is_outside and "." not in name:
                self._say("missing", name)
            return
        origin = spec.origin
        if origin is None or not spec.has_location:
            origin = next(iter(spec.submodule_search_locations or ()), None)
        if not self.is_in_tree(origin):
            return
        is_top = "." not in name
        if is_outside or is_top:
            shown = os.path.relpath(os.path.abspath(origin), self._workdir)
            early = is_outside and not self.collecting
            shadows = is_top and self._is_elsewhere(name)
            self._say("import", name, shown, is_outside, early, shadows)

    def _is_elsewhere(self, name):
        """Whether the name would be found without the work tree, too."""
        if name in sys.builtin_module_names:
            return True
        rest = [path for path in sys.path if path and not self.is_in_tree(os.path.abspath(path) + os.sep)]
        return PathFinder.find_spec(name, rest) is not None

    def is_in_tree(self, path):
        """Whether a file belongs to the work tree, and not to an environment inside of it."""
        if not path:
            return False
        for form in (os.path.abspath(path), os.path.realpath(path)):
            form += os.sep
            if form.startswith(self._workdir) and not form.startswith(self._installed or ("\0",)):
                return True
        return False


def _importer():
    """Return the file of the code that imports something, "" where none is known."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(("<", _IMPORTLIB, _OWN)):
            return file
        frame = frame.f_back
    return ""
