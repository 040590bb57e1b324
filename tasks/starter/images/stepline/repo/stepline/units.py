"""Spans of time as people write them."""

from __future__ import annotations

import re

UNITS = {
    "s": 1,
    "m": 60,
    "h": 60 * 60,
    "d": 24 * 60 * 60,
    "w": 7 * 24 * 60 * 60,
}
_SPAN = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def seconds(span: str | float) -> float:
    """The seconds in a span such as `90s`; a bare number is one already. Raises ValueError."""
    if isinstance(span, (int, float)):
        return float(span)
    text = span.strip().lower()
    if not _SPAN.fullmatch(text):
        raise ValueError(f"not a span of time: {span!r}")
    return float(sum(int(count) * UNITS[unit] for count, unit in _PART.findall(text)))
