"""Evaluation scripts in SWE-bench's form, made of what a row says of its tests.

The order is that of SWE-bench (4.x, `harness/test_spec`): preparation, the test files as they are
at the base commit, the patch of the tests, and the tests between two markers.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from tasks.task import END_MARKER, START_MARKER

# SWE-bench's own.
_END_OF_PATCH = "EOF_114329324912"
_NO_TESTS = (
    ".json",
    ".png",
    "csv",
    ".txt",
    ".md",
    ".jpg",
    ".jpeg",
    ".pkl",
    ".yml",
    ".yaml",
    ".toml",
)
"""How the names of files end that no test runner is given (SWE-bench's NON_TEST_EXTS)."""


class PatchFormError(Exception):
    """The patch of the tests is no unified diff."""


def changed_files(test_patch: str) -> list[str]:
    """Return the files that a patch changes or removes, but not those that it adds.

    Raises PatchFormError.
    """
    return [
        file.source_file.removeprefix("a/")
        for file in _files(test_patch)
        if file.source_file.startswith("a/")
    ]


def test_files(test_patch: str) -> list[str]:
    """Return the files of a patch that a test runner can be given. Raises PatchFormError."""
    return [
        file.path
        for file in _files(test_patch)
        if not file.is_removed_file and not file.path.endswith(_NO_TESTS)
    ]


# pytest takes it for a test of its own where it is imported.
test_files.__test__ = False  # type: ignore[attr-defined]


def evaluation_script(
    *,
    workdir: str,
    prepare: Sequence[str],
    reset: str,
    apply: str,
    test_patch: str,
    tests: Sequence[str],
) -> str:
    """Return the bash script; `reset` and `apply` are commands, `reset` may be "".

    `prepare` runs in the work directory. `apply` reads `test_patch` from its standard input.
    """
    # No blank line at its end, which `git apply --recount` would take for one of the file's.
    ended = test_patch if test_patch.endswith("\n") else f"{test_patch}\n"
    patch = f"{apply} <<'{_END_OF_PATCH}'\n{ended}{_END_OF_PATCH}" if test_patch.strip() else ""
    lines = [
        "#!/bin/bash",
        "set -uxo pipefail",
        f"cd {shlex.quote(workdir)}",
        # For whoever is not the owner, and before anything asks git for a version.
        f"git config --global --add safe.directory {shlex.quote(workdir)}",
        *prepare,
        reset,
        patch,
        f": '{START_MARKER}'",
        *tests,
        f": '{END_MARKER}'",
        reset,
    ]
    return "\n".join(line for line in lines if line) + "\n"


def quoted(names: Sequence[str]) -> str:
    """Return names as words of a shell command."""
    return " ".join(shlex.quote(name) for name in names)


def _files(patch: str) -> PatchSet:
    try:
        return PatchSet(patch)
    except UnidiffParseError as error:
        raise PatchFormError(str(error)) from error
