"""What a model is shown of a repository: a map of it, and the code that an issue is about.

Code is chosen piece by piece, by how relevant its file and the piece itself are, so that a small
prompt holds the functions in question and a large one whole files; or, when asked so, file by
file. The text is cut to a number of tokens, counted by a quick estimate; whoever sends it has it
counted by the model's tokenizer. What is left out is said where it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, takewhile

from agent.endpoint.estimate import estimate_tokens
from agent.reading.pieces import Piece, cut, headings, joined
from agent.reading.relevance import bm25, identifiers, is_code, is_test, mentions, ranked, tokens
from agent.reading.syntax import definitions

_MAP_SHARE = 0.1
# Of the tokens, for the map of the files that are not shown.
_WORTH = 0.1
# Share of the best file's score below which a file is only named in the map.
_MOST_FILES = 24
_NAMED, _CALLED, _TRACED = 1.0, 0.5, 2.0
# What it counts for a piece to be named by the issue, by a piece that the issue names, and by a
# stack trace, beside the scores of its file and of its words, which are at most 1 each.
_GAP_TOKENS = 8
_FILE_TOKENS = 16
# What a mark of omission and the frame around a file cost.
_MAPPED = 400
# Files that are parsed for the map.
_OVERSTATED = 1.7
# How far the safe estimate lies above what common tokenizers count in code.


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """A repository as a model is shown it."""

    text: str
    shown: tuple[str, ...]
    # Paths of the files of which at least a part is shown, the most relevant first.
    spans: Mapping[str, tuple[tuple[int, int], ...]]
    # Path -> the lines of it that are shown: the first and one past the last, counted from 0.


def likely_tokens(text: str) -> int:
    """Tokens of a text as they probably are, not as they are at most."""
    return int(estimate_tokens(text) / _OVERSTATED) + 1


def shortened(text: str, budget: int) -> str:
    """Cut the middle out of a text that is longer than about `budget` tokens."""
    kept = max(len(text) * max(budget, 0) // likely_tokens(text), 400)
    if kept >= len(text):
        return text
    return f"{text[: kept * 2 // 3]}\n... (cut) ...\n{text[-kept // 3 :]}"


def repository_context(
    statement: str,
    texts: Mapping[str, str],
    budget: int,
    *,
    order: Sequence[tuple[str, float]] = (),
    whole: bool = False,
    mapped: bool = True,
) -> Context:
    """Return the most relevant code, and a map unless not `mapped`, in about `budget` tokens.

    `order` has (path, score) of files, best first; by default as `ranked` has them. With `whole`,
    the best files and then the rest of the code are shown whole, up to the first file that does
    not fit; of the best that are left there are pieces.
    """
    order = order or ranked(statement, texts)
    order = order or [(path, 0.0) for path in sorted(texts) if is_code(path)]
    for_map = int(budget * _MAP_SHARE) if mapped else 0
    left = budget - for_map
    first = _whole(texts, order, left) if whole else []
    left -= sum(_whole_cost(texts[path]) for path in first)
    chosen, left = _choice(statement, texts, order, left, first)
    paths = all_paths(order, texts)
    shown = [path for path in paths if path in chosen]
    others = [path for path in paths if path not in chosen]
    other_files = files_map("Other files:", others, texts, left + for_map) if mapped else ""
    # Not fences: small models answer in the form in which they are shown code.
    files = (
        f'<file path="{path}">\n{joined(texts[path], chosen[path])}\n</file>\n' for path in shown
    )
    spans = {
        path: tuple(sorted((piece.start, piece.end) for piece in pieces))
        for path, pieces in chosen.items()
    }
    text = "\n".join([other_files, *files]).lstrip("\n")
    return Context(text=text, shown=tuple(shown), spans=spans)


def all_paths(order: Sequence[tuple[str, float]], texts: Mapping[str, str]) -> list[str]:
    """Return every path: those of `order` as they stand there, then the others, tests last."""
    first = [path for path, _ in order]
    rest = texts.keys() - set(first)
    return first + sorted(rest, key=lambda path: (is_test(path), path))


def files_map(title: str, paths: Sequence[str], texts: Mapping[str, str], budget: int) -> str:
    """Return a line a file with what it defines, in the order of `paths`, cut to the budget."""
    if not paths:
        return ""
    out = [title]
    for number, path in enumerate(paths):
        is_mapped = number < _MAPPED and path.endswith(".py") and not is_test(path)
        names = (definitions(texts[path]) if is_mapped else None) or ()
        top = [item.name for item in names if "." not in item.name]
        line = f"{path}: {', '.join(top)}" if top else path
        cost = likely_tokens(line) + 1
        if cost > budget - _FILE_TOKENS:
            out.append(f"... and {len(paths) - number} more files")
            break
        out.append(line)
        budget -= cost
    return "\n".join(out) + "\n"


def _whole(texts: Mapping[str, str], order: Sequence[tuple[str, float]], budget: int) -> list[str]:
    """Return the best files and then the rest of the code, up to the first that does not fit."""
    code = (path for path in all_paths(order, texts) if is_code(path) and not is_test(path))
    paths = dict.fromkeys([*_worth_showing(order), *code])
    costs = accumulate(_whole_cost(texts[path]) for path in paths)
    return list(islice(paths, sum(1 for _ in takewhile(lambda cost: cost <= budget, costs))))


def _whole_cost(text: str) -> int:
    return likely_tokens(text) + _FILE_TOKENS


def _worth_showing(order: Sequence[tuple[str, float]]) -> list[str]:
    best = max((score for _, score in order), default=0.0)
    return [path for path, score in order[:_MOST_FILES] if score >= _WORTH * best]


def _choice(
    statement: str,
    texts: Mapping[str, str],
    order: Sequence[tuple[str, float]],
    budget: int,
    whole: Sequence[str],
) -> tuple[dict[str, set[Piece]], int]:
    """Return the pieces to show of each file, all of `whole`, and the tokens left over."""
    best = max((score for _, score in order), default=0.0)
    worth = _worth_showing(order)
    files = {path: cut(texts[path]) for path in dict.fromkeys([*worth, *whole])}
    pieces = [(path, piece) for path in worth for piece in files[path]]
    values = _values(
        statement, texts, {path: score / (best or 1.0) for path, score in order}, pieces
    )
    chosen = {path: set(files[path]) for path in whole}
    for number in sorted(range(len(pieces)), key=lambda number: (-values[number], number)):
        path, piece = pieces[number]
        there = chosen.get(path, set())
        wanted = {piece, *headings(files[path], piece)} - there
        cost = sum(likely_tokens(item.text) + _GAP_TOKENS for item in wanted)
        cost += 0 if there else _FILE_TOKENS
        if cost <= budget:
            chosen[path] = there | wanted
            budget -= cost
    return chosen, budget


def _values(
    statement: str,
    texts: Mapping[str, str],
    of_file: Mapping[str, float],
    pieces: Sequence[tuple[str, Piece]],
) -> list[float]:
    named = mentions(statement, texts)
    scores = bm25(tokens(statement), [tokens(piece.text) for _, piece in pieces])
    most = max(scores, default=0.0) or 1.0
    called = {
        word
        for _, piece in pieces
        if piece.simple_name in named.names
        for word in identifiers(piece.text)
    }
    return [
        of_file[path]
        + score / most
        + _NAMED * (piece.simple_name in named.names)
        + _CALLED * (piece.simple_name in called)
        + _TRACED * any(piece.start < line <= piece.end for line in named.frames.get(path, ()))
        for (path, piece), score in zip(pieces, scores, strict=True)
    ]
