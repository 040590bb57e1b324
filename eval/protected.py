"""Files of the work tree that are put back to what they are without a candidate.

Putting them back is a courtesy: an honest patch may well change them, and then they do not count.
Nothing rests on these names being all that there are. That the tests ran as they run without a
candidate is shown by comparing what the runner says of itself (`eval.record`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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

# Folders that every program may write to, and those that the kernel makes up.
_SCRATCH = ("/tmp/", "/var/tmp/", "/dev/", "/run/", "/proc/", "/sys/")  # noqa: S108 - in the container
_TEST = re.compile(
    r"(^|/)(tests?|testing|__tests__|__snapshots__|specs?|e2e)/"
    r"|(^|/)(conftest\.py|(test|check|spec)s?([_-][^/]*)?\.[a-z]+|[^/]*[._-](tests?|spec)\.[a-z]+)$",
    re.IGNORECASE,
)
_SETTINGS = re.compile(
    r"^((nox|gulp|grunt|rake|jake|fab|dodo|duty|task|setup)[a-z]*|.*[.-](config|conf|rc|setup))\.[a-z]+$"
)
# What mostly builds and tests a program.
_SCRIPTS = frozenset({".sh", ".bash", ".mk", ".cmake", ".bat", ".ps1"})
_CODE = re.compile(
    r"\.(py|pyi|pyx|pxd|[cm]?[jt]sx?|vue|svelte|go|rs|java|kt|scala|clj|rb|php|cs|fs|swift|dart|ex|exs"
    r"|erl|hs|ml|lua|pl|pm|r|jl|zig|nim|c|cc|cpp|cxx|h|hh|hpp|m|mm|f90|sql)$",
    re.IGNORECASE,
)


def steers_runner(path: PurePosixPath) -> bool:
    """Whether a file of the work tree, by its relative path, is put back for every task."""
    if path.name in RUNNER_FILES or path.name.endswith((".pth", ".pyc")):
        return True
    return any(part.endswith((".egg-info", ".dist-info")) for part in path.parts)


def is_source(path: PurePosixPath) -> bool:
    """Whether a file, by its relative path, is the program's own, and not what tests or builds it.

    A guess from its name and place, for runners that nothing can watch.
    """
    if any(part.startswith(".") for part in path.parts) or _TEST.search(str(path)):
        return False
    at_root = len(path.parts) == 1
    if path.suffix in _SCRIPTS or (at_root and _SETTINGS.match(path.name.lower())):
        return False
    return not at_root or _CODE.search(path.name) is not None


def outside(
    changes: Mapping[PurePosixPath, Change],
    workdir: PurePosixPath,
    environments: tuple[PurePosixPath, ...] = (),
) -> dict[PurePosixPath, Change]:
    """Return the changes that no patch may make: outside of the work tree, and in an environment.

    Left out are what is there for every program to write, folders that hold changes, and compiled
    Python, which is removed before the tests wherever it is.
    """
    above = {parent for path in changes for parent in path.parents}

    def is_forbidden(path: PurePosixPath) -> bool:
        if str(path).startswith(_SCRATCH) or path.suffix == ".pyc" or path.name == "__pycache__":
            return False
        if path.is_relative_to(workdir):
            return any(path.is_relative_to(one) for one in environments)
        return not (path in above and changes[path] == "modified")

    return {path: change for path, change in changes.items() if is_forbidden(path)}
