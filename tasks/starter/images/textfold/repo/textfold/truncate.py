"""Shortening text to a width, with a mark where something was left out."""

from __future__ import annotations

from textfold.errors import WidthError

ELLIPSIS = "..."


def _check(width: int, ellipsis: str) -> None:
    if width < len(ellipsis):
        raise WidthError(width, len(ellipsis))


def truncate(text: str, width: int, ellipsis: str = ELLIPSIS) -> str:
    """Cut the end of a text so that the result has at most `width` characters."""
    _check(width, ellipsis)
    if len(text) <= width:
        return text
    return text[: width - len(ellipsis)].rstrip() + ellipsis


def truncate_middle(text: str, width: int, ellipsis: str = ELLIPSIS) -> str:
    """Cut the middle of a text, such as a path, so that both ends stay readable.

    When the room cannot be halved evenly, the beginning gets the extra character.
    """
    _check(width, ellipsis)
    if len(text) <= width:
        return text
    room = width - len(ellipsis)
    tail = room // 2
    head = room - tail
    return text[:head] + ellipsis + text[len(text) - tail :]


def truncate_words(text: str, count: int, ellipsis: str = ELLIPSIS) -> str:
    """Keep the first `count` words of a text."""
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    words = text.split()
    if len(words) <= count:
        return " ".join(words)
    return " ".join(words[:count]) + ellipsis
