"""Which files and lines of a repository an issue is most likely about.

What the issue names counts most: paths, frames of a stack trace, modules, functions and classes.
The rest is BM25 over the code, with identifiers taken apart. Tests rank lower than code, and prose
lower still. The same issue and repository always give the same order.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_LONGEST = 200_000
# Characters of one file that are indexed.
_PATH_NAMED, _FRAME, _LAST_FRAME, _MODULE_NAMED, _DEFINES = 2.0, 1.5, 0.5, 1.0, 1.0
# What each counts beside BM25, which is scaled to at most 1.
_MOST_DEFINING = 2.0
_TOO_MANY = 10
# Files that share a name past which the name points to none of them.
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "spec", "specs", "__tests__"})
_TEST, _ONLY_NAMES, _PROSE = 0.3, 0.3, 0.15
# Code that defines nothing passes on what other files define.

_CODE = re.compile(
    r"\.(?:py[ix]?|[cm]?[jt]sx?|vue|cc?|cpp|cxx|hh?|hpp|cs|go|rs|rb|java|kts?|scala|swift|php|pl|lua"
    r"|r|jl|exs?|erl|hs|ml|sh|bash|sql)",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_DEFINITION = re.compile(
    r"^[ \t]*(?:export\s+|pub\s+|async\s+|static\s+)*"
    r"(?:def|class|func|function|fn|struct|interface|trait|type|module)\s+([A-Za-z_]\w+)",
    re.MULTILINE,
)
_PATH = re.compile(r"(?<![\w.@+\-/\\])[\w.@+\-/\\]*\w\.\w{1,8}\b")
_FRAME_LINE = re.compile(r'File "([^"\n]+)", line (\d{1,9})|([\w./\-]+\.\w{1,5}):(\d{1,9})\b')
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|(?<=\bfrom )\w+|(?<=\bimport )\w+")
_CODE_TEXT = re.compile(
    r"```[\s\S]*?```|`[^`\n]+`|^(?:>>>|\.\.\.|    ).*$|\b[A-Za-z_]\w*(?=\()"
    r"|\b[A-Za-z0-9]*_\w+|\b[A-Z]*[a-z0-9]+[A-Z]\w*",
    re.MULTILINE,
)
_STOP = re.compile(
    r"an?|and|are|as|at|be|but|by|can|do|does|for|from|has|have|if|in|into|is|its?|me|my|no|not|of"
    r"|on|or|so|than|that|the|then|there|this|too?|was|we|what|when|where|which|with|you"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mentions:
    """What an issue names, as far as the repository has it."""

    names: frozenset[str]
    # Identifiers that stand in code or look like code.
    frames: Mapping[str, frozenset[int]]
    # Path -> the lines that a stack trace gives, counted from 1.


def mentions(statement: str, texts: Mapping[str, str]) -> Mentions:
    """Read an issue for names and for frames of stack traces."""
    names = {name for code in _CODE_TEXT.findall(statement) for name in identifiers(code)}
    frames = defaultdict(set)
    for path, line in _frames(statement):
        for known in _ending_in(path, texts):
            frames[known].add(line)
    return Mentions(
        names=frozenset(names), frames={path: frozenset(lines) for path, lines in frames.items()}
    )


def ranked(statement: str, texts: Mapping[str, str]) -> list[tuple[str, float]]:
    """Return (path, score) of the files that have anything to do with an issue, best first."""
    scores = defaultdict(float)
    named = _named_scores(statement, texts)
    paths = sorted(path for path in texts if is_code(path) or path in named)
    documents = [[*tokens(path), *tokens(texts[path][:_LONGEST])] for path in paths]
    matching = bm25(tokens(statement), documents)
    most = max(matching, default=0.0) or 1.0
    for path, score in zip(paths, matching, strict=True):
        weight = 1.0 if is_code(path) else _PROSE
        weight *= _TEST if is_test(path) else 1.0
        if is_code(path) and not _DEFINITION.search(texts[path], 0, _LONGEST):
            weight *= _ONLY_NAMES
        scores[path] = round(weight * (score / most + named.get(path, 0.0)), 6)
    found = [(path, score) for path, score in scores.items() if score > 0]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def meant_by(name: str, texts: Mapping[str, str]) -> list[str]:
    """Return the files that a path can mean, in part or with folders of elsewhere, or a module."""
    return _ending_in(name, texts) or _of_module(name, texts)


def identifiers(text: str) -> list[str]:
    """Return what may be names in a text, in its order, words of prose among them."""
    found: list[str] = _IDENTIFIER.findall(text)
    return found


def tokens(text: str) -> list[str]:
    """Return the words of a text, every compound identifier also in its parts."""
    return [part for name in identifiers(text) for part in _split(name)]


def bm25(query: Sequence[str], documents: Sequence[Sequence[str]]) -> list[float]:
    """Score every document; 0 for all when nothing can match."""
    wanted = sorted(set(query))
    known = {token for document in documents for token in document}
    wanted = [token for token in wanted if token in known]
    if not wanted:
        return [0.0] * len(documents)
    from bm25s import BM25

    index = BM25()
    index.index([list(document) for document in documents], show_progress=False)
    return [float(score) for score in index.get_scores(wanted)]


def is_test(path: str) -> bool:
    """Tell whether a path belongs to a test suite, by its usual names."""
    *folders, file = path.lower().split("/")
    name = file.partition(".")[0]
    return (
        not _TEST_FOLDERS.isdisjoint(folders)
        or name.startswith("test_")
        or name.endswith(("_test", "_spec"))
        or name in {"tests", "conftest"}
    )


def is_code(path: str) -> bool:
    """Tell whether a path is a program's, by its ending."""
    return _CODE.fullmatch(posixpath.splitext(path)[1]) is not None


