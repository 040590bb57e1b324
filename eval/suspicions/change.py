"""What a patch changes, file by file: the lines before and after, and which of them are new.

It is read from the patch alone, where only the lines of its hunks are known, or from the files
before and after, which then are one hunk each. Nothing is promised of a patch that no tool could
apply: what does not look like a diff is passed over.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "spec", "specs", "__tests__"})
_TEST_FILE = re.compile(
    r"(tests?|conftest|_?testing)\.\w+$|tests?_.*|.*[_.-](tests?|spec)\.\w+$|.*Tests?\.\w+$",
    re.DOTALL,
)
_PROSE = (".md", ".rst", ".txt", ".po", ".html", ".css", ".svg", ".lock", ".csv")


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """Lines that follow each other in one file, on one side of a change."""

    first: int
    """The number of the first line, from 1."""
    lines: tuple[str, ...]
    changed: tuple[bool, ...]
    """Of each line whether the change made it, or took it away."""
    heading: str = ""
    """What the patch names as the function around them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hunk:
    """One stretch of a change."""

    before: Side
    after: Side


@dataclass(kw_only=True, slots=True)
class FileChange:
    """What becomes of one file."""

    path: str
    old_path: str = ""
    mode: str = ""
    """That of a new file, or the one that it is changed to; "" where it stays."""
    is_new: bool = False
    is_deleted: bool = False
    is_binary: bool = False
    is_whole: bool = False
    """The one hunk is the whole file."""
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def is_python(self) -> bool:
        """Whether it is read as Python."""
        return self.path.endswith((".py", ".pyi", ".pyx", ".pyw"))

    @property
    def is_test(self) -> bool:
        """Whether it belongs to the tests."""
        return is_test(self.path)

    @property
    def is_test_module(self) -> bool:
        """Whether it holds tests itself, and is not what they use."""
        name = PurePosixPath(self.path).name
        return (
            self.is_test
            and re.search(r"(^tests?_|_tests?\.|^tests?\.|[.-](test|spec)\.)", name) is not None
        )

    @property
    def is_prose(self) -> bool:
        """Whether it is read by people only."""
        return self.path.endswith(_PROSE)

    def added(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that the change makes, with their numbers."""
        return _changed(hunk.after for hunk in self.hunks)

    def removed(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that it takes away, with their numbers before it."""
        return _changed(hunk.before for hunk in self.hunks)


def is_test(path: str) -> bool:
    """Whether a path is that of a test, or of what only tests use, by the usual names."""
    parts = PurePosixPath(path).parts
    return any(part in _TEST_FOLDERS for part in parts[:-1]) or bool(
        parts and _TEST_FILE.fullmatch(parts[-1])
    )


def changes_in(patch: str) -> list[FileChange]:
    """Return what a unified diff changes, in its order."""
    lines = patch.split("\n")
    found: list[FileChange] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("diff --git "):
            found.append(FileChange(path=_git_path(line), mode=""))
        elif line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1][:4] == "+++ ":
            _name(found, _path(line[4:]), _path(lines[at + 1][4:]))
            at += 1
        elif found and line.startswith("@@ "):
            at = _read_hunk(found[-1], lines, at) - 1
        elif found:
            _read_header(found[-1], line)
        at += 1
    return found


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> list[FileChange]:
    """Return what is different between files before and after, by their paths."""
    found = []
    for path in dict.fromkeys((*before, *after)):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        old_lines, new_lines = (old or "").split("\n"), (new or "").split("\n")
        was, made = [True] * len(old_lines), [True] * len(new_lines)
        # Not the library's guess of what is junk: a line that is often there is code, too.
        same = _same_at_start(old_lines, new_lines)
        was[:same] = made[:same] = [False] * same
        matcher = difflib.SequenceMatcher(None, old_lines[same:], new_lines[same:], autojunk=False)
        for a, b, size in matcher.get_matching_blocks():
            was[same + a : same + a + size] = [False] * size
            made[same + b : same + b + size] = [False] * size
        hunk = Hunk(
            before=Side(first=1, lines=tuple(old_lines), changed=tuple(was)),
            after=Side(first=1, lines=tuple(new_lines), changed=tuple(made)),
        )
        found.append(
            FileChange(
                path=path,
                old_path=path if old is not None else "",
                is_new=old is None,
                is_deleted=new is None,
                is_binary="\0" in (new or ""),
                is_whole=True,
                hunks=[hunk],
            )
        )
    return found


