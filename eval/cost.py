"""Money, shares and counts: sums that may be unknown, and how all of them are written.

Pure functions over money that was metered elsewhere. An unknown price is None and makes whatever
is built on it None: it is never taken for 0.
"""

from __future__ import annotations

from eval.intervals import SAME

SMALLEST = 1e-6
"""Dollars that are still written as a number."""


def add(a: float | None, b: float | None) -> float | None:
    """Add two amounts; unknown if either is."""
    return None if a is None or b is None else a + b


def cost_per_sample(total: float | None, samples: int) -> float | None:
    """Mean money for one sample; None when nothing was drawn or the price is unknown."""
    return None if total is None or samples == 0 else total / samples


def cost_per_solve(total: float | None, solved: int) -> float | None:
    """Money spent for each issue solved; None when none was or the price is unknown."""
    return None if total is None or solved == 0 else total / solved


def money(amount: float | None, digits: int = 2) -> str:
    """Write dollars with two decimals, or with `digits` significant ones where those say more."""
    if amount is None:
        return "unknown"
    if amount == 0:
        return "$0"
    if amount < SMALLEST:
        return f"under ${SMALLEST:f}"
    exponent = int(f"{amount:.{digits - 1}e}".partition("e")[2])
    return f"${amount:,.{max(2, digits - 1 - exponent)}f}"


def percent(share: float, issues: int = 0) -> str:
    """Write a share of issues with a decimal only where there are issues enough to carry it.

    Less than all is never written as 100%, nor more than nothing as 0%. Without `issues` it is a
    share of something else.
    """
    digits = 1 if issues >= 100 else 0  # noqa: PLR2004 - 1% is one issue
    least = 10.0**-digits
    if SAME < share < 1 - SAME:
        if f"{100 * share:.{digits}f}" == f"{100:.{digits}f}":
            return f"over {100 - least:.{digits}f}%"
        if not float(f"{100 * share:.{digits}f}"):
            return f"under {least:.{digits}f}%"
    return f"{share:.{digits}%}"


def count(number: float, noun: str = "", nouns: str = "") -> str:
    """Write a count with its noun, in the plural where that is due: `nouns`, or one with an s."""
    many = nouns or f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}" if noun else f"{number:,}"
