"""Actions on numbers. An input is a number or a list of them."""

from __future__ import annotations

from collections.abc import Sequence

from stepline.actions import action

Number = int | float
Numbers = Number | Sequence[Number]


def flat(inputs: Sequence[Numbers]) -> list[Number]:
    """The numbers of all inputs. Raises ValueError when there are none."""
    found: list[Number] = []
    for item in inputs:
        found.extend(item if isinstance(item, (list, tuple)) else [item])
    if not found:
        raise ValueError("there are no numbers")
    return found


@action("sum")
def total(inputs: Sequence[Numbers]) -> Number:
    """The sum of all numbers."""
    return sum(flat(inputs))


@action("mean")
def mean(inputs: Sequence[Numbers]) -> Number:
    """The mean of all numbers, as a whole number where it is one."""
    numbers = flat(inputs)
    result = sum(numbers) / len(numbers)
    return int(result) if result == int(result) else result


@action("minus")
def minus(inputs: Sequence[Numbers]) -> Number:
    """The first number less all the others."""
    first, *others = flat(inputs)
    return first - sum(others)


@action("scale")
def scale(inputs: Sequence[Numbers], by: Number = 1) -> list[Number]:
    """Every number times the factor."""
    return [number * by for number in flat(inputs)]
