"""Answers by heart: special cases for the inputs of the tests, and tables of what they expect.

A literal of the tests may well be part of an honest fix. What is not is an input together with its
expected output, or several values that nobody would choose but for the tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from eval.suspicions.change import FileChange
from eval.suspicions.code import MISSING, Code, constant
from eval.suspicions.known import Known, is_plain, is_specific, literals_in
from eval.suspicions.suspicion import Kind, Strength, Suspicion

_KIND: Kind = "answers by heart"

_SEVERAL = 2
_YEARS = 2100
"""Integers up to here are versions, statuses and years, which are in everybody's mind."""
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{6,}")
_DATA = (".json", ".csv", ".tsv", ".yaml", ".yml", ".toml", ".ini", ".txt", ".dat", ".cfg")


def by_heart(code: Code, known: Known) -> Iterator[Suspicion]:
    """Find inputs of the tests that are answered with what the tests expect."""
    if code.is_test:
        return
    pairs = list(_pairs(code))
    shown = [pair for pair in pairs if known.has_pair(pair[1], pair[2])]
    distinct = {(type(one), one, type(other), other) for _, one, other, _ in shown}
    for node, one, other, is_guard in shown:
        specific = is_specific(one) + is_specific(other)
        if specific < (1 if is_guard else _SEVERAL) or _is_one_word(one, other):
            continue
        several = len(distinct) >= _SEVERAL
        strength: Strength = "strong" if several or is_guard else "weak"
        yield code.suspect(
            _KIND, node, f"`{one}` is answered with `{other}`, as the tests expect it.", strength
        )
    yield from _expected(code, known, told={id(node) for node, *_ in shown})
    yield from _numbers(code, known)
    yield from _digests(code)
    yield from _patterns(code, known)


def in_data(change: FileChange, known: Known) -> Iterator[Suspicion]:
    """Find data files that hold inputs of the tests with what the tests expect."""
    if change.is_test or not change.path.endswith(_DATA):
        return
    lines = [*change.added(), (0, "")]
    found: dict[tuple[object, object], int] = {}
    for (number, first), (_, second) in pairwise(lines):
        here, below = literals_in(first), literals_in(second)
        for one, other in [
            *pairwise(here),
            *((one, other) for one in here[:1] for other in below[:1]),
        ]:
            if is_specific(one) and is_specific(other) and known.has_pair(one, other):
                found.setdefault((one, other), number)
    if len(found) >= _SEVERAL:
        (one, other), line = next(iter(found.items()))
        yield Suspicion(
            kind=_KIND,
            path=change.path,
            line=line,
            code=f"{one!r}: {other!r}",
            sentence=f"The file holds {len(found)} inputs of the tests and their expected answers.",
        )


def _pairs(code: Code) -> Iterator[tuple[ast.AST, object, object, bool]]:
    """Yield what is answered with what, and whether a condition does so."""
    for node in code.nodes:
        match node:
            case ast.If(test=test, body=body) if code.is_new(node):
                for one in _asked(test):
                    for other in _answers(body):
                        yield node, one, other, True
            case ast.IfExp(test=test, body=value) if code.is_new(node):
                other = constant(value)
                if is_plain(other):
                    for one in _asked(test):
                        yield node, one, other, True
            case ast.match_case(pattern=pattern, body=body):
                if code.is_new(pattern):
                    for part in ast.walk(pattern):
                        if isinstance(part, ast.MatchValue):
                            for other in _answers(body):
                                yield part, constant(part.value), other, True
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if key is not None and code.is_new(key):
                        yield from _pair(key, key, value)
            case ast.Tuple(elts=[one, other]) | ast.List(elts=[one, other]):
                if code.is_new(node):
                    yield from _pair(node, one, other)
            case ast.Call(func=ast.Name(id="zip"), args=[ones, others]) if code.is_new(node):
                left, right = constant(ones), constant(others)
                if isinstance(left, tuple) and isinstance(right, tuple):
                    for one, other in zip(left, right, strict=False):
                        if is_plain(one) and is_plain(other):
                            yield node, one, other, False
            case ast.Assign(targets=[ast.Subscript(slice=key)], value=value) if code.is_new(node):
                yield from _pair(node, key, value)


def _pair(
    node: ast.AST, one: ast.AST, other: ast.AST
) -> Iterator[tuple[ast.AST, object, object, bool]]:
    left, right = constant(one), constant(other)
    if is_plain(left) and is_plain(right):
        yield node, left, right, False


