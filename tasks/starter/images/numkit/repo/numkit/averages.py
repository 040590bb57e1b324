"""Averages of a list of numbers."""


def mean(numbers: list[float]) -> float:
    """Return the arithmetic mean."""
    if not numbers:
        raise ValueError("no numbers")
    return sum(numbers) / len(numbers)


def median(numbers: list[float]) -> float:
    """Return the middle number, or the mean of the two middle ones."""
    if not numbers:
        raise ValueError("no numbers")
    ordered = sorted(numbers)
    n = len(ordered)
    if n % 2 == 1:
        return ordered[n // 2]
    return (ordered[n // 2 - 1] + ordered[n // 2]) / 2
