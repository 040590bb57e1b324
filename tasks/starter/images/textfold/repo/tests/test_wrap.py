import pytest

from textfold import WidthError, fill, wrap

TEXT = "the quick brown fox jumps over the lazy dog"


def test_lines_stay_within_the_width():
    assert wrap(TEXT, 15) == ["the quick brown", "fox jumps over", "the lazy dog"]


def test_empty_text_has_no_lines():
    assert wrap("   ", 10) == []


def test_a_single_line_starts_with_the_initial_indent():
    assert wrap("short note", 20, initial_indent="* ") == ["* short note"]


def test_a_long_word_is_broken():
    assert wrap("abcdefgh ij", 5) == ["abcde", "fgh", "ij"]


def test_a_long_word_may_be_kept():
    assert wrap("abcdefgh ij", 5, break_long_words=False) == ["abcdefgh", "ij"]


def test_indents_wider_than_the_width_are_refused():
    with pytest.raises(WidthError):
        wrap("text", 3, subsequent_indent="    ")


def test_fill_keeps_paragraphs():
    assert fill("one two\n\nthree four", 7) == "one two\n\nthree\nfour"
