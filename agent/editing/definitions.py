"""What a file is after its functions and classes are replaced by those of the same name.

This is for models that answer with code instead of edits: with a whole file, or with only the
functions that they changed. New functions are not taken over, since where they belong is not said;
imports are, when what was taken over needs them.
"""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.editing.diff import split_lines
from agent.reading.syntax import Definition, definitions, parse_python

_SHARED = 0.6
# Share of a file's lines that a text must hold to count as a new version of it.


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewritten:
    """A file after the code of an answer was taken over."""

    text: str
    matches: int
    # How many definitions were replaced; a whole file counts all of its lines.


def rewrite(
    text: str, code: Sequence[str], *, python: bool, whole: bool = True
) -> Rewritten | None:
    """Return the file with the code in place, None when the code is nothing of this file.

    Without `whole`, the code may be the beginning of a file, but not all of it.
    """
    new = textwrap.dedent("\n".join(line.rstrip("\r") for line in code)).strip("\n") + "\n"
    if not python:
        return _whole(text, new) if whole and _shared(text, new) >= _SHARED else None
    there, given = definitions(text), definitions(new)
    if given is None or there is None:
        return None
    if whole and _is_whole_file(text, new, there, given):
        return _whole(text, new)
    return _with_definitions(text, new, there, given)


def _whole(text: str, new: str) -> Rewritten:
    if "\r\n" in text:
        new = new.replace("\n", "\r\n")
    if not text.endswith("\n"):
        new = new.rstrip("\r\n")
    return Rewritten(text=new, matches=len(split_lines(text)))


def _shared(text: str, new: str) -> float:
    old_lines = Counter(line.strip() for line in text.split("\n") if line.strip())
    new_lines = Counter(line.strip() for line in new.split("\n") if line.strip())
    return (old_lines & new_lines).total() / max(old_lines.total(), 1)


def _is_whole_file(
    text: str, new: str, there: Sequence[Definition], given: Sequence[Definition]
) -> bool:
    if not {item.name for item in there} <= {item.name for item in given}:
        return False
    return _shared(text, new) >= _SHARED and (_has_imports(new) or not _has_imports(text))


def _has_imports(text: str) -> bool:
    tree = parse_python(text)
    return tree is not None and any(
        isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body
    )


def _with_definitions(
    text: str, new: str, there: Sequence[Definition], given: Sequence[Definition]
) -> Rewritten | None:
    old_lines, new_lines = split_lines(text), split_lines(new)
    ending = "\r\n" if "\r\n" in text else "\n"
    pairs = dict(_pairs(there, given, old_lines, new_lines))
    lines = list(old_lines)
    for old, its_new in sorted(pairs.items(), key=lambda pair: -pair[0].start):
        # Decorators that the answer left out stay.
        start = old.line if its_new.start == its_new.line else old.start
        indent = _indent(old_lines[old.line])
        body = textwrap.dedent("".join(new_lines[its_new.start : its_new.end]))
        fresh = [
            (indent + line if line.strip() else "") + ending
            for line in body.removesuffix("\n").split("\n")
        ]
        if old.end == len(old_lines) and not text.endswith("\n"):
            fresh[-1] = fresh[-1].removesuffix(ending)
        lines[start : old.end] = fresh
    if not pairs:
        return None
    first = min(old.start for old in pairs)
    fresh = _missing_imports(text, new, [range(item.start, item.end) for item in pairs.values()])
    at = _place_of_imports(text, first)
    lines[at:at] = [line + ending for line in fresh]
    return Rewritten(text="".join(lines), matches=len(pairs))


def _missing_imports(text: str, new: str, taken: Sequence[range]) -> list[str]:
    """Return the imports of the answer that the lines taken over need and the file has not."""
    bound = {name for node in _statements(text) for name in _bound(node)}
    used = {
        node.id
        for statement in _statements(new)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and any(node.lineno - 1 in lines for lines in taken)
    }
    return [
        ast.unparse(node)
        for node in _statements(new)
        if isinstance(node, ast.Import | ast.ImportFrom) and not bound.issuperset(_bound(node))
        if not used.isdisjoint(_bound(node)) and getattr(node, "module", "") != "__future__"
    ]


def _place_of_imports(text: str, limit: int) -> int:
    """Return the line, counted from 0 and not past `limit`, that a new import goes before."""
    at = 0
    for number, node in enumerate(_statements(text)):
        docstring = number == 0 and isinstance(node, ast.Expr)
        end = node.end_lineno or 0
        if (docstring or isinstance(node, ast.Import | ast.ImportFrom)) and end <= limit:
            at = end
    return at


def _statements(text: str) -> list[ast.stmt]:
    tree = parse_python(text)
    return tree.body if tree else []


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement at the top of a file binds, and some that it only uses."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    nodes = list(ast.walk(statement))
    imported = {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    return {name.partition(".")[0] for name in imported} | named


def _pairs(
    there: Sequence[Definition],
    given: Sequence[Definition],
    old_lines: Sequence[str],
    new_lines: Sequence[str],
) -> Iterator[tuple[Definition, Definition]]:
    """Match what the answer defines with what the file defines; no two pairs overlap."""
    covered = -1
    for item in given:
        if item.start < covered:
            continue
        old = _namesake(item, there, old_lines, new_lines)
        if old is None:
            continue
        if item.is_class:
            members = {d.name for d in there if d.name.startswith(f"{old.name}.")}
            if not members <= {d.name for d in given}:
                continue  # Only some of its methods are given: they follow one by one.
        covered = item.end
        yield old, item


def _namesake(
    item: Definition,
    there: Sequence[Definition],
    old_lines: Sequence[str],
    new_lines: Sequence[str],
) -> Definition | None:
    same = [d for d in there if d.name == item.name and d.is_class == item.is_class]
    if not same and "." not in item.name:
        same = [d for d in there if d.simple_name == item.name and d.is_class == item.is_class]
    lines = Counter(line.strip() for line in new_lines[item.start : item.end])

    def likeness(old: Definition) -> int:
        return (Counter(line.strip() for line in old_lines[old.start : old.end]) & lines).total()

    return max(same, key=likeness, default=None)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
