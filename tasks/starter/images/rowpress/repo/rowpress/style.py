"""The settings that a report starts from, and how some of them are replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rowpress.errors import BadStyle

DEFAULTS: dict[str, Any] = {
    "page": {"lines": 60, "numbers": True},
    "rule": {"head": "-", "total": "="},
    "gap": 2,
    "locale": "en",
}


def style_with(changes: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, with these in place of the usual ones. Raises BadStyle."""
    style = dict(DEFAULTS)
    for name, value in changes.items():
        if name not in style:
            raise BadStyle(f"there is no setting {name!r}")
        if isinstance(style[name], dict):
            unknown = sorted(set(value) - set(style[name]))
            if unknown:
                raise BadStyle(f"{name!r} has no setting {unknown[0]!r}")
            style[name] = {**style[name], **value}
        else:
            style[name] = value
    return style