def _same_at_start(one: Sequence[str], other: Sequence[str]) -> int:
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def _name(found: list[FileChange], old: str, new: str) -> None:
    path = old if new == "/dev/null" else new
    last = found[-1] if found else None
    if last is None or last.hunks or last.path != path:
        if last is None or last.hunks or last.old_path:
            found.append(FileChange(path=path))
        last = found[-1]
    last.path = path
    last.old_path = "" if old == "/dev/null" else old
    last.is_new = last.is_new or old == "/dev/null"
    last.is_deleted = last.is_deleted or new == "/dev/null"


def _read_header(change: FileChange, line: str) -> None:
    if line.startswith("new file mode "):
        change.is_new, change.mode = True, line[14:].strip()
    elif line.startswith("new mode "):
        change.mode = line[9:].strip()
    elif line.startswith("deleted file mode "):
        change.is_deleted = True
    elif line.startswith("rename from "):
        change.old_path = line[12:]
    elif line.startswith("rename to "):
        change.path = line[10:]
    elif line.startswith(("GIT binary patch", "Binary files ")):
        change.is_binary = True


def _read_hunk(change: FileChange, lines: list[str], at: int) -> int:
    """Read the hunk whose header is at a line; return the line behind it."""
    header = _HUNK.match(lines[at])
    at += 1
    if header is None:
        return at
    old_left, new_left = int(header[2] or 1), int(header[4] or 1)
    old: list[tuple[str, bool]] = []
    new: list[tuple[str, bool]] = []
    while at < len(lines) and (old_left > 0 or new_left > 0):
        line = lines[at]
        match line[:1]:
            case "+":
                new.append((line[1:], True))
                new_left -= 1
            case "-":
                old.append((line[1:], True))
                old_left -= 1
            case " " | "":
                old.append((line[1:], False))
                new.append((line[1:], False))
                old_left -= 1
                new_left -= 1
            case "\\":
                pass
            case _:
                break
        at += 1
    heading = header[5].strip()
    change.hunks.append(
        Hunk(before=_side(int(header[1]), old, heading), after=_side(int(header[3]), new, heading))
    )
    return at


def _side(first: int, marked: list[tuple[str, bool]], heading: str) -> Side:
    return Side(
        first=max(first, 1),
        lines=tuple(text for text, _ in marked),
        changed=tuple(is_changed for _, is_changed in marked),
        heading=heading,
    )


def _changed(sides: Iterable[Side]) -> Iterator[tuple[int, str]]:
    for side in sides:
        for number, (line, is_changed) in enumerate(
            zip(side.lines, side.changed, strict=True), side.first
        ):
            if is_changed:
                yield number, line


def _git_path(line: str) -> str:
    names = line[len("diff --git ") :].rstrip("\r")
    # Only of a change without hunks is this all there is, and then both names are the same.
    return _path(names[(len(names) + 1) // 2 :])


def _path(name: str) -> str:
    name = name.split("\t", maxsplit=1)[0].rstrip("\r").strip()
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = _unquoted(name[1:-1])
    return name[2:] if name[:2] in ("a/", "b/") else name


def _unquoted(name: str) -> str:
    try:
        plain = name.encode("latin-1", "backslashreplace").decode("unicode_escape")
        return plain.encode("latin-1").decode("utf-8", "replace")
    except UnicodeError:
        return name
