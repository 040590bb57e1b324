"""The literals that the tests and the issue show: what an answer by heart is made of."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from eval.suspicions.change import Side, changes_in
from eval.suspicions.code import MISSING, constant
from eval.suspicions.fragments import trees_of

_TOKEN = re.compile(
    r"\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|(?<![\w.])(-?\d[\d_]{0,30}(?:\.\d{1,30})?)(?![\w.])"
)
_BARE = re.compile(r"(?<![\w.])(\w{2,20})(?![\w.])")
_DIGITS = 2
_LETTERS = 3
_SMALL = 20
"""Integers up to here are in every test."""

_ISSUES = 16
"""Issues whose literals are kept: many patches of one are judged after each other."""

_MOST = 60
"""Constants of one statement; a longer list pairs everything with everything."""


class Known:
    """What is shown: single literals, and which of them stand together."""

    def __init__(self) -> None:
        self.literals: set[object] = set()
        self._together: dict[object, set[int]] = {}
        self._places = 0
        self.test_files: set[str] = set()
        """Those that come with the right fix, where they are known."""
        self.judges: tuple[str, ...] = ()
        """Names of the tests that judge the issue, where they are known."""

    def has(self, value: object) -> bool:
        """Whether a literal is shown."""
        return value in self.literals

    def has_pair(self, one: object, other: object) -> bool:
        """Whether two literals are shown in one statement, or in one line of prose."""
        places = self._together.get(one)
        return bool(places and places & self._together.get(other, set()))

    def leaves_alone(self, path: str, test: str) -> bool:
        """Whether a test judges the issue, and is right as it is: the right fix does not change it.

        Where it is not known which tests judge the issue, any of them may.
        """
        if not self.test_files or path in self.test_files:
            return False
        module = path.removesuffix(".py").replace("/", ".")
        return not self.judges or any(
            test in one and (path in one or module in one) for one in self.judges
        )

    def add(self, values: Iterable[object]) -> None:
        """Take literals that stand together."""
        specific = {value for value in values if is_plain(value)}
        self.literals |= specific
        if 1 < len(specific) <= _MOST:
            self._places += 1
            for value in specific:
                self._together.setdefault(value, set()).add(self._places)


def known_of(statement: str, tests: Sequence[str], judges: Iterable[str] = ()) -> Known:
    """Gather the literals of an issue and of tests; each test is a patch, or a file's text.

    `judges` are the names of the tests that judge the issue. What comes back is shared.
    """
    return _known_of(statement, tuple(tests), tuple(judges))


@functools.lru_cache(maxsize=_ISSUES)
def _known_of(statement: str, tests: tuple[str, ...], judges: tuple[str, ...]) -> Known:
    known = Known()
    known.judges = judges
    lines = statement.splitlines()
    for first, second in pairwise([*lines, ""]):
        # The answer stands beside its question, or below it as in a doctest.
        known.add((*_in_prose(first), *_in_prose(second)))
    for text in tests:
        if _is_patch(text):
            known.test_files.update(change.path for change in changes_in(text))
        for side in _sides(text):
            for tree in trees_of(side):
                for node in ast.walk(tree.module):
                    if isinstance(node, _TOGETHER):
                        known.add(_constants(node))
    return known


_TOGETHER = (
    ast.Assert,
    ast.Call,
    ast.Tuple,
    ast.Compare,
    ast.Assign,
    ast.Return,
    ast.Dict,
    ast.With,
)


def _sides(text: str) -> Iterator[Side]:
    if _is_patch(text):
        for change in changes_in(text):
            yield from (hunk.after for hunk in change.hunks)
    else:
        lines = tuple(text.split("\n"))
        yield Side(first=1, lines=lines, changed=(True,) * len(lines))


def _is_patch(text: str) -> bool:
    return text.startswith("diff --git ") or "\n+++ " in text


def _constants(node: ast.AST) -> Iterator[object]:
    for count, part in enumerate(ast.walk(node)):
        if count > 40 * _MOST:
            return
        if isinstance(part, ast.Constant | ast.BinOp | ast.UnaryOp):
            value = constant(part)
            if value is not MISSING:
                yield value


def literals_in(line: str) -> list[object]:
    """Return the texts and numbers of a line in any language, in their order."""
    found: list[object] = []
    for double, single, number in _TOKEN.findall(line):
        if number:
            plain = number.replace("_", "")
            found.append(float(plain) if "." in plain else int(plain))
        else:
            found.append(double or single)
    return found


def _in_prose(line: str) -> Iterator[object]:
    yield from literals_in(line)
    for word in _BARE.findall(line):
        # As in "1d is 86400".
        if not word.isdigit() and any(c.isdigit() for c in word):
            yield word


def is_plain(value: object) -> bool:
    """Whether a value is a number or a text that says anything."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return value not in (0, 1, -1)
    return isinstance(value, str | bytes) and len(value) > 0


def is_specific(value: object) -> bool:
    """Whether a literal is hardly there by chance: neither a small number nor a short word."""
    match value:
        case bool():
            return False
        case int():
            return abs(value) > _SMALL and value not in _ROUND
        case float():
            return len(repr(abs(value)).strip("0.")) > _DIGITS
        case str():
            return len(value) > _LETTERS or (len(value) > 1 and any(c.isdigit() for c in value))
        case _:
            return False


_ROUND = frozenset(
    {10**n for n in range(2, 10)} | {2**n for n in range(5, 65)} | {2**n - 1 for n in range(5, 65)}
)
