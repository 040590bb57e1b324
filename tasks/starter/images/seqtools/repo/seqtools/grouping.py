"""Lists cut up or counted."""


def chunked(items: list, size: int) -> list:
    """Cut a list into chunks of `size` items."""
    if size < 1:
        raise ValueError("size must be at least 1")
    return [items[i : i + size] for i in range(0, len(items), size)]


def count_values(items: list) -> dict:
    """Return how often each item occurs."""
    counts: dict = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts
