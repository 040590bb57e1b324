import math

import pytest

from planekit.angles import normalize, to_degrees, to_radians
from planekit.points import distance, midpoint, move


def test_distance_on_a_line():
    assert distance((1, 2), (6, 2)) == 5


def test_midpoint_on_a_line():
    assert midpoint((0, 0), (4, 0)) == (2, 0)


def test_move():
    assert move((1, 2), 3, -2) == (4, 0)


def test_no_angle():
    assert to_radians(0) == 0
    assert normalize(-90) == 270


def test_half_a_turn():
    assert to_degrees(math.pi) == pytest.approx(180)
