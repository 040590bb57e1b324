"""Python out of the middle of a file: syntax trees of the lines of a hunk.

A hunk begins and ends where it likes: within a function, a call, a text. The longest stretches
that parse are parsed, each in the blocks that its indentation asks for; what belongs to no
statement is left out.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eval.suspicions.change import Side

_WINDOW = 400
"""Lines that are tried at once behind the first that does not parse."""

_TRIES = 2_000
"""Of parsing, for one hunk: a whole file of another language is given up after so many."""

_Parsed = tuple[ast.Module, int] | int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """The tree of a stretch of lines."""

    module: ast.Module
    shift: int
    """What to add to the lines of the tree to have those of the file."""
    first: int
    """The first line of the stretch: what is above was only opened for the indentation."""


def trees_of(side: Side) -> list[Tree]:
    """Return the trees of what can be parsed, in the order of the lines."""
    lines = side.lines
    found: list[Tree] = []
    start = tries = 0
    whole = _parse(lines, 0, len(lines), side.heading)
    if isinstance(whole, tuple):
        return [_tree(whole, side, 0)]
    while start < len(lines) and tries < _TRIES:
        if not lines[start].strip():
            start += 1
            continue
        heading = "" if found else side.heading
        for end in _ends(lines, start, heading):
            tries += 1
            parsed = _parse(lines, start, end, heading)
            if isinstance(parsed, tuple):
                found.append(_tree(parsed, side, start))
                start = end
                break
        else:
            inside = _within_brackets(lines, start)
            if inside is None:
                start += 1
                continue
            module, end = inside
            found.append(_tree((module, 1), side, start))
            start = end
    return found


def _tree(parsed: tuple[ast.Module, int], side: Side, start: int) -> Tree:
    module, above = parsed
    first = side.first + start
    return Tree(module=module, shift=first - 1 - above, first=first)


def _ends(lines: Sequence[str], start: int, heading: str) -> Iterator[int]:
    """Yield where the stretch that starts at a line may end, the best guess first."""
    end = min(len(lines), start + _WINDOW)
    yield end
    for _ in range(4):
        failed = _parse(lines, start, end, heading)
        if isinstance(failed, tuple):
            return
        # What is wrong is found at a line, or was opened there and never closed.
        shorter = min(max(start + failed, start + 1), end - 1)
        if shorter <= start:
            break
        end = shorter
        yield end
    yield from range(min(start + 3, end), start, -1)


def _within_brackets(lines: Sequence[str], start: int) -> tuple[ast.Module, int] | None:
    """Parse what stands between brackets that were opened above; return also the line behind it."""
    depth, end = 0, start
    while end < min(len(lines), start + _WINDOW):
        depth += sum(map(lines[end].count, "([{")) - sum(map(lines[end].count, ")]}"))
        if depth < 0:
            break
        end += 1
    if end == start:
        return None
    for opened, closed in (("_({", "})"), ("_([", "])"), ("_(", ")")):
        parsed = _parse([opened, *lines[start:end], closed], 0, end - start + 2)
        if isinstance(parsed, tuple):
            return parsed[0], end
    return None


def _parse(lines: Sequence[str], start: int, end: int, heading: str = "") -> _Parsed:
    """Parse some lines: return the tree and the number of lines that were put above them.

    Where they do not parse, return the number of lines before the one that is wrong.
    """
    above = _blocks_around(lines[start:end], heading)
    text = "\n".join((*above, *lines[start:end]))
    if lines[end - 1 : end] and lines[end - 1].rstrip().endswith(":"):
        text += " pass"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text + "\n"), len(above)
    except SyntaxError as error:
        return max((error.lineno or 1) - 1 - len(above), 0)
    except (ValueError, RecursionError, MemoryError):
        # A NUL, or thousands of brackets.
        return 0


def _blocks_around(lines: Sequence[str], heading: str) -> list[str]:
    """Return lines that open the blocks which the first lines are in, by their indentation."""
    lows: list[tuple[int, str]] = []
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            indent = _indent(line)
            if not lows or indent < lows[-1][0]:
                lows.append((indent, text))
            if not indent:
                break
    # What is deeper than a later line is in a block that begins where that line does.
    above = [
        " " * indent + ("try:" if text.startswith(("except", "finally")) else "if 1:")
        for indent, text in lows[1:]
    ]
    if lows and lows[-1][0]:
        is_block = heading.startswith(("def ", "async def ", "class ")) and heading.endswith(":")
        above.append(heading if is_block else "if 1:")
    return above[::-1]


def _indent(line: str) -> int:
    line = line.expandtabs()
    return len(line) - len(line.lstrip())
