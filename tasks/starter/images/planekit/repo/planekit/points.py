"""Points as pairs (x, y)."""

import math

Point = tuple[float, float]


def distance(a: Point, b: Point) -> float:
    """Return the distance between two points."""
    return math.sqrt((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2)


def midpoint(a: Point, b: Point) -> Point:
    """Return the point halfway between two points."""
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)


def move(point: Point, dx: float, dy: float) -> Point:
    """Return the point that lies `dx` to the right and `dy` above."""
    return (point[0] + dx, point[1] + dy)
