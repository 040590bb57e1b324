"""Two versions of a text, as the unified diff that `git apply` takes.

Lines end at a newline and nowhere else, as git sees them, so form feeds and lone carriage returns
survive. The time is bounded: where a minimal diff would be dear, a larger one is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher

_CONTEXT = 3
_DEAR = 400_000
# Pairs of equal lines past which everything from the first to the last change is one hunk.

Span = tuple[int, int, int, int]
"""Lines [i1, i2) of the old text become lines [j1, j2) of the new one."""


def git_diff(path: str, before: str | None, after: str) -> str:
    """Return the diff of one file in git's form, "" when nothing changes.

    `before` is None for a new file.
    """
    if before == after:
        return ""
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    header = f"diff --git {old} {new}\n"
    if before is None:
        header += "new file mode 100644\n"
        old = "/dev/null"
    a, b = split_lines(before or ""), split_lines(after)
    hunks = "".join(_hunk(a, b, group) for group in _groups(_changes(a, b), len(a), len(b)))
    return f"{header}--- {old}\n+++ {new}\n{hunks}" if hunks else header


def split_lines(text: str) -> list[str]:
    """Split into lines that keep their newline; only the last one may lack it."""
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _changes(a: list[str], b: list[str]) -> Iterator[Span]:
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    i_end, j_end = len(a) - tail, len(b) - tail
    a_middle, b_middle = a[head:i_end], b[head:j_end]
    a_counts, b_counts = Counter(a_middle), Counter(b_middle)
    if sum(count * b_counts[line] for line, count in a_counts.items()) > _DEAR:
        yield head, i_end, head, j_end
        return
    matcher = SequenceMatcher(None, a_middle, b_middle, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            yield head + i1, head + i2, head + j1, head + j2


def _groups(changes: Iterator[Span], a_len: int, b_len: int) -> Iterator[list[Span]]:
    """Gather changes whose context would touch; pad each group with its context at both ends."""
    group: list[Span] = []
    for change in changes:
        if group and change[0] - group[-1][1] > 2 * _CONTEXT:
            yield _padded(group, a_len, b_len)
            group = []
        group.append(change)
    if group:
        yield _padded(group, a_len, b_len)


def _padded(group: list[Span], a_len: int, b_len: int) -> list[Span]:
    first, last = group[0], group[-1]
    before = min(_CONTEXT, first[0], first[2])
    after = min(_CONTEXT, a_len - last[1], b_len - last[3])
    start = (first[0] - before, first[0] - before, first[2] - before, first[2] - before)
    end = (last[1] + after, last[1] + after, last[3] + after, last[3] + after)
    return [start, *group, end]


def _hunk(a: list[str], b: list[str], group: list[Span]) -> str:
    first, last = group[0], group[-1]
    ranges = f"-{_range(first[0], last[1])} +{_range(first[2], last[3])}"
    lines = [f"@@ {ranges} @@\n"]
    at = first[0]
    for i1, i2, j1, j2 in group:
        lines += (_marked(" ", line) for line in a[at:i1])
        lines += (_marked("-", line) for line in a[i1:i2])
        lines += (_marked("+", line) for line in b[j1:j2])
        at = i2
    return "".join(lines)


def _range(start: int, end: int) -> str:
    length = end - start
    # An empty range names the line before it.
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, line: str) -> str:
    return mark + line if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"


def _quoted(path: str) -> str:
    """Quote a path as git does when it holds what a header line cannot."""
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return path
    special = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    out = ""
    for byte in path.encode():
        char = chr(byte)
        out += special.get(char) or (char if " " <= char <= "~" else f"\\{byte:03o}")
    return f'"{out}"'
