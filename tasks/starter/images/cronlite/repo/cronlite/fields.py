"""One field of a cron expression, as the set of numbers it stands for."""

from __future__ import annotations

from collections.abc import Mapping

from cronlite.errors import ExpressionError


def _number(text: str, names: Mapping[str, int]) -> int:
    """A number, or a name such as `MON` in any case."""
    if text.upper() in names:
        return names[text.upper()]
    if not text.isdigit():
        raise ExpressionError(f"{text!r} is neither a number nor a known name")
    return int(text)


def _expand(item: str, low: int, high: int, names: Mapping[str, int]) -> range:
    """The numbers of one item: `*`, `5`, `1-5`, `*/10` or `8-18/2`."""
    span, slash, step_text = item.partition("/")
    step = 1
    if slash:
        if not step_text.isdigit() or int(step_text) == 0:
            raise ExpressionError(f"the step of {item!r} is not a positive number")
        step = int(step_text)
    if span == "*":
        first, last = low, high
    elif "-" in span:
        start, _, end = span.partition("-")
        first, last = _number(start, names), _number(end, names)
    else:
        first = _number(span, names)
        last = high if slash else first
    if not low <= first <= last <= high:
        raise ExpressionError(f"{item!r} is not within {low}-{high}")
    return range(first, last + 1, step)


def parse_field(
    text: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> frozenset[int]:
    """The numbers of a field, such as `1-5,10,*/20`, from `low` to `high` inclusive."""
    numbers: set[int] = set()
    for item in text.split(","):
        numbers.update(_expand(item.strip(), low, high, names or {}))
    return frozenset(numbers)
