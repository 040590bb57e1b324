"""Folding paragraphs to a width."""

from __future__ import annotations

from textfold.errors import WidthError


def wrap(
    text: str,
    width: int = 72,
    *,
    initial_indent: str = "",
    subsequent_indent: str = "",
    break_long_words: bool = True,
) -> list[str]:
    """Fold one paragraph into lines of at most `width` characters.

    The first line starts with `initial_indent`, every other line with
    `subsequent_indent`; both count towards the width.
    """
    needed = max(len(initial_indent), len(subsequent_indent)) + 1
    if width < needed:
        raise WidthError(width, needed)

    lines: list[str] = []
    indent = initial_indent
    current: list[str] = []
    for word in text.split():
        if current and len(indent) + len(" ".join([*current, word])) > width:
            lines.append(indent + " ".join(current))
            indent = subsequent_indent
            current = []
        while break_long_words and len(indent) + len(word) > width:
            room = width - len(indent)
            lines.append(indent + word[:room])
            indent = subsequent_indent
            word = word[room:]
        current.append(word)
    if current:
        lines.append(indent + " ".join(current))
    return lines


def fill(text: str, width: int = 72, **options: object) -> str:
    """Fold every paragraph of a text; paragraphs are separated by blank lines.

    `options` are passed on to `wrap`.
    """
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return "\n\n".join("\n".join(wrap(part, width, **options)) for part in paragraphs)
