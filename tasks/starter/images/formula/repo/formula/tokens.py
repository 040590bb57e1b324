"""Cuts the text of a formula into tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from formula.errors import FormulaSyntaxError

PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<number>\d+(\.\d+)?|\.\d+)
  | (?P<text>"([^"]|"")*")
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator><>|<=|>=|[-+*/^&=<>])
  | (?P<mark>[(),])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A piece of a formula; `column` counts from 1."""

    kind: str
    text: str
    column: int


def tokenize(source: str) -> Iterator[Token]:
    """Yield the tokens without the space between them, then one of kind ``end``."""
    position = 0
    while position < len(source):
        match = PATTERN.match(source, position)
        if match is None:
            raise FormulaSyntaxError(f"unexpected {source[position]!r}", position + 1)
        if match.lastgroup != "space":
            yield Token(match.lastgroup or "", match.group(), position + 1)
        position = match.end()
    yield Token("end", "", len(source) + 1)
