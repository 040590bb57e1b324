"""Angles in degrees and radians."""

import math


def to_radians(degrees: float) -> float:
    """Convert an angle from degrees to radians."""
    return degrees * math.pi / 180


def to_degrees(radians: float) -> float:
    """Convert an angle from radians to degrees."""
    return radians * 180 / math.pi


def normalize(degrees: float) -> float:
    """Return the same direction as an angle from 0 up to 360 degrees."""
    return degrees % 360
