"""Which patches of an issue do the same: the groups that a vote counts.

A patch is applied to what is known of the files: their texts where somebody read them, else the
lines that the patches themselves disclose, all of them together. What comes out is compared by
`eval.selection.canonical`, so that neither the spelling of a diff nor that of the code counts.
Files that only tests or readers look at count in a patch that changes no others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from unidiff.patch import PatchedFile

from agent.reading.relevance import is_test
from eval.selection.canonical import fingerprint
from sandbox.patch import MalformedPatchError, patch_digest, read_patch

Ints = NDArray[np.int64]

NONE = -1
"""The group of a candidate without a patch, or with one that changes nothing that counts."""

_PROSE = frozenset({".md", ".rst"})
_ATTRIBUTES = ("old mode", "new mode", "new file mode 1207", "new file mode 100755")
# Lines that nobody disclosed, between two that somebody did: more of them say no more.
_GAP = 200
# A patch of more lines is compared as a text.
_MOST_LINES = 1_000_000

# The lines of a file, without their newlines; None for one that nobody disclosed.
Known = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class _Hunk:
    # First line, counted from 0.
    start: int
    old: list[str]
    new: list[str]


@dataclass(frozen=True, slots=True)
class _Change:
    """What a patch does to one file."""

    # Paths; None for a file that is made or deleted.
    source: str | None
    target: str | None
    hunks: list[_Hunk]
    attributes: str


def behaviours(patches: Sequence[str], texts: Mapping[str, str] = MappingProxyType({})) -> Ints:
    """Return the group of each patch: equal numbers do the same, `NONE` does nothing.

    `texts` are the files of the repository by path, where they are known. The numbers follow from
    what the patches do, not from their order.
    """
    changes = {patch: _changes(patch) for patch in set(patches) if patch.strip()}
    changes = _gathered(changes, whole=texts.keys())
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
            return patch_digest(patch)
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


def _applied(lines: Known, hunks: Sequence[_Hunk]) -> Known | None:
    """Put hunks where their lines stand, nearest to where they say; None when they do not."""
    search = _Search(lines, hunks)
    result: list[str | None] = []
    done = 0
    for hunk in hunks:
        place = search.nearest(hunk, done)
        if place is None:
            return None
        result += lines[done:place]
        result += hunk.new
        done = place + len(hunk.old)
    return [*result, *lines[done:]]


class _Search:
    """Finds hunks in the lines of a file.

    Each line that a hunk looks for is one character, so that a place is found as a substring is.
    """

    def __init__(self, lines: Known, hunks: Iterable[_Hunk]) -> None:
        wanted = dict.fromkeys(line for hunk in hunks for line in hunk.old)
        letters: dict[str | None, str] = {
            line: chr(number) for number, line in enumerate(wanted, start=1)
        }
        self._letters = letters
        self._text = "".join([letters.get(line, "\0") for line in lines])

    def nearest(self, hunk: _Hunk, least: int) -> int | None:
        """Return the place nearest to where a hunk says, from line `least` on."""
        start, last = hunk.start, len(self._text) - len(hunk.old)
        if not hunk.old:
            return start if least <= start <= last else None
        old = "".join([self._letters[line] for line in hunk.old])
        after = self._text.find(old, max(start, least))
        before = self._text.rfind(old, least, max(start - 1 + len(old), 0)) if start > least else -1
        places = [place for place in (before, after) if place >= 0]
        return min(places, key=lambda place: abs(place - start), default=None)


def _segments(lines: Known) -> list[str]:
    """Return the runs of lines that are known, each as one text."""
    segments: list[list[str]] = [[]]
    for line in lines:
        if line is not None:
            segments[-1].append(line)
        elif segments[-1]:
            segments.append([])
    return ["\n".join(segment) for segment in segments if segment]


def _gathered(
    changes: Mapping[str, list[_Change] | None], *, whole: Collection[str]
) -> dict[str, list[_Change] | None]:
    """Number the lines of each file anew, so that few lie between those that patches show.

    What a patch says of its lines' numbers may be anything. Files that are known are left alone.
    """
    shown: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for change in _each(changes.values()):
        shown[change.source or ""] += (
            (one.start, one.start + len(one.old)) for one in change.hunks
        )
    numbers = {path: _renumbered(spans) for path, spans in shown.items() if path not in whole}

    def moved(change: _Change) -> _Change:
        if change.source is None or change.source in whole:
            return change
        starts = numbers[change.source]
        hunks = [replace(hunk, start=starts[hunk.start]) for hunk in change.hunks]
        return replace(change, hunks=hunks)

    return {
        patch: [moved(change) for change in of] if of is not None else None
        for patch, of in changes.items()
    }


def _renumbered(spans: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return the new number of each start of a span, at most `_GAP` after the end before it."""
    numbers: dict[int, int] = {}
    reached = shift = 0
    for start, end in sorted(spans):
        shift += max(start - reached - _GAP, 0)
        numbers[start] = start - shift
        reached = max(reached, end)
    return numbers


def _each(patches: Iterable[list[_Change] | None]) -> Iterable[_Change]:
    return (change for changes in patches for change in changes or ())


def _disclosed(patches: Iterable[list[_Change] | None]) -> dict[str, Known]:
    """Return the lines of files that patches show; where they disagree, as most of them say."""
    said: defaultdict[str, defaultdict[int, Counter[str]]] = defaultdict(
        lambda: defaultdict(Counter)
    )
    for change in _each(patches):
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
    if patch.count("\n") > _MOST_LINES:
        return None
    try:
        files = read_patch(patch if patch.endswith("\n") else f"{patch}\n")
    except MalformedPatchError:
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
