"""From what files are and what they shall be to a patch in git's form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link in the place of a file."""

    target: str


@dataclass(frozen=True, slots=True)
class Program:
    """A file that may be executed."""

    text: str


Change = str | Link | Program | None
"""What a path becomes: a file, a link, a program, or nothing."""


def diff(files: Mapping[str, str], changes: Mapping[str, Change]) -> str:
    """Return the unified diff, in git's form, from some files to what they become."""
    return "".join(_diff_one(path, files.get(path), new) for path, new in changes.items())


def _diff_one(path: str, old: str | None, new: Change) -> str:
    text, mode = _written(new)
    head = f"diff --git a/{path} b/{path}\n"
    if old is not None and text is not None and mode != "100644":
        # A change of a file's kind is told as its end and a new beginning.
        return _diff_one(path, old, None) + _diff_one(path, None, new)
    if old is None:
        head += f"new file mode {mode}\n"
    elif text is None:
        head += "deleted file mode 100644\n"
    before = "/dev/null" if old is None else f"a/{path}"
    after = "/dev/null" if text is None else f"b/{path}"
    lines = difflib.unified_diff(_lines(old), _lines(text), before, after)
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return head + "".join(ended)


def _lines(text: str | None) -> list[str]:
    # Not `splitlines`, which takes a carriage return for an end, too.
    return re.findall(r"[^\n]*\n|[^\n]+", text or "")


def _written(change: Change) -> tuple[str | None, str]:
    match change:
        case Link(target):
            return target, "120000"
        case Program(text):
            return text, "100755"
        case _:
            return change, "100644"
