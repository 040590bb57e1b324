"""Where in a file the lines of a SEARCH text stand, and what the file is after their replacement.

The text is looked for as it is, then without trailing blanks, then by its words alone, then by
likeness; before the last step, line numbers and "..." that a model copied along are
taken off. Lines that the model left alone keep what the file says, so drift in what it copied does
not reach the file, and lines that it wrote are indented as the file is.

Lines come without their newline; a carriage return at their end is theirs. Time is bounded: lines
are compared whole wherever there are many, and character by character only for a few candidates.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_LIKE = 0.85
# Mean likeness of the lines from which a place counts as the one that was meant.
_AHEAD = 0.02
# How much likelier the best place must be than the next.
_CANDIDATES = 8
_COMMON = 200
# A line that stands in a file more often than this says nothing about the place.
_LONG_LINE = 400
_LONG_TEXT = 20_000
# Characters of a search text past which likeness is not looked for.
_SCANNED = 20_000
# Lines of a file that one line is compared with by character.
_DEAR = 400_000
# Pairs of equal lines past which two texts are not aligned.

_NUMBERED = re.compile(r"\s*\d+\s*(?:[|:]|\t| {2,})[ ]?")
_ELISION = re.compile(r"\s*(?:#|//)?\s*(?:\.{3}|…).{0,80}$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A file after one replacement."""

    lines: list[str]
    note: str
    # What had to be forgiven, "" when the text stood there exactly once.


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    end: int
    pairs: dict[int, int]
    # Number of a search line -> number of the file's line, for every line that is not blank.


def replace_lines(
    lines: Sequence[str],
    search: Sequence[str],
    replace: Sequence[str],
    *,
    near: int = 0,
    drift: bool = True,
) -> Placed | None:
    """Find `search` in `lines` and put `replace` there; None when it has no clear place.

    Where it stands more than once, the place nearest to line `near` (counted from 1) is taken, or
    the first. With `drift` false, only the text as it is will do.
    """
    search, replace = _trimmed(search), _trimmed(replace)
    if not search:
        return None
    if not drift:
        return _exactly(lines, search, replace, near, _EXACTNESS[:1])
    return (
        _exactly(lines, search, replace, near, _EXACTNESS)
        or _without_numbers(lines, search, replace, near)
        or _in_parts(lines, search, replace, near)
        or _likeliest(lines, search, replace)
    )


def _key_exact(line: str) -> str:
    return line.removesuffix("\r")


def _key_words(line: str) -> str:
    return " ".join(line.split())


_Exactness = tuple[str, Callable[[str], str], bool]
# What is forgiven, what of a line is compared, and whether blank lines count.

_EXACTNESS: tuple[_Exactness, ...] = (
    ("", _key_exact, True),
    ("trailing blanks differed", str.rstrip, True),
    ("blanks or empty lines differed", _key_words, False),
)


def _exactly(
    lines: Sequence[str],
    search: Sequence[str],
    replace: Sequence[str],
    near: int,
    exactness: Sequence[_Exactness],
) -> Placed | None:
    for forgiven, key, blanks in exactness:
        places = _places(lines, search, key, blanks=blanks)
        if places:
            best = min(places, key=lambda place: abs(place.start + 1 - near) if near else 0)
            notes = [forgiven] if forgiven else []
            if len(places) > 1:
                notes.append(f"the SEARCH text stands in {len(places)} places, one was taken")
            return Placed(lines=_rebuilt(lines, best, search, replace), note="; ".join(notes))
    return None


