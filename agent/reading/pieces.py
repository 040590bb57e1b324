"""A file cut into the pieces that make sense to show alone, and put together from some of them.

A piece is a function, the head of a class (down to its first method), or what stands between
them; where the syntax is not known, and where a function is long, some two dozen lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.reading.syntax import Definition, definitions

_CHUNK = 24
# Lines of a piece where nothing better is known.
_SHORT = 2
# Lines that are shown rather than counted.


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Some lines of a file, not all of them blank."""

    start: int
    end: int
    # First line and one past the last, counted from 0.
    name: str
    # The qualified name of its definition; "Class." for what is in a class but in none of its
    # methods, "" outside of all definitions.
    text: str

    @property
    def simple_name(self) -> str:
        """The name without its classes."""
        return self.name.rpartition(".")[2]


def cut(text: str) -> list[Piece]:
    """Cut a file; the pieces follow each other, and only blank lines belong to none."""
    lines = text.split("\n")
    return [
        Piece(start=start, end=end, name=name, text="\n".join(lines[start:end]))
        for start, end, name in _spans(text, len(lines))
        if any(map(str.strip, lines[start:end]))
    ]


def headings(pieces: Sequence[Piece], piece: Piece) -> list[Piece]:
    """Return the pieces with the `class` lines above a method."""
    outer = piece.name.rpartition(".")[0]
    heads: dict[str, Piece] = {}
    for above in pieces:
        if above.start >= piece.start or not outer:
            break
        if above.name and (outer == above.name or outer.startswith(f"{above.name}.")):
            heads.setdefault(above.name, above)
    return list(heads.values())


def joined(text: str, pieces: Iterable[Piece]) -> str:
    """Return a file of which only some pieces are shown, and what is left out is counted."""
    lines = text.split("\n")
    out: list[str] = []
    at = 0
    spans = sorted((piece.start, piece.end) for piece in pieces)
    for start, end in [*spans, (len(lines), len(lines))]:
        left_out = sum(bool(line.strip()) for line in lines[at:start])
        if left_out > _SHORT:
            out = [*_trimmed(out), "", f"# ... {left_out} lines are not shown ...", ""]
            out += _trimmed(lines[start:end])
        else:
            out += lines[at:end]
        at = end
    return "\n".join(out).strip("\n")


def _spans(text: str, count: int) -> Iterator[tuple[int, int, str]]:
    at = 0
    classes: list[Definition] = []
    for item, following in pairwise([*(definitions(text) or ()), None]):
        if item is None or item.start < at:
            continue  # stands on a line that was cut already
        yield from _chunks(at, item.start, _owner(classes, at))
        at = item.end
        if item.is_class:
            classes.append(item)
            if following and following.name.startswith(f"{item.name}."):
                at = max(following.start, item.line + 1)
        yield from _chunks(item.start, at, item.name)
    yield from _chunks(at, count, _owner(classes, at))


def _owner(classes: Sequence[Definition], line: int) -> str:
    owner = next((item for item in reversed(classes) if item.start <= line < item.end), None)
    return f"{owner.name}." if owner else ""


def _chunks(start: int, end: int, name: str) -> Iterator[tuple[int, int, str]]:
    """Cut what is long; a short rest stays with its neighbour."""
    while end - start > 2 * _CHUNK:
        yield start, start + _CHUNK, name
        start += _CHUNK
    if end > start:
        yield start, end, name


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Drop the blank lines at both ends."""
    inked = [number for number, line in enumerate(lines) if line.strip()]
    return list(lines[inked[0] : inked[-1] + 1]) if inked else []
