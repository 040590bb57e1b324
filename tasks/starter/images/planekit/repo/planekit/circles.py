"""Circles, given by their radius."""

import math


def circle_area(radius: float) -> float:
    """Return the area of a circle."""
    return math.pi * radius**2


def circumference(radius: float) -> float:
    """Return the length of the line around a circle."""
    return 2 * math.pi * radius


def sector_area(radius: float, degrees: float) -> float:
    """Return the area of a slice of a circle."""
    return circle_area(radius) * degrees / 360
