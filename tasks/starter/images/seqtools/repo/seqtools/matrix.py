"""Lists turned round."""


def transpose(rows: list[list]) -> list[list]:
    """Return the columns of a matrix as rows."""
    return [list(column) for column in zip(*rows)]


def rotate(items: list, steps: int) -> list:
    """Move the first `steps` items to the end."""
    if not items:
        return []
    steps = steps % len(items)
    return items[steps:] + items[:steps]
