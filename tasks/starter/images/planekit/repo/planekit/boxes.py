"""Rectangles, given by width and height."""

import math


def rectangle_area(width: float, height: float) -> float:
    """Return the area of a rectangle."""
    return width * height


def rectangle_perimeter(width: float, height: float) -> float:
    """Return the length of the line around a rectangle."""
    return 2 * (width + height)


def diagonal(width: float, height: float) -> float:
    """Return the distance between opposite corners."""
    return math.hypot(width, height)
