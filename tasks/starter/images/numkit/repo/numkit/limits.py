"""Numbers kept within limits."""


def clamp(value: float, low: float, high: float) -> float:
    """Return the nearest number from `low` to `high`."""
    if low > high:
        raise ValueError("low is above high")
    return max(low, min(value, high))


def round_to(value: float, step: float) -> float:
    """Return the multiple of `step` that is nearest to a number."""
    return round(value / step) * step
