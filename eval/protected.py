"""Which files steer the test runner rather than the program under test.

In the work tree these are put back to what they are without the candidate, so that a verdict does
not depend on them; outside of it (interpreter, shell, installed packages) nobody has any business,
and a change there is tampering. Only names and paths are looked at here; see `eval.verify` for
what is done. The names are those of Python's runners: of other languages' only the programs and
the system are protected.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

from sandbox.sandbox import Change

RUNNER_FILES = frozenset(
    {
        "conftest.py",
        "pytest.ini",
        ".pytest.ini",
        "pytest.toml",
        ".pytest.toml",
        "sitecustomize.py",
        "usercustomize.py",
        "entry_points.txt",
    }
)
"""Files that pytest or Python reads by their name alone, anywhere in the work tree."""

MIXED_FILES = frozenset({"pyproject.toml", "setup.cfg", "tox.ini"})
"""Files that hold settings of pytest beside others, which are the candidate's to change."""

_PACKAGES = frozenset(
    {"pytest", "_pytest", "pluggy", "iniconfig", "py", "unittest", "nose", "xdist", "execnet"}
)
_SHADOWING = (
    frozenset(sys.stdlib_module_names)
    | _PACKAGES
    | {"attr", "attrs", "exceptiongroup", "packaging", "tomli", "typing_extensions"}
    | {"importlib_metadata", "zipp", "more_itertools", "atomicwrites", "wcwidth", "six", "toml"}
    | {"colorama", "pygments", "pathlib2", "hypothesis", "asgiref", "sqlparse", "mpmath"}
)
# A module of such a name, where it is found first, would be imported in place of the real one.
_MODULE = (".py", ".pyc", ".so", ".pyd")
_STARTUP = frozenset(
    {".bashrc", ".bash_profile", ".bash_login", ".profile", ".bash_aliases", ".pam_environment"}
    | {"pyvenv.cfg", "sitecustomize.py", "usercustomize.py", "conftest.py", "pytest.ini"}
)
_SYSTEM = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")
_INSTALLED = ("/lib", "/usr/", "/etc/", "/opt/")
_SCRATCH = ("/tmp/", "/var/", "/run/", "/dev/", "/proc/", "/sys/")  # noqa: S108 - in the container
_PROGRAM = re.compile(
    r"^(python|pypy|pip|py\.?test|bash|dash|sh|env|git|tar|stat|tox|nox|coverage|node|npm|npx|yarn"
    r"|pnpm|go|cargo|rustc|java|mvn|gradle|php|ruby|bundle|rake|make|patch|cat|mktemp|rm)[\d.]*$"
)


def steers_runner(path: PurePosixPath) -> bool:
    """Whether a file of the work tree, by its relative path, must be as it is without candidate."""
    name = path.name
    if name in RUNNER_FILES or name.endswith((".pth", ".pyc")):
        return True
    return any(part.endswith((".egg-info", ".dist-info")) for part in path.parts)


def shadowing(added: Collection[PurePosixPath]) -> set[str]:
    """Return the new names at the top of the work tree that would be imported for the runner's.

    `added` are relative paths. A folder without code of its own is in nobody's way.
    """
    names = {path.name for path in added if len(path.parts) == 1}
    packages = {
        path.parts[0]
        for path in added
        if len(path.parts) == 2 and _module(path.name) == "__init__"  # noqa: PLR2004 - NAME/__init__
    }
    return {
        name
        for name in names
        if _module(name) in _SHADOWING and (name.endswith(_MODULE) or name in packages)
    }


def stands_before(path: PurePosixPath, tests: Iterable[PurePosixPath]) -> bool:
    """Whether a new file would be imported in the place of a test file or of a folder of tests."""
    for test in tests:
        for own in (test, *test.parents[:-1]):
            depth = len(own.parts)
            if (
                len(path.parts) >= depth
                and path.parts[: depth - 1] == own.parts[:-1]
                and path.parts[depth - 1] != own.name
                and _module(path.parts[depth - 1]) == _module(own.name)
            ):
                return True
    return False


def _module(name: str) -> str:
    """Return what a file or folder is imported as."""
    return name.partition(".")[0] if name.endswith(_MODULE) else name


def loads_itself(path: PurePosixPath) -> bool:
    """Whether Python or pytest reads a file for what to load, wherever packages are installed."""
    return path.suffix == ".pth" or path.name == "entry_points.txt"


def loads_more(path: PurePosixPath, text: str) -> bool:
    """Whether such a file makes code run that nobody imports, or names a plugin of pytest."""
    if path.suffix == ".pth":
        return re.search(r"^import[ \t]", text, re.MULTILINE) is not None
    return "pytest11" in text


def is_tampering(path: PurePosixPath, change: Change) -> bool:
    """Whether a change outside of the work tree can make a test come out differently.

    Builds and tests do write elsewhere: into caches, temporary folders, and (an installation that
    a candidate may rightly change) the metadata of the package.
    """
    text, name = str(path), path.name
    if text.startswith(_SCRATCH) or "/.cache/" in text:
        return False
    added = change == "added"
    if name in _STARTUP or text.startswith("/etc/"):
        return True
    if loads_itself(path) or (added and path.suffix == ".pyc"):
        # What the first say is for `loads_more`; the others are taken away before the tests.
        return False
    if text.startswith(_SYSTEM) or path.parent.name in ("bin", "sbin"):
        return not added or _PROGRAM.match(name) is not None
    in_runner = not _PACKAGES.isdisjoint(map(_module, path.parts)) or any(
        _module(part) in _SHADOWING
        for folder, part in zip(path.parts, path.parts[1:], strict=False)
        if folder in ("site-packages", "dist-packages")
    )
    installed = text.startswith(_INSTALLED) or "/lib/python" in text
    return in_runner or (installed and not added)


def tampering(
    changes: Mapping[PurePosixPath, Change], usual: Iterable[PurePosixPath], workdir: PurePosixPath
) -> list[PurePosixPath]:
    """Return the changes outside of the work tree that nobody but a cheat would make.

    `usual` are the paths that also change without a candidate.
    """
    known = set(usual)
    above = {parent for path in changes for parent in path.parents}
    return [
        path
        for path, change in changes.items()
        if path not in known
        and not path.is_relative_to(workdir)
        # A folder changes with what is in it.
        and not (change == "modified" and path in above)
        and is_tampering(path, change)
    ]


def runner_settings(name: str, text: str) -> object:
    """Return pytest's part of a file of `MIXED_FILES`, to be compared; the text if it is broken.

    Of an ini file that is every section whose header speaks of pytest: what readers of such files
    make of an odd header differs from one to the other.
    """
    if name == "pyproject.toml":
        try:
            return tomllib.loads(text).get("tool", {}).get("pytest")
        except tomllib.TOMLDecodeError:
            return text
    sections = re.split(r"^(?=[ \t]*\[)", text, flags=re.MULTILINE)
    return [part.rstrip() for part in sections if "pytest" in part.partition("\n")[0].lower()]
