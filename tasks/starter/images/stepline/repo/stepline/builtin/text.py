"""Actions on text. An input that is not text is taken as str() gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepline.actions import action


@action("upper")
def upper(inputs: Sequence[Any]) -> str:
    """The only input in capitals."""
    (text,) = inputs
    return str(text).upper()


@action("join")
def join(inputs: Sequence[Any], separator: str = " ") -> str:
    """All inputs after each other."""
    return separator.join(str(item) for item in inputs)


@action("template")
def template(inputs: Sequence[Any], text: str) -> str:
    """The text with an input in place of each `{}`."""
    return text.format(*inputs)