@lru_cache(maxsize=200_000)
def _split(name: str) -> tuple[str, ...]:
    parts = [part.lower() for part in _HUMP.findall(name)]
    whole = name.strip("_").lower()
    words = parts if parts == [whole] or not whole else [whole, *parts]
    return tuple(word for word in words if len(word) > 1 and not _STOP.fullmatch(word))


def _named_scores(statement: str, texts: Mapping[str, str]) -> dict[str, float]:
    scores: dict[str, float] = defaultdict(float)

    def credit(paths: Iterable[str], amount: float) -> None:
        paths = list(paths)
        if len(paths) <= _TOO_MANY:
            for path in paths:
                scores[path] += amount / len(paths)

    for path in sorted({found.replace("\\", "/") for found in _PATH.findall(statement)}):
        credit(_ending_in(path, texts), _PATH_NAMED)
    frames = [found for path, _ in _frames(statement) if (found := _ending_in(path, texts))]
    for paths in frames:
        credit(paths, _FRAME / len(frames))
    if frames:
        credit(frames[-1], _LAST_FRAME)
    for module in sorted(set(_DOTTED.findall(statement))):
        credit(_of_module(module, texts), _MODULE_NAMED)
    for path, amount in _defining(mentions(statement, texts).names, texts).items():
        scores[path] += min(amount, _MOST_DEFINING)
    return scores


def _frames(statement: str) -> list[tuple[str, int]]:
    return [
        (path or other, int(line or number))
        for path, line, other, number in _FRAME_LINE.findall(statement)
    ]


def _ending_in(named: str, texts: Mapping[str, str]) -> list[str]:
    """Return the paths that a named path can mean; an installed one loses its outer folders."""
    parts = [part for part in named.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    for start in range(len(parts)):
        tail = "/".join(parts[start:])
        if tail in texts:
            return [tail]
        found = sorted(path for path in texts if path.endswith("/" + tail))
        if found:
            return found
    return []


def _of_module(dotted: str, texts: Mapping[str, str]) -> list[str]:
    """Return the files of `a.b.c`, or of `a.b` when c is something that it defines."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        stem = "/".join(parts[:end])
        for tail in (f"{stem}.py", f"{stem}/__init__.py"):
            found = sorted(p for p in texts if p == tail or p.endswith("/" + tail))
            if found and (end > 1 or len(parts) == 1):
                return found
    return []


def _defining(names: frozenset[str], texts: Mapping[str, str]) -> dict[str, float]:
    """Return how much each file defines of what was named; what is rare counts more."""
    where = defaultdict(set)
    for path, text in texts.items():
        if is_code(path) and not is_test(path):
            for name in _DEFINITION.findall(text[:_LONGEST]):
                if name in names:
                    where[name].add(path)
    scores: dict[str, float] = defaultdict(float)
    for name in sorted(where):
        if len(where[name]) <= _TOO_MANY:
            for path in where[name]:
                scores[path] += _DEFINES / len(where[name])
    return scores
