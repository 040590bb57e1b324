"""Search in a sorted list."""


def binary_search(items: list, target: object) -> int:
    """Return the index of `target` in a sorted list, or -1."""
    low = 0
    high = len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == target:
            return middle
        if items[middle] < target:
            low = middle + 1
        else:
            high = middle - 1
    return -1
