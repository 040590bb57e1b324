import math

import pytest

from planekit.boxes import diagonal, rectangle_area, rectangle_perimeter
from planekit.circles import circle_area, circumference, sector_area
from planekit.triangles import is_triangle, triangle_area


def test_circle():
    assert circle_area(2) == pytest.approx(4 * math.pi)
    assert circumference(3) == pytest.approx(6 * math.pi)


def test_no_slice():
    assert sector_area(5, 0) == 0


def test_sides_that_do_not_meet():
    assert not is_triangle(1, 2, 9)
    with pytest.raises(ValueError):
        triangle_area(1, 2, 9)


def test_box():
    assert rectangle_area(3, 4) == 12
    assert diagonal(3, 4) == 5


def test_flat_box():
    assert rectangle_perimeter(6, 0) == 12
