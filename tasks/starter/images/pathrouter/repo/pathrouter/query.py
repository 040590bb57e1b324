"""Query strings: the part of an address after the question mark."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_plus, unquote_plus


def parse_query(text: str) -> dict[str, list[str]]:
    """The values of each name, in their order; a name without `=` has an empty value."""
    values: dict[str, list[str]] = {}
    for piece in text.lstrip("?").split("&"):
        if not piece:
            continue
        name, _, value = piece.partition("=")
        values.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return values


def build_query(values: Mapping[str, object]) -> str:
    """The query string of a mapping, without the question mark.

    Lists and tuples give their name once for each item; None leaves the name out.
    """
    pieces: list[str] = []
    for name, value in values.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        for item in items:
            if item is not None:
                pieces.append(f"{quote_plus(name)}={quote_plus(str(item))}")
    return "&".join(pieces)


def merge_query(url: str, values: Mapping[str, object]) -> str:
    """An address with these values set in its query; the others stay as they are."""
    address, mark, fragment = url.partition("#")
    path, _, query = address.partition("?")
    merged: dict[str, object] = {**parse_query(query), **values}
    text = build_query(merged)
    return path + ("?" + text if text else "") + mark + fragment
