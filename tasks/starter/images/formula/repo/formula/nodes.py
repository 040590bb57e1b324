"""The tree of a parsed formula."""

from __future__ import annotations

from dataclasses import dataclass

PRECEDENCE = {
    "=": 1,
    "<>": 1,
    "<": 1,
    "<=": 1,
    ">": 1,
    ">=": 1,
    "&": 2,
    "+": 3,
    "-": 3,
    "*": 4,
    "/": 4,
    "^": 5,
}
"""How strongly each operator between two values binds."""

RIGHT_ASSOCIATIVE = {"^"}
"""Operators whose chains group from the right: 2 ^ 3 ^ 2 is 2 ^ (3 ^ 2)."""


@dataclass(frozen=True)
class Literal:
    """A number or a text."""

    value: float | str


@dataclass(frozen=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True)
class Negation:
    """A minus sign before a value."""

    operand: Node


@dataclass(frozen=True)
class Binary:
    """An operator between two values."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Call:
    """A function with its arguments; `name` is as written."""

    name: str
    arguments: tuple[Node, ...]


Node = Literal | Name | Negation | Binary | Call
