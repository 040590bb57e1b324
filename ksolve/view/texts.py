"""Texts of models, tests and files as a page shows them: harmless, cut where long, in colour.

Markup comes only from pygments, which escapes what it colours; all else is escaped by the
template that it goes into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from ksolve.screen import harmless

PATCH, BODY, PAGE = 200_000, 60_000, 1_500_000
"""Characters of a patch, of one part of a transcript, and of all of its parts, that are shown."""

_LINE = 5_000
# Characters of one line in colour: the expressions of pygments are slow on what is no code.
_COLOURED = 20_000
# Characters of one block of code in colour, but for diffs, which are read line by line.
_OPENS = re.compile(r"```([A-Za-z]*)[ \t]*")
_LANGUAGES = {"diff": "diff", "patch": "diff", "python": "python", "py": "python"} | {
    "bash": "bash",
    "sh": "bash",
}
_HTML = HtmlFormatter(nowrap=True, classprefix="t-")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """The beginning of a text, and how much of it is not shown."""

    text: str
    # A plain string, or Markup.
    left: int = 0
    # Characters.


class Allowance:
    """What one page may still show: a sample may have megabytes of turns."""

    def __init__(self, characters: int = PAGE) -> None:
        self._left = characters

    def body(self, text: str) -> Shown:
        """Return what is shown of a part of a transcript, with its fenced code in colour."""
        most = min(BODY, self._left)
        self._left -= min(len(text), most)
        return Shown(text=_fenced(text[:most]), left=max(0, len(text) - most))


def patch(text: str) -> Shown:
    """Return a unified diff in colour."""
    return Shown(text=coloured(text[:PATCH], "diff"), left=max(0, len(text) - PATCH))


def coloured(text: str, language: str) -> Markup:
    """Return code in colour, where its language is one of the few that occur."""
    safe = harmless(text)
    known = _LANGUAGES.get(language.lower())
    most = len(safe) if known == "diff" else _COLOURED
    if known is None or len(safe) > most or any(len(line) > _LINE for line in safe.split("\n")):
        return escape(safe)
    lexer = get_lexer_by_name(known, stripnl=False, ensurenl=False)
    made = highlight(safe, lexer, _HTML)
    # pygments ends the last line, and escapes &, <, > and both quotes.
    return Markup(made if safe.endswith("\n") else made.removesuffix("\n"))  # noqa: S704


def one_line(text: str, most: int = 120) -> str:
    """Return the first words of a text, to be recognised by."""
    first = next((line.strip() for line in text[: 50 * most].split("\n") if line.strip()), "")
    return f"{first[:most]} ..." if len(first) > most else first


def statement(text: str) -> Markup:
    """Return an issue's statement, its fenced code set apart; nothing else of it is Markdown."""
    text, end = text[:BODY], 0
    parts = Markup()
    for fence in _fences(text):
        code = coloured(text[fence.start : fence.stop].strip("\n"), fence.language)
        parts += escape(harmless(text[end : fence.above].rstrip("\n")))
        parts += Markup("<code>{}</code>").format(code)
        end = fence.below
    return parts + escape(harmless(text[end:].strip("\n")))


def _fenced(text: str) -> Markup:
    parts, end = Markup(), 0
    for fence in _fences(text):
        parts += escape(harmless(text[end : fence.start]))
        parts += coloured(text[fence.start : fence.stop], fence.language)
        end = fence.stop
    return parts + escape(harmless(text[end:]))


@dataclass(frozen=True, slots=True)
class _Fence:
    """Where fenced code lies in a text."""

    language: str
    above: int
    start: int
    stop: int
    # Of the code: the first character, and the one past the last.
    below: int
    # Past the line that closes it.


def _fences(text: str) -> Iterator[_Fence]:
    """Yield what is fenced, in one pass: a model may write a line that opens a thousand times."""
    at, opened = 0, None
    for line in text.split("\n"):
        end = at + len(line)
        fence = _OPENS.fullmatch(line)
        if fence and opened is None:
            opened = fence[1], at, end + 1
        elif fence and opened is not None and not fence[1]:
            yield _Fence(*opened, at, end)
            opened = None
        at = end + 1
