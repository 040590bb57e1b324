"""Indentation and lists."""

from __future__ import annotations

from collections.abc import Iterable

from textfold.wrap import wrap


def indent(text: str, prefix: str = "    ") -> str:
    """Put `prefix` before every line that is not blank."""
    return "\n".join(prefix + line if line.strip() else line for line in text.split("\n"))


def dedent(text: str) -> str:
    """Remove the indentation that all lines have in common; blank lines do not count."""
    lines = text.split("\n")
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    margin = min(margins, default=0)
    return "\n".join(line[margin:] if line.strip() else "" for line in lines)


def bullet_list(items: Iterable[str], width: int = 72, bullet: str = "-") -> str:
    """Items below one another, each folded and hanging under its bullet."""
    lead = bullet + " "
    lines: list[str] = []
    for item in items:
        lines.extend(
            wrap(item, width, initial_indent=lead, subsequent_indent=" " * len(lead))
        )
    return "\n".join(lines)
