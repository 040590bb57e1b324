"""Which patches of an issue do the same: the groups that a vote counts.

A patch is applied to what is known of the files: their texts where somebody read them, else the
lines that the patches themselves disclose, all of them together. What comes out is compared by
`eval.selection.canonical`, so that neither the spelling of a diff nor that of the code counts.
Files that only tests or readers look at count in a patch that changes no others.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchedFile, PatchSet

from agent.reading.relevance import is_test
from eval.selection.canonical import fingerprint
from sandbox.patch import normalise_patch

Ints = NDArray[np.int64]

NONE = -1
"""The group of a candidate without a patch, or with one that changes nothing that counts."""

_PROSE = frozenset({".md", ".rst"})
_ATTRIBUTES = ("old mode", "new mode", "new file mode 1207", "new file mode 100755")

Known = Sequence[str | None]
# The lines of a file, without their newlines; None for one that nobody disclosed.


@dataclass(frozen=True, slots=True)
class _Hunk:
    start: int
    # First line, counted from 0.
    old: list[str]
    new: list[str]


@dataclass(frozen=True, slots=True)
class _Change:
    """What a patch does to one file."""

    source: str | None
    target: str | None
    # Paths; None for a file that is made or deleted.
    hunks: list[_Hunk]
    attributes: str


def behaviours(patches: Sequence[str], texts: Mapping[str, str] = MappingProxyType({})) -> Ints:
    """Return the group of each patch: equal numbers do the same, `NONE` does nothing.

    `texts` are the files of the repository by path, where they are known. The numbers follow from
    what the patches do, not from their order.
    """
    changes = {patch: _changes(patch) for patch in set(patches) if patch.strip()}
    known: dict[str, Known] = {**_disclosed(changes.values())}
    known |= {path: texts[path].split("\n") for path in known.keys() & texts.keys()}
    keys = {
        patch: _key(patch, change, known, whole=texts.keys()) for patch, change in changes.items()
    }
    groups = {key: number for number, key in enumerate(sorted(set(keys.values()) - {""}))}
    return np.array([groups.get(keys.get(patch, ""), NONE) for patch in patches], dtype=np.int64)


def _key(
    patch: str, changes: list[_Change] | None, known: Mapping[str, Known], whole: Collection[str]
) -> str:
    """Return what a patch does as one text, "" for nothing."""
    done: dict[str, str] = {}
    for change in changes or (None,):
        after = _after(change, known, whole) if change else None
        if after is None or done.keys() & after.keys():
            # It may apply yet, by one of the more forgiving ways.
            return hashlib.sha256(normalise_patch(patch).encode("utf-8", "replace")).hexdigest()
        done |= after
    counting = [path for path in done if not _is_aside(path)]
    return "\n".join(f"{path} {done[path]}" for path in sorted(counting or done))


def _after(
    change: _Change, known: Mapping[str, Known], whole: Collection[str]
) -> dict[str, str] | None:
    """Return what becomes of the files of one change; None where its lines do not stand there."""
    source, target = change.source, change.target
    before = known.get(source, []) if source else []
    after = _applied(before, change.hunks)
    if after is None:
        return None
    is_whole = source is None or source in whole
    done = {source: "deleted"} if source and source != target else {}
    if target:
        now = fingerprint(target, _segments(after), whole=is_whole)
        was = fingerprint(target, _segments(before), whole=is_whole) if source == target else ""
        if now != was or change.attributes:
            done[target] = now + change.attributes
    return done


def _applied(lines: Known, hunks: Iterable[_Hunk]) -> Known | None:
    """Put hunks where their lines stand, nearest to where they say; None when they do not."""
    result: list[str | None] = []
    done = 0
    for hunk in hunks:
        place = _place(lines, hunk, done)
        if place is None:
            return None
        result += [*lines[done:place], *hunk.new]
        done = place + len(hunk.old)
    return [*result, *lines[done:]]


def _place(lines: Known, hunk: _Hunk, least: int) -> int | None:
    last = len(lines) - len(hunk.old)
    if least <= hunk.start <= last and lines[hunk.start : hunk.start + len(hunk.old)] == hunk.old:
        return hunk.start
    if not hunk.old:
        return hunk.start if least <= hunk.start <= last else None
    places = (
        place
        for place in range(least, last + 1)
        if lines[place] == hunk.old[0] and lines[place : place + len(hunk.old)] == hunk.old
    )
    return min(places, key=lambda place: abs(place - hunk.start), default=None)


def _segments(lines: Known) -> list[str]:
    """Return the runs of lines that are known, each as one text."""
    segments: list[list[str]] = [[]]
    for line in lines:
        if line is not None:
            segments[-1].append(line)
        elif segments[-1]:
            segments.append([])
    return ["\n".join(segment) for segment in segments if segment]


def _disclosed(patches: Iterable[list[_Change] | None]) -> dict[str, Known]:
    """Return the lines of files that patches show; where they disagree, as most of them say."""
    said: defaultdict[str, defaultdict[int, Counter[str]]] = defaultdict(
        lambda: defaultdict(Counter)
    )
    for changes in patches:
        for change in changes or ():
            if change.source is None:
                continue
            of_file = said[change.source]
            for hunk in change.hunks:
                for number, line in enumerate(hunk.old, start=hunk.start):
                    of_file[number][line] += 1
    return {
        path: [
            # Of equally many, one that does not depend on the order.
            max(lines[number].items(), key=lambda item: (item[1], item[0]))[0]
            if number in lines
            else None
            for number in range(max(lines, default=-1) + 1)
        ]
        for path, lines in said.items()
    }


def _changes(patch: str) -> list[_Change] | None:
    """Read a patch; None when it is no unified diff of texts."""
    try:
        files = PatchSet(patch if patch.endswith("\n") else f"{patch}\n")
    except UnidiffParseError:
        return None
    if not files or any(file.is_binary_file for file in files):
        return None
    return [_change(file) for file in files]


def _change(file: PatchedFile) -> _Change:
    # A file without a newline at its end becomes one with a last line as any other's.
    hunks = [
        _Hunk(
            max(hunk.source_start - (hunk.source_length > 0), 0),
            [line.value.removesuffix("\n") for line in hunk if line.is_context or line.is_removed],
            [line.value.removesuffix("\n") for line in hunk if line.is_context or line.is_added],
        )
        for hunk in file
    ]
    told = [line for line in (file.patch_info or ()) if str(line).startswith(_ATTRIBUTES)]
    return _Change(
        source=None if file.is_added_file else _path(file.source_file),
        target=None if file.is_removed_file else _path(file.target_file),
        hunks=hunks,
        attributes="".join(map(str, told)),
    )


def _path(name: str) -> str:
    return name.partition("/")[2] if name.startswith(("a/", "b/")) else name


def _is_aside(path: str) -> bool:
    """Whether a file is there for tests or readers only, by its name."""
    return is_test(path) or PurePosixPath(path).suffix.lower() in _PROSE
