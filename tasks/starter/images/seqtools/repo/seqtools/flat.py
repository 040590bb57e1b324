"""Nested and repeated items."""


def flatten(items: list) -> list:
    """Return the items of a list and of the lists in it, to any depth."""
    result = []
    for item in items:
        if isinstance(item, list):
            result.extend(flatten(item))
        else:
            result.append(item)
    return result


def unique(items: list) -> list:
    """Return each item once, in the order of first occurrence."""
    return list(dict.fromkeys(items))
