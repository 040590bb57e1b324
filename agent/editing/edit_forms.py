"""What a model's answer asks to be changed, before anybody looks at the files.

Three forms are read: SEARCH/REPLACE blocks, unified diffs, and fences that hold code. Any text is
taken; one pass over its lines, so hostile answers cost no more than long ones. Whether a path
exists or a text can be found is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

_LONGEST = 1_000_000
# Characters of an answer that are looked at.


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """Put some lines in the place of others. Nothing to search for means a new file."""

    path: str
    # As the model wrote it, "" when it named none.
    search: tuple[str, ...]
    replace: tuple[str, ...]
    near: int = 0
    # The line a diff gave for it, counted from 1; 0 when unknown.


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A fence with code: a whole file, or functions and classes of one."""

    path: str
    lines: tuple[str, ...]
    torn: bool = False
    # The answer ended in it; its last definition, which may be half of one, is left out.


Edit = Replacement | Code

_SEARCH = re.compile(
    r"\s*(?:<{5,}|<{3,}(?=\s*SEARCH))\s*(?:(?:SEARCH|ORIGINAL|OLD|HEAD)\b)?[ :]*(?P<rest>.*)",
    re.IGNORECASE,
)
_DIVIDER = re.compile(r"\s*={5,}\s*$")
_PLAIN_DIVIDER = re.compile(r"={7}\s*$")
_END = re.compile(r"\s*(?:>{5,}|>{3,}(?=\s*REPLACE))\s*(?:\w+\b.{0,80})?$", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?P<ticks>`{3,}|~{3,})\s*(?P<info>(?:[^`\s][^`]*)?)$")
_FILE = re.compile(r"\s*<file path=\"(?P<path>[^\"]+)\">\s*$")
_FILE_END = re.compile(r"\s*</file>\s*$")
_HUNK = re.compile(r"@@+(?: -(?P<line>\d{1,9})(?:,\d+)? \+\d+(?:,\d+)? @@)?")
# In prose only a well-known ending makes a path; alone on its line, a slash is enough.
_PATH = re.compile(
    r"[\w./@+\\-]*\w\.(?:py[ix]?|[cm]?[jt]sx?|vue|cc?|cpp|cxx|hh?|hpp|cs|go|rs|rb|java|kts?|scala"
    r"|swift|php|pl|lua|r|jl|ex|erl|hs|ml|sh|bash|ps1|sql|toml|cfg|ini|ya?ml|json|xml|html?|css"
    r"|scss|md|rst|txt|in|mk|cmake|gradle|proto)(?![\w.-])"
)
_COMMENT = re.compile(r"\s*(?:#|//|--|/\*|<!--)")
_DEFINITION = re.compile(r"\s*(?:@|(?:async )?def |class )")
_LONE_PATH = re.compile(r"(?:[\w.@+-]*/)+[\w.@+-]+|[\w.@+-]+\.\w+")


def read_answer(answer: str, *, cut_off: bool = False) -> list[list[Edit]]:
    """Return the edits of each form that the answer holds, in the order of the answer.

    With `cut_off`, the answer ended at the token limit: of a last block or fence without its end,
    nothing is taken that may be torn.
    """
    lines = answer[:_LONGEST].replace("\r\n", "\n").split("\n")
    blocks = list(_blocks(lines, cut_off=cut_off))
    fences = list(_fences(lines))
    if not fences and not blocks:
        fences = [Code(path="", lines=tuple(lines), torn=True)]
    if not cut_off:
        fences = [replace(fence, torn=False) for fence in fences]
    diffs = [edit for fence in fences if _is_diff(fence.lines) for edit in _diff(fence)]
    code: list[Edit] = [fence for fence in map(_untorn, fences) if any(map(str.strip, fence.lines))]
    return [form for form in (blocks, diffs, code) if form]


def _blocks(lines: list[str], *, cut_off: bool) -> Iterator[Edit]:
    starts = [number for number, line in enumerate(lines) if _SEARCH.match(line)]
    path = ""
    for start, limit in pairwise([*starts, len(lines)]):
        path = _path_before(lines, start) or path
        marker = _SEARCH.match(lines[start])
        assert marker
        path = _path_in(marker["rest"]) or path
        body = lines[start + 1 : limit]
        divider = _divider(body)
        if divider is None:
            # Only one half: the model wrote down what the code should be.
            end = _first(_END, body) or _first(_FENCE, body)
            torn = end is None and cut_off and limit == len(lines)
            yield _untorn(Code(path=path, lines=tuple(_unfenced(body[:end])), torn=torn))
            continue
        rest = body[divider + 1 :]
        end = _first(_END, rest)
        if end is None:
            # The end marker is missing: the fence may tell where the block ends.
            end = _first(_FENCE, rest)
            if end is None and cut_off and limit == len(lines):
                continue
        new = _unfenced(rest[:end])
        while new and _PLAIN_DIVIDER.match(new[-1]):
            new.pop()
        yield Replacement(path=path, search=tuple(_unfenced(body[:divider])), replace=tuple(new))


def _divider(body: list[str]) -> int | None:
    """Return where the search text ends; an end marker will do if another one follows."""
    end = _first(_END, body)
    for pattern in (_PLAIN_DIVIDER, _DIVIDER):
        found = _first(pattern, body[:end])
        if found is not None:
            return found
    if end is not None and _first(_END, body[end + 1 :]) is not None:
        return end
    return None


def _first(pattern: re.Pattern[str], lines: Sequence[str]) -> int | None:
    return next((number for number, line in enumerate(lines) if pattern.match(line)), None)


def _unfenced(lines: list[str]) -> list[str]:
    """Drop a fence that a model put around one half of a block."""
    inked = [number for number, line in enumerate(lines) if line.strip()]
    if inked and _FENCE.match(lines[inked[0]]):
        lines = lines[inked[0] + 1 :]
        inked = [number for number, line in enumerate(lines) if line.strip()]
        if inked and _FENCE.match(lines[inked[-1]]):
            lines = lines[: inked[-1]]
    return list(lines)


def _path_before(lines: list[str], start: int) -> str:
    """Return the path that the lines above a block or fence name, "" when they name none."""
    looked_at = 0
    for number in range(start - 1, -1, -1):
        line = lines[number]
        fence = _FENCE.match(line)
        found = _path_in(fence["info"] if fence else line)
        if found:
            return found
        if _END.match(line):
            break
        looked_at += bool(line.strip()) and not fence
        if looked_at == 2 or start - number > 6:  # noqa: PLR2004 -- a title and a remark
            break
    return ""


def _path_in(line: str) -> str:
    line = line[:500]
    for text in [*re.findall(r"`([^`]+)`", line), line]:
        found: list[str] = _PATH.findall(text)
        if found:
            return found[-1]
    alone = line.strip("`*#:>'\" \t")
    return alone if _LONE_PATH.fullmatch(alone) else ""


def _fences(lines: list[str]) -> Iterator[Code]:
    """Return every fence, and every file in the form in which the model was shown it.

    The last one is torn when nothing closes it.
    """
    number = 0
    while number < len(lines):
        fence, file = _FENCE.match(lines[number]), _FILE.match(lines[number])
        if not fence and not file:
            number += 1
            continue
        end = number + 1
        while end < len(lines) and not _closes(lines[end], fence):
            end += 1
        content = lines[number + 1 : end]
        if file:
            path = file["path"]
        else:
            path = _path_in(fence["info"] if fence else "") or _path_before(lines, number)
        named = _path_in_comment(content[0]) if content else ""
        if named:
            path, content = path or named, content[1:]
        yield Code(path=path, lines=tuple(content), torn=end == len(lines))
        number = end + 1


def _closes(line: str, fence: re.Match[str] | None) -> bool:
    if fence is None:
        return _FILE_END.match(line) is not None
    closing = _FENCE.match(line)
    return (
        closing is not None and not closing["info"] and closing["ticks"].startswith(fence["ticks"])
    )


def _path_in_comment(line: str) -> str:
    """Return the path of a comment that holds nothing else."""
    comment = _COMMENT.match(line)
    named = line[comment.end() :].strip(" `*->") if comment else ""
    return named if _PATH.fullmatch(named) else ""


def _untorn(code: Code) -> Code:
    if not code.torn:
        return code
    starts = [number for number, line in enumerate(code.lines) if _DEFINITION.match(line)]
    return replace(code, lines=code.lines[: starts[-1]] if starts else ())


def _is_diff(lines: Sequence[str]) -> bool:
    return any(
        line.startswith("@@") or (line.startswith("--- ") and after.startswith("+++ "))
        for line, after in pairwise([*lines, ""])
    )


def _diff(code: Code) -> Iterator[Edit]:
    """Return the hunks of a diff by their content: their counts are not trusted."""
    lines = code.lines
    path, near = code.path, 0
    before: list[str] = []
    after: list[str] = []
    inside = False
    end = [] if code.torn else ["diff --git"]  # the last hunk of a torn diff may be half of one
    for number, line in enumerate([*lines, *end]):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        hunk = _HUNK.match(line)
        header = line.startswith("--- ") and following.startswith("+++ ")
        if hunk or header or line.startswith("diff --git"):
            if before != after:
                yield _hunk(path, before, after, near)
            before, after = [], []
            inside = hunk is not None
            near = int(hunk["line"] or 0) if hunk else 0
        elif line.startswith("+++ ") and not inside:
            path = _path_of_diff(line) or path
            inside = True
        elif inside and not line.startswith("\\"):
            if not line.startswith("+"):
                before.append(line[1:] if line[:1] in {"-", " "} else line)
            if not line.startswith("-"):
                after.append(line[1:] if line[:1] in {"+", " "} else line)
        if header:
            path = _path_of_diff(line)


def _path_of_diff(header: str) -> str:
    name = header[4:].partition("\t")[0].strip()
    return "" if name == "/dev/null" else name


def _hunk(path: str, before: list[str], after: list[str], near: int) -> Replacement:
    while before and after and not before[-1].strip() and not after[-1].strip():
        before.pop()
        after.pop()
    return Replacement(path=path, search=tuple(before), replace=tuple(after), near=near)
