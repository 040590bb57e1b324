import pytest

from rowpress.pages import bound, paginate
from rowpress.runs import chunks, runs


def test_neighbours_with_one_key_stay_together():
    words = ["ant", "ape", "bee", "asp"]
    assert list(runs(words, key=lambda word: word[0])) == [
        ("a", ["ant", "ape"]),
        ("b", ["bee"]),
        ("a", ["asp"]),
    ]


def test_nothing_has_no_runs():
    assert list(runs([], key=len)) == []


def test_last_chunk_may_be_shorter():
    assert list(chunks("abcde", 2)) == ["ab", "cd", "e"]


def test_chunk_needs_a_size():
    with pytest.raises(ValueError, match="at least 1"):
        list(chunks("abc", 0))


def test_each_page_has_the_heading_and_its_number():
    pages = paginate(["1", "2", "3"], ["H"], per_page=2, numbers=True)
    assert pages == ["H\n1\n2\n- 1 of 2 -", "H\n3\n- 2 of 2 -"]


def test_empty_report_has_one_page():
    assert paginate([], ["H"], per_page=2, numbers=False) == ["H"]


def test_form_feed_stands_between_pages():
    assert bound(["a", "b"]) == "a\n\fb\n"