def _places(
    lines: Sequence[str], search: Sequence[str], key: Callable[[str], str], *, blanks: bool
) -> list[_Place]:
    """Return every place where the keys of the lines are those of the search text."""
    searched = [number for number, line in enumerate(search) if blanks or line.strip()]
    kept = [number for number, line in enumerate(lines) if blanks or line.strip()]
    wanted = [key(search[number]) for number in searched]
    # One character a distinct line turns this into a substring search, which is linear.
    letters = {line: chr(1 + number) for number, line in enumerate(dict.fromkeys(wanted))}
    needle = "".join([letters[line] for line in wanted])
    hay = "".join([letters.get(key(lines[number]), "\0") for number in kept])
    places: list[_Place] = []
    at = hay.find(needle)
    while at >= 0 and len(places) < _COMMON:
        found = kept[at : at + len(needle)]
        pairs = {s: f for s, f in zip(searched, found, strict=True) if search[s].strip()}
        places.append(_Place(found[0], found[-1] + 1, pairs))
        at = hay.find(needle, at + 1)
    return places


def _without_numbers(
    lines: Sequence[str], search: Sequence[str], replace: Sequence[str], near: int
) -> Placed | None:
    if not all(_NUMBERED.match(line) for line in search if line.strip()):
        return None
    search = [_NUMBERED.sub("", line, count=1) for line in search]
    replace = [_NUMBERED.sub("", line, count=1) for line in replace]
    return _exactly(lines, search, replace, near, _EXACTNESS) or _likeliest(lines, search, replace)


def _in_parts(
    lines: Sequence[str], search: Sequence[str], replace: Sequence[str], near: int
) -> Placed | None:
    """Take "..." lines as cuts: every part of the one text has its counterpart in the other."""
    searched, replaced = _parts(search), _parts(replace)
    if len(searched) != len(replaced) or not any(map(_ELISION.match, search)):
        return None
    current = list(lines)
    for old, new in zip(searched, replaced, strict=True):
        if old != new:
            placed = _exactly(current, old, new, near, _EXACTNESS)
            placed = placed or _likeliest(current, old, new)
            if placed is None:
                return None
            current = placed.lines
    return Placed(lines=current, note='"..." stood for lines of the file')


