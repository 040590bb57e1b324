"""Triangles, given by the lengths of their sides."""

import math


def is_triangle(a: float, b: float, c: float) -> bool:
    """Tell whether a triangle has these three sides."""
    return a + b > c and b + c > a and a + c > b


def triangle_area(a: float, b: float, c: float) -> float:
    """Return the area of a triangle, by Heron's formula."""
    if not is_triangle(a, b, c):
        raise ValueError("no triangle has these sides")
    s = (a + b + c) / 2
    return math.sqrt(s * (s - a) * (s - b) * (s - c))
