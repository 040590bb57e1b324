"""Percentages of and between two numbers."""


def percent_change(old: float, new: float) -> float:
    """Return by how much percent of the old value a number has changed."""
    if old == 0:
        raise ValueError("nothing can be compared with 0")
    return (new - old) / old * 100


def percent_of(part: float, whole: float) -> float:
    """Return how much percent of the whole a part is."""
    if whole == 0:
        return 0.0
    return part / whole * 100
