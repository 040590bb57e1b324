"""The base of the kinds of cells, and where they are found by name.

A kind turns text into a value and a value into text. Its class enters itself under its `name`
when it is defined.
"""

from __future__ import annotations

from typing import ClassVar

from rowpress.errors import UnknownKind
from rowpress.locales import Locale

KINDS: dict[str, type[Kind]] = {}
_made: dict[object, Kind] = {}


class Kind:
    """Text as it is."""

    name: ClassVar[str]
    align: ClassVar[str] = "<"

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            KINDS[cls.name] = cls

    def read(self, text: str) -> object:
        """The value of a text that is not blank. Raises ValueError."""
        return text

    def show(self, value: object, locale: Locale) -> str:
        """A value as text."""
        return str(value)


class Text(Kind):
    """Text with single spaces."""

    name = "text"

    def read(self, text: str) -> str:
        return " ".join(text.split())


def kind_named(name: str, **options: object) -> Kind:
    """An instance of the kind with this name, made once and then shared. Raises UnknownKind."""
    if name not in KINDS:
        raise UnknownKind(name)
    key = (name, *sorted(options.items()))
    if key not in _made:
        _made[key] = KINDS[name](**options)
    return _made[key]
