"""Numbers as people read them: sizes, durations, counts."""

from __future__ import annotations

SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")
DURATION_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def format_size(count: int, digits: int = 1) -> str:
    """A number of bytes in the largest decimal unit that leaves at least 1."""
    if count < 0:
        raise ValueError(f"a size cannot be negative: {count}")
    size = float(count)
    for unit in SIZE_UNITS:
        if size < 1000 or unit == SIZE_UNITS[-1]:
            break
        size /= 1000
    return f"{count} B" if unit == "B" else f"{size:.{digits}f} {unit}"


def format_duration(seconds: float, parts: int = 2) -> str:
    """A duration in its `parts` largest units, such as `2h 5m`."""
    rest = round(seconds)
    found: list[str] = []
    for unit, length in DURATION_UNITS:
        amount, rest = divmod(rest, length)
        if amount:
            found.append(f"{amount}{unit}")
    return " ".join(found[:parts]) or "0s"


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """A count and its noun: `1 file`, `3 files`, `0 files`."""
    if count == 1:
        return f"{count} {singular}"
    return f"{count} {plural or singular + 's'}"
