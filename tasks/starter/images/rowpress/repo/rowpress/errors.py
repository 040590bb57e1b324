"""Errors raised by rowpress."""

from __future__ import annotations


class RowpressError(Exception):
    """Base class of everything that rowpress raises."""


class UnknownKind(RowpressError):
    """No kind of cell has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no kind named {name!r}")
        self.name = name


class UnknownLocale(RowpressError):
    """No locale has this code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"there is no locale {code!r}")
        self.code = code


class BadCell(RowpressError):
    """The text of a cell is not what its column holds."""

    def __init__(self, row: int, field: str, reason: str) -> None:
        super().__init__(f"row {row}, {field}: {reason}")
        self.row = row
        self.field = field


class BadStyle(RowpressError):
    """A style has no such setting."""
