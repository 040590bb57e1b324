"""Converters: how one part of a path becomes a value, and a value a part of a path."""

from __future__ import annotations

from urllib.parse import quote, unquote


class Converter:
    """Text without a slash; the base of the others."""

    regex = r"[^/]+"
    safe = ""
    # Characters that stay as they are in an address.

    def to_python(self, text: str) -> object:
        """The value of a matched part of a path."""
        return unquote(text)

    def to_url(self, value: object) -> str:
        """The part of a path that stands for a value."""
        return quote(str(value), safe=self.safe)


class IntConverter(Converter):
    """A number without sign."""

    regex = r"[0-9]+"

    def to_python(self, text: str) -> int:
        return int(text)


class HexConverter(Converter):
    """A number in hexadecimal digits."""

    regex = r"[0-9a-fA-F]+"

    def to_python(self, text: str) -> int:
        return int(text, 16)

    def to_url(self, value: object) -> str:
        return f"{value:x}"


class SlugConverter(Converter):
    """Letters, digits, `-` and `_`."""

    regex = r"[A-Za-z0-9_-]+"


class PathConverter(Converter):
    """Text that may contain slashes."""

    regex = r"[^/].*"
    safe = "/"


CONVERTERS: dict[str, Converter] = {
    "str": Converter(),
    "int": IntConverter(),
    "hex": HexConverter(),
    "slug": SlugConverter(),
    "path": PathConverter(),
}
