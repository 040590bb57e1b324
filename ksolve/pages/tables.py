"""Tables as data: what a cell says, what it is sorted by, and the interval beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.axes import Axis, written
from eval.cost import percent


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The head of a column."""

    text: str
    is_words: bool = False
    # Aligned as text, where numbers are not.


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One cell; `value` is what it is sorted by, where that is not what it says."""

    text: str
    value: float | str | None = None
    small: str = ""
    # Said more quietly beside it: an interval, or what the number stands on.


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table with the sentence that says what it holds."""

    caption: str
    head: Sequence[Head]
    rows: Sequence[Sequence[Cell]]


def heads(*names: str, words: Sequence[str] = ()) -> tuple[Head, ...]:
    """Return heads of these names, of which `words` are text."""
    return tuple(Head(text=name, is_words=name in words) for name in names)


def number(value: float | None, form: str = ",.0f", *, unit: str = "") -> Cell:
    """Return a number with its unit."""
    if value is None:
        return Cell(text="unknown")
    return Cell(text=format(value, form) + unit, value=value)


def cost(
    value: float | None, axis: Axis, low: float | None = None, high: float | None = None
) -> Cell:
    """Return an amount of an axis of cost and its interval."""
    end = "or more" if high is None else f"to {written(high, axis)}"
    small = "" if low is None else f"{written(low, axis)} {end}"
    return Cell(text=written(value, axis), value=value, small=small)


def share(
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    issues: int = 0,
) -> Cell:
    """Return a share of issues and its interval."""
    if value is None:
        return Cell(text="-")
    return Cell(text=percent(value, issues), value=value, small=between(low, high, issues))


def between(low: float | None, high: float | None, issues: int) -> str:
    """Write an interval of shares; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{percent(low, issues)} to {percent(high, issues)}"
