"""Actions on lists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from stepline.actions import action


@action("give")
def give(inputs: Sequence[Any], value: Any) -> Any:
    """The value that the plan holds."""
    return value


@action("first")
def first(inputs: Sequence[Sequence[Any]], count: int = 1) -> list[Any]:
    """The first few items of the only input."""
    (items,) = inputs
    return list(items[:count])


@action("unique")
def unique(inputs: Sequence[Sequence[Any]]) -> list[Any]:
    """Each item of the only input once, where it came first."""
    (items,) = inputs
    return list(dict.fromkeys(items))


@action("chain")
def chained(inputs: Sequence[Sequence[Any]]) -> list[Any]:
    """The items of all inputs in one list."""
    return list(chain.from_iterable(inputs))
