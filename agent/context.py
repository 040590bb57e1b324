"""What a model is shown of a repository: a map of it, and the files an issue is about.

The text is cut to a number of tokens, counted by a quick estimate; whoever sends it has it counted
by the model's tokenizer. What is left out is said where it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.estimate import estimate_tokens
from agent.relevance import Mentions, bm25, is_code, is_test, mentions, ranked, tokens
from agent.syntax import Definition, definitions

_MAP_SHARE = 0.15
# Of the tokens, for the map of the files that are not shown.
_LEAST = 60
# Tokens below which a piece of a file is not worth its heading.
_FIRST_SHARE = 0.6
# Of the tokens, for one file that has to be cut, so that it does not crowd out the next.
_WORTH = 0.1
# Share of the best file's score below which a file is only named in the map.
_MOST_FILES = 24
_MAPPED = 400
# Files that are parsed for the map.
_CHUNK = 24
# Lines of a piece where the syntax is not known, or a function is longer than twice that.


_OVERSTATED = 1.7
# How far the safe estimate lies above what common tokenizers count in code.


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """A repository as a model is shown it."""

    text: str
    shown: tuple[str, ...]
    # Paths of the files of which at least a part is shown, the most relevant first.


def likely_tokens(text: str) -> int:
    """Tokens of a text as they probably are, not as they are at most."""
    return int(estimate_tokens(text) / _OVERSTATED) + 1


def repository_context(statement: str, texts: Mapping[str, str], budget: int) -> Context:
    """Return the map and the most relevant files within about `budget` tokens."""
    order = ranked(statement, texts) or [(path, 0.0) for path in sorted(texts) if is_code(path)]
    named = mentions(statement, texts)
    left = budget - int(budget * _MAP_SHARE)
    shown: dict[str, str] = {}
    best = order[0][1] if order else 0.0
    for path, score in order[:_MOST_FILES]:
        if score < _WORTH * best:
            break
        section = _section(path, texts[path])
        if likely_tokens(section) > left:
            room = min(left, int(budget * _FIRST_SHARE))
            cut = excerpt(path, texts[path], statement, named, room - _LEAST)
            section = _section(path, cut) if cut else ""
        if section and likely_tokens(section) <= left:
            shown[path] = section
            left -= likely_tokens(section)
    others = [path for path, _ in order if path not in shown]
    others += sorted(
        texts.keys() - shown.keys() - set(others), key=lambda path: (is_test(path), path)
    )
    files_map = _map(others, texts, left + int(budget * _MAP_SHARE))
    return Context(text="\n".join([files_map, *shown.values()]).lstrip("\n"), shown=tuple(shown))


def excerpt(path: str, text: str, statement: str, named: Mentions, budget: int) -> str:
    """Return the pieces of a file that an issue is most likely about, within about `budget`.

    "" when not even one piece fits.
    """
    lines = text.split("\n")
    cut = _pieces(text, len(lines))
    pieces = [piece for piece in cut if any(map(str.strip, lines[piece[0] : piece[1]]))]
    scores = bm25(tokens(statement), [tokens("\n".join(lines[a:b])) for a, b, _ in pieces])
    most = max(scores, default=0.0) or 1.0
    traced = named.frames.get(path, frozenset())
    value = {
        number: scores[number] / most
        + (name.rpartition(".")[2] in named.names)
        + 2 * any(start < line <= end for line in traced)
        for number, (start, end, name) in enumerate(pieces)
    }
    kept: set[int] = set()
    for number in sorted(value, key=lambda number: (-value[number], number)):
        wanted = {number, *_headings(pieces, number)} - kept
        cost = sum(
            likely_tokens("\n".join(lines[a:b])) + 8
            for a, b, _ in (pieces[item] for item in wanted)
        )
        if cost <= budget:
            kept |= wanted
            budget -= cost
    return _with_gaps(lines, [pieces[number][:2] for number in sorted(kept)]) if kept else ""


def _section(path: str, text: str) -> str:
    # Not a fence: small models answer in the form in which they are shown code.
    return f'<file path="{path}">\n{text.rstrip()}\n</file>\n'


_Piece = tuple[int, int, str]
# First line, one past the last (from 0), and the definition it belongs to, "" for none.


def _pieces(text: str, count: int) -> Iterator[_Piece]:
    """Cut a file into its functions, the heads of its classes and what stands between them."""
    at = 0
    classes: list[Definition] = []
    for item, following in pairwise([*(definitions(text) or []), None]):
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
    """Return "Class." for a line of a class that belongs to none of its methods."""
    owner = next((item for item in reversed(classes) if item.start <= line < item.end), None)
    return f"{owner.name}." if owner else ""


def _chunks(start: int, end: int, name: str) -> Iterator[_Piece]:
    """Cut what is long; a short rest stays with its neighbour."""
    while end - start > 2 * _CHUNK:
        yield start, start + _CHUNK, name
        start += _CHUNK
    if end > start:
        yield start, end, name


def _headings(pieces: Sequence[_Piece], number: int) -> list[int]:
    """Return the pieces that hold the `class` lines above a method."""
    outer = pieces[number][2].rpartition(".")[0]
    heads: dict[str, int] = {}
    for above, (_, _, name) in enumerate(pieces[:number]):
        if name and (outer == name or outer.startswith(f"{name}.")):
            heads.setdefault(name, above)
    return list(heads.values())


def _with_gaps(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> str:
    out: list[str] = []
    at = 0
    for start, end in [*spans, (len(lines), len(lines))]:
        left_out = sum(bool(line.strip()) for line in lines[at:start])
        if left_out:
            out = [*_trimmed(out), "", f"# ... {left_out} lines are not shown ...", ""]
            out += _trimmed(lines[start:end])
        else:
            out += lines[at:end]
        at = end
    return "\n".join(out).strip("\n")


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Drop the blank lines at both ends."""
    inked = [number for number, line in enumerate(lines) if line.strip()]
    return list(lines[inked[0] : inked[-1] + 1]) if inked else []


def _map(paths: Sequence[str], texts: Mapping[str, str], budget: int) -> str:
    """Return a line a file, with what it defines: the most relevant first, cut to the budget."""
    if not paths:
        return ""
    out = ["Other files:"]
    for number, path in enumerate(paths):
        names = definitions(texts[path]) if number < _MAPPED and path.endswith(".py") else None
        top = [item.name for item in names or [] if "." not in item.name and not is_test(path)]
        line = f"{path}: {', '.join(top)}" if top else path
        cost = likely_tokens(line) + 1
        if cost > budget - _LEAST // 2:
            out.append(f"... and {len(paths) - number} more files")
            break
        out.append(line)
        budget -= cost
    return "\n".join(out) + "\n"
