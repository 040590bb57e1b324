"""Texts by what they do: two with one fingerprint differ in nothing that a program would notice.

A Python file counts by the bytecode that it compiles to, without its docstrings and with its
imports sorted; any other text, and a part of a file, by its tokens without the comments. That two
programs of unlike fingerprints behave differently is not said: there are more ways to write one.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from types import CodeType

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_for_filename
from pygments.token import Comment, Punctuation, String
from pygments.util import ClassNotFound

from agent.reading.syntax import parse_python

_OPENING, _CLOSING = "([{", ")]}"


def fingerprint(path: str, segments: Sequence[str], *, whole: bool) -> str:
    """Return the SHA-256 (hex) of a file as it counts; `segments` are the parts that are known.

    `whole` says that they are one, and all of it.
    """
    program = _program("".join(segments)) if whole and path.endswith(".py") else None
    name = path.rpartition("/")[2]
    counts = program or "\0".join("\n".join(_lines(name, text)) for text in segments)
    return hashlib.sha256(counts.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=256)
def _program(text: str) -> str | None:
    """Return what a Python text compiles to, None where Python would not take it."""
    tree = parse_python(text)
    if tree is None:
        return None
    try:
        for node in ast.walk(tree):
            _simplify(node)
        for node in ast.walk(ast.fix_missing_locations(tree)):
            if hasattr(node, "lineno"):
                # Some Pythons keep lines in the code of a class.
                vars(node).update(lineno=1, end_lineno=1, col_offset=0, end_col_offset=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _code(compile(tree, "", "exec", dont_inherit=True, optimize=0))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _simplify(node: ast.AST) -> None:
    """Take docstrings and the order of imports out of one node."""
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if isinstance(body, list):
            done = _with_sorted_imports([one for one in body if not _is_said(one)])
            setattr(node, name, done or [ast.Pass()] if body else [])


def _is_said(node: ast.stmt) -> bool:
    """Whether a statement is a text by itself, as a docstring is."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _with_sorted_imports(body: list[ast.stmt]) -> list[ast.stmt]:
    """Take runs of imports apart, name by name, and sort each run."""
    tidied: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.Import):
            tidied += (ast.Import(names=[alias]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            tidied += (
                ast.ImportFrom(module=node.module, names=[alias], level=node.level)
                for alias in node.names
            )
        else:
            tidied.append(node)
    return [
        node
        for is_import, run in itertools.groupby(tidied, _is_import)
        for node in (sorted(run, key=_place_of_import) if is_import else run)
    ]


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _place_of_import(node: ast.stmt) -> tuple[bool, str]:
    # Those of __future__ have to come first.
    return getattr(node, "module", None) != "__future__", ast.dump(node)


def _code(code: CodeType) -> str:
    """Return all that matters of a code object: names of locals and numbers of lines do not."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    arguments += bool(code.co_flags & 4) + bool(code.co_flags & 8)  # *args and **kwargs
    return repr(
        (
            code.co_code,
            code.co_argcount,
            code.co_posonlyargcount,
            code.co_kwonlyargcount,
            code.co_flags,
            code.co_varnames[:arguments],
            code.co_names,
            code.co_cellvars,
            code.co_freevars,
            getattr(code, "co_exceptiontable", b""),
            [_constant(value) for value in code.co_consts],
        )
    )


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return value.co_name + _code(value)
    if isinstance(value, tuple):
        return repr([_constant(part) for part in value])
    if isinstance(value, frozenset):
        return repr(sorted(_constant(part) for part in value))
    return f"{type(value).__name__} {value!r}"


@lru_cache(maxsize=4096)
def _lines(name: str, text: str) -> tuple[str, ...]:
    """Return the logical lines of a text without what only its readers see.

    Kept, since most parts of a file are the same after most patches.
    """
    lexer = _lexer(name)
    if lexer is None:
        return tuple(" ".join(line.split()) for line in text.splitlines() if line.strip())
    lines: list[tuple[str, list[str]]] = [("", [])]
    depth = 0
    # Of open brackets: a line ends at none of the newlines within.
    for kind, value in lexer.get_tokens(text):
        if kind in Comment and kind not in Comment.Preproc:
            continue
        if kind in String.Doc:
            # A part of a file may begin within a docstring: then its end looks like a beginning.
            before = next((words[0] for _, words in reversed(lines) if words), "")
            if not lines[-1][1] and before in {"def", "class", "async"}:
                continue
        if (value.isspace() or value == "\\\n") and kind not in String:
            if "\n" in value and not depth and not value.startswith("\\"):
                lines.append((value.rpartition("\n")[2], []))
            elif not lines[-1][1]:
                lines[-1] = (lines[-1][0] + value, [])
            continue
        if kind in Punctuation:
            depth += sum(mark in _OPENING for mark in value)
            depth = max(depth - sum(mark in _CLOSING for mark in value), 0)
        lines[-1][1].append('"' if value == "'" and kind in String else value)
    told = [indent + " ".join(words) for indent, words in lines if words]
    return tuple(_sorted_runs(told) if name.endswith(".py") else told)


def _sorted_runs(lines: Iterable[str]) -> Iterator[str]:
    for is_import, run in itertools.groupby(
        lines, lambda line: line.lstrip().startswith(("import ", "from "))
    ):
        found = list(run)
        yield from sorted(found) if is_import else found


@lru_cache(maxsize=256)
def _lexer(name: str) -> Lexer | None:
    try:
        return get_lexer_for_filename(name, stripnl=False)
    except ClassNotFound:
        return None