def _parts(text: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in text:
        if _ELISION.match(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return [part for part in map(_trimmed, parts) if part]


def _likeliest(
    lines: Sequence[str], search: Sequence[str], replace: Sequence[str]
) -> Placed | None:
    """Place the text where its lines are most like the file's, if one place stands out."""
    kept = [number for number, line in enumerate(lines) if line.strip()]
    searched = [number for number, line in enumerate(search) if line.strip()]
    wanted = [search[number].strip()[:_LONG_LINE] for number in searched]
    if sum(map(len, wanted)) > _LONG_TEXT:
        return None
    there = [lines[number].strip()[:_LONG_LINE] for number in kept]
    scored = []
    for start in _candidates(there, wanted):
        weights = [len(line) for line in wanted]
        likeness = sum(
            weight * _ratio(line, there[start + offset])
            for offset, (line, weight) in enumerate(zip(wanted, weights, strict=True))
        ) / sum(weights)
        scored.append((likeness, start))
    scored.sort(reverse=True)
    if not scored or scored[0][0] < _LIKE:
        return None
    if len(scored) > 1 and scored[0][0] - scored[1][0] < _AHEAD:
        return None
    found = kept[scored[0][1] : scored[0][1] + len(searched)]
    place = _Place(found[0], found[-1] + 1, dict(zip(searched, found, strict=True)))
    note = f"the SEARCH text was only like the file ({scored[0][0]:.0%})"
    return Placed(lines=_rebuilt(lines, place, search, replace), note=note)


def _candidates(there: list[str], wanted: list[str]) -> list[int]:
    """Return the starts worth a closer look: those where most whole lines agree."""
    where = defaultdict(list)
    for number, line in enumerate(there):
        where[line].append(number)
    votes: Counter[int] = Counter()
    for offset, line in enumerate(wanted):
        numbers = where.get(line, [])
        if len(numbers) <= _COMMON:
            votes.update(number - offset for number in numbers)
    last = len(there) - len(wanted)
    if votes:
        ranked = sorted(votes.items(), key=lambda item: (-item[1], item[0]))
        return [start for start, _ in ranked if 0 <= start <= last][:_CANDIDATES]
    # Not one line agrees: follow the longest, which says most.
    offset = max(range(len(wanted)), key=lambda number: len(wanted[number]), default=0)
    if last < 0 or len(there) > _SCANNED:
        return []
    ratios = (
        (_ratio(wanted[offset], there[start + offset], at_least=_LIKE / 2), start)
        for start in range(last + 1)
    )
    return [start for _, start in sorted(ratios, reverse=True)[:_CANDIDATES]]


def _ratio(one: str, other: str, *, at_least: float = 0.0) -> float:
    if one == other:
        return 1.0
    matcher = SequenceMatcher(None, other, one, autojunk=False)
    if matcher.real_quick_ratio() < at_least or matcher.quick_ratio() < at_least:
        return 0.0
    return matcher.ratio()


def _rebuilt(
    lines: Sequence[str], place: _Place, search: Sequence[str], replace: Sequence[str]
) -> list[str]:
    """Return the file with the place rewritten; lines common to both texts stay as they are."""
    shift = _Indentation(lines, place, search)
    ending = "\r" if sum(line.endswith("\r") for line in lines) * 2 > len(lines) else ""
    new: list[str] = []
    for tag, i1, i2, j1, j2 in _changes(search, replace):
        if tag == "equal":
            new += _kept(lines, place, range(i1, i2))
            continue
        same_count = i2 - i1 == j2 - j1
        for j in range(j1, j2):
            line = shift.applied(replace[j].rstrip("\r"), i1 + j - j1 if same_count else None)
            new.append(line + ending)
    return [*lines[: place.start], *new, *lines[place.end :]]


def _changes(
    search: Sequence[str], replace: Sequence[str]
) -> Iterator[tuple[str, int, int, int, int]]:
    old, new = [line.rstrip() for line in search], [line.rstrip() for line in replace]
    counts = Counter(new)
    if sum(counts[line] for line in old) > _DEAR:
        yield ("equal" if old == new else "replace"), 0, len(old), 0, len(new)
        return
    yield from SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _kept(lines: Sequence[str], place: _Place, numbers: range) -> list[str]:
    """Return the file's lines for a run of search lines, with the file's own blank lines."""
    inked = [number for number in numbers if number in place.pairs]
    if not inked:
        return [""] * len(numbers)
    first, last = inked[0], inked[-1]
    run = list(lines[place.pairs[first] : place.pairs[last] + 1])
    return [""] * (first - numbers.start) + run + [""] * (numbers.stop - 1 - last)


class _Indentation:
    """How a model's indentation becomes the file's, learnt from the lines that were found."""

    def __init__(self, lines: Sequence[str], place: _Place, search: Sequence[str]) -> None:
        self._search = search
        self._file = {number: _indent(lines[found]) for number, found in place.pairs.items()}
        self._known: dict[str, str] = {}
        for number, indent in self._file.items():
            self._known.setdefault(_indent(search[number]), indent)

    def applied(self, line: str, counterpart: int | None) -> str:
        """Return the line re-indented; `counterpart` is the search line it takes the place of."""
        if not line.strip():
            return ""
        indent, text = _indent(line), line.lstrip()
        if counterpart in self._file and _indent(self._search[counterpart]) == indent:
            return self._file[counterpart] + text
        if indent in self._known:
            return self._known[indent] + text
        outer = max((known for known in self._known if indent.startswith(known)), default=None)
        if outer is not None:
            return self._known[outer] + indent[len(outer) :] + text
        # Less indented than anything searched for: move it by as much as the outermost line.
        nearest = min(self._known, key=len)
        width = len(indent) + len(self._known[nearest]) - len(nearest)
        return (self._known[nearest] + indent)[: max(width, 0)] + text


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _trimmed(text: Sequence[str]) -> list[str]:
    """Drop the blank lines at both ends."""
    inked = [number for number, line in enumerate(text) if line.strip()]
    return list(text[inked[0] : inked[-1] + 1]) if inked else []
