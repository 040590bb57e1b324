"""Sequences in parts, without a copy of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")


def runs(items: Iterable[T], key: Callable[[T], K]) -> Iterator[tuple[K, list[T]]]:
    """Neighbours that have the same key, as (key, items)."""
    current: list[T] = []
    last = None
    for item in items:
        value = key(item)
        if current and value != last:
            yield last, current
            current = []
        current.append(item)
        last = value
    if current:
        yield last, current


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Parts of this size; the last may be shorter."""
    if size < 1:
        raise ValueError(f"size must be at least 1, not {size}")
    for start in range(0, len(items), size):
        yield items[start : start + size]
