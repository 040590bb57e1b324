"""Kinds of cells that hold days and months."""

from __future__ import annotations

from datetime import date

from rowpress.kinds import Kind
from rowpress.locales import Locale


class Day(Kind):
    """A day, read as in ISO 8601 and printed as the locale has it."""

    name = "day"

    def read(self, text: str) -> date:
        return date.fromisoformat(text)

    def show(self, value: date, locale: Locale) -> str:
        return value.strftime(locale.day)


class Month(Kind):
    """A month, held as its first day."""

    name = "month"

    def read(self, text: str) -> date:
        return date.fromisoformat(text if text.count("-") > 1 else f"{text}-01").replace(day=1)

    def show(self, value: date, locale: Locale) -> str:
        return f"{value:%Y-%m}"