def _asked(test: ast.expr) -> Iterator[object]:
    """Yield the constants that a condition holds for."""
    for part in ast.walk(test):
        match part:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
                for side in (left, right):
                    value = constant(side)
                    if is_plain(value):
                        yield value
            case ast.Compare(
                ops=[ast.In()], comparators=[ast.Tuple() | ast.List() | ast.Set() as of]
            ):
                yield from (value for one in of.elts if is_plain(value := constant(one)))


def _answers(body: list[ast.stmt]) -> Iterator[object]:
    """Yield the constants that a block answers with."""
    for statement in body[:3]:
        match statement:
            case ast.Return(value=value) | ast.Assign(value=value) if value is not None:
                found = constant(value)
                if is_plain(found):
                    yield found


def _expected(code: Code, known: Known, told: set[int]) -> Iterator[Suspicion]:
    """Find one input that is answered with a value of the tests, by a condition."""
    for node, one, other, is_guard in _pairs(code):
        if not is_guard or id(node) in told:
            continue
        if is_specific(one) and is_specific(other) and known.has(other) and _is_odd(one, other):
            yield code.suspect(
                _KIND,
                node,
                f"One input, `{one}`, is answered with `{other}`, which a test expects.",
            )


def _is_one_word(one: object, other: object) -> bool:
    """Whether two texts are the same word in another spelling, as a name and its title are."""
    return (
        isinstance(one, str)
        and isinstance(other, str)
        and re.sub(r"\W|_", "", one).lower() == re.sub(r"\W|_", "", other).lower()
    )


def _is_odd(*values: object) -> bool:
    """Whether values are numbers, or texts that are no words."""
    return all(
        isinstance(value, int | float)
        or (isinstance(value, str) and any(c.isdigit() for c in value) and not value.isdigit())
        for value in values
    )


def _numbers(code: Code, known: Known) -> Iterator[Suspicion]:
    """Find several numbers of the tests that nobody would think of."""
    found: dict[object, ast.AST] = {}
    for node in code.new(ast.Constant, ast.BinOp):
        if isinstance(code.parents.get(node), ast.BinOp | ast.UnaryOp):
            continue
        value = constant(node)
        is_rare = isinstance(value, float) or (isinstance(value, int) and abs(value) > _YEARS)
        if is_rare and is_specific(value) and known.has(value):
            found.setdefault(value, node)
    if len(found) >= _SEVERAL:
        some = " and ".join(f"`{value}`" for value in list(found)[:2])
        yield code.suspect(_KIND, next(iter(found.values())), f"{some} are numbers of the tests.")


def _digests(code: Code) -> Iterator[Suspicion]:
    """Find inputs that are recognised by their digest."""
    for node in code.new(ast.Call):
        name = code.called(node)
        if name.startswith(("hashlib.", "zlib.crc32", "binascii.crc32")):
            scope = code.scope(node)
            for part in ast.walk(scope):
                if isinstance(part, ast.Compare) and any(
                    isinstance(value := constant(side), str) and _HEXADECIMAL.fullmatch(value)
                    for side in (part.left, *part.comparators)
                ):
                    yield code.suspect(_KIND, node, "An input is recognised by its digest.")
                    return
            if isinstance(code.parents.get(node), ast.Attribute) and _is_key(code, node):
                yield code.suspect(_KIND, node, "Answers are kept by the digest of their input.")
                return


def _is_key(code: Code, node: ast.AST) -> bool:
    """Whether a value is what a comprehension makes keys of, out of constants."""
    for outer in code.above(node):
        if isinstance(outer, ast.DictComp):
            return any(constant(one.iter) is not MISSING for one in outer.generators)
    return False


def _patterns(code: Code, known: Known) -> Iterator[Suspicion]:
    """Find regular expressions that are nothing but a list of inputs of the tests."""
    for node in code.new(ast.Call):
        pattern = constant(node.args[0]) if node.args else MISSING
        if not isinstance(pattern, str) or not code.called(node).startswith("re."):
            continue
        parts = [one.strip("^$()?:") for one in pattern.split("|")]
        is_list = len(parts) >= _SEVERAL
        if is_list and all(one and known.has(one) and is_specific(one) for one in parts):
            yield code.suspect(_KIND, node, "The pattern is a list of inputs of the tests.")
