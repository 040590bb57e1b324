"""A figure of a report: a chart, the table behind it, and what it cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ksolve.pages.tables import Table

INTERVAL = "95% interval over issues"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A chart and what belongs to it."""

    name: str
    # Of its file, where it gets one.
    caption: str
    drawn: Markup | None
    # None where there is nothing to draw.
    slim: Markup | None = None
    """The same for a phone."""
    table: Table | None = None
    notes: Sequence[str] = ()
