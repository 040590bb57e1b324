"""The log of a verification, its failing tests first.

A log is the word of whoever printed it. What is found here only helps to read it; which tests are
missing is what the verdict says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ksolve.screen import harmless

SCANNED = 2_000_000
"""Characters of the end of a log that are looked through."""

TAIL = 40_000
"""Characters of the end of a log that a page holds."""

_EXCERPT, _EXCERPTS, _LINES = 8_000, 40, 6
# Characters of one test's part, parts, and single lines where a test has no part.
_OPENS = re.compile(r"_{3,} (?P<pytest>\S.*?) _{3,}$|(?:FAIL|ERROR): (?P<unittest>\S.*)$")
_CLOSES = re.compile(r"={3,} .* ={3,}$|={20,}$|Ran \d+ tests? in ")
_MARKED = re.compile(r"^E +(?P<error>\S.*)$", re.MULTILINE)
_ERROR = re.compile(r"^[\w.]*(?:Error|Exception|Failure|Interrupt)\b.*$", re.MULTILINE)
# Characters of an error that are said at once.
_GIST = 300
_PARAMETERS = re.compile(r"\[.*\]$", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """What a log says of one test, "" where nothing was found."""

    test: str
    text: str
    gist: str = ""
    """The assertion or error that ended it, which may stand far below in the text."""


def excerpts(log: str, tests: Sequence[str]) -> list[Excerpt]:
    """Return the parts of a log that speak of these tests, in their order."""
    if not tests:
        return []
    lines = harmless(log[-SCANNED:]).split("\n")
    parts = dict(_parts(lines))
    return [
        Excerpt(test=test, text=text[:_EXCERPT], gist=_gist(text))
        for test in tests[:_EXCERPTS]
        for name in (harmless(test),)
        for text in (_part(parts, name) or _mentions(lines, name),)
    ] + [Excerpt(test=test, text="") for test in tests[_EXCERPTS:]]


def _parts(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Cut out what pytest and unittest print under the name of a test."""
    name, held = "", list[str]()
    for line in lines:
        opened = _OPENS.match(line)
        if opened or _CLOSES.match(line):
            if name:
                yield name, "\n".join(held).strip("\n")
            name = (opened["pytest"] or opened["unittest"]) if opened else ""
            held = []
        elif name:
            held.append(line)
    if name:
        yield name, "\n".join(held).strip("\n")


def _part(parts: dict[str, str], test: str) -> str:
    """Find `a.py::C::t` under the heading `C.t` of pytest, `t (m.C)` under itself of unittest."""
    name = ".".join(test.split("::")[1:]) or test
    bare = _PARAMETERS.sub("", name)
    for known, text in parts.items():
        if known in {name, test} or known.startswith(f"{name} "):
            return text
    return parts.get(bare, "")


def _gist(text: str) -> str:
    """Return the first line that pytest marks as the error, or the last that names one."""
    marked = _MARKED.search(text)
    named = [] if marked else _ERROR.findall(text)
    found = marked["error"] if marked else named[-1] if named else ""
    return f"{found[:_GIST]} ..." if len(found) > _GIST else found


def _mentions(lines: Iterable[str], test: str) -> str:
    name = test.rpartition("::")[2]
    found = [line[:500] for line in lines if name in line]
    return "\n".join(found[-_LINES:])
