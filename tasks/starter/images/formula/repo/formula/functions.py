"""The functions that a formula may call."""

from __future__ import annotations

from collections.abc import Callable

from formula.errors import EvaluationError

Value = float | str | bool


def total(*numbers: float) -> float:
    """Add up any count of numbers."""
    return sum(numbers)


def round_half_up(number: float, digits: float = 0) -> float:
    """Round as taught in school: a half goes away from zero."""
    scale = 10 ** int(digits)
    shifted = abs(number) * scale + 0.5
    return (1 if number >= 0 else -1) * int(shifted) / scale


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "SUM": total,
    "MIN": min,
    "MAX": max,
    "ROUND": round_half_up,
    "LEN": len,
    "UPPER": str.upper,
    "LOWER": str.lower,
}


def lookup(name: str) -> Callable[..., Value]:
    """Return the function of that name. Raises EvaluationError when there is none."""
    function = FUNCTIONS.get(name.upper())
    if function is None:
        raise EvaluationError(f"there is no function {name}")
    return function
