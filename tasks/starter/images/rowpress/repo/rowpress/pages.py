"""Breaks the lines of a report into pages."""

from __future__ import annotations

from collections.abc import Sequence

from rowpress.runs import chunks

FORM_FEED = "\f"


def paginate(
    lines: Sequence[str], heading: Sequence[str], *, per_page: int, numbers: bool
) -> list[str]:
    """The text of each page: the heading, so many lines, and the page number if wanted.

    Without lines there is one page with nothing but the heading.
    """
    parts = list(chunks(lines, per_page)) or [[]]
    pages = []
    for number, part in enumerate(parts, start=1):
        footer = [f"- {number} of {len(parts)} -"] if numbers else []
        pages.append("\n".join([*heading, *part, *footer]))
    return pages


def bound(pages: Sequence[str]) -> str:
    """All pages as one text for a printer, with a form feed between two of them."""
    return FORM_FEED.join(page + "\n" for page in pages)
