import pytest

from seqtools.flat import flatten, unique
from seqtools.grouping import chunked, count_values
from seqtools.matrix import rotate, transpose
from seqtools.merging import merge_sorted
from seqtools.search import binary_search


def test_search():
    assert binary_search([1, 4, 9, 16, 25], 9) == 2
    assert binary_search([1, 4, 9, 16, 25], 5) == -1


def test_chunks_of_equal_size():
    assert chunked([1, 2, 3, 4], 2) == [[1, 2], [3, 4]]


def test_chunks_of_no_size():
    with pytest.raises(ValueError):
        chunked([1], 0)


def test_counts():
    assert count_values(["a", "b", "a"]) == {"a": 2, "b": 1}


def test_merge():
    assert merge_sorted([1, 4, 6], [2, 3]) == [1, 2, 3, 4, 6]


def test_flat_and_unique():
    assert flatten([1, [2, [3]]]) == [1, 2, 3]
    assert unique([2, 1, 2]) == [2, 1]


def test_turned_round():
    assert transpose([[1, 2], [3, 4]]) == [[1, 3], [2, 4]]
    assert rotate([1, 2, 3], 1) == [2, 3, 1]
