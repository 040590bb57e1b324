"""Columns: which field of a record is printed, under which title, and how."""

from __future__ import annotations

from collections.abc import Iterable

from rowpress.kinds import kind_named
from rowpress.locales import Locale


class Column:
    """One column of a report. The options are those of its kind, such as digits."""

    def __init__(
        self,
        field: str,
        kind: str = "text",
        *,
        title: str | None = None,
        width: int | None = None,
        **options: object,
    ) -> None:
        self.field = field
        self.kind = kind_named(kind, **options)
        self.title = field.replace("_", " ").capitalize() if title is None else title
        self.width = width

    def read(self, text: str | None) -> object | None:
        """The value of a cell, None when it is blank. Raises ValueError."""
        text = (text or "").strip()
        return self.kind.read(text) if text else None

    def show(self, value: object | None, locale: Locale) -> str:
        """The text of a value, empty for None."""
        return "" if value is None else self.kind.show(value, locale)

    def width_for(self, texts: Iterable[str]) -> int:
        """The fixed width, or else what the widest of these texts and the title take."""
        if self.width is not None:
            return self.width
        return max(len(text) for text in (self.title, *texts))

    def fit(self, text: str, width: int) -> str:
        """A text in exactly this width; what is too long is cut and ends with `~`."""
        if len(text) > width:
            text = text[: width - 1] + "~"
        return f"{text:{self.kind.align}{width}}"
