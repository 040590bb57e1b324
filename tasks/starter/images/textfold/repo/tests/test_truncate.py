import pytest

from textfold import WidthError, truncate, truncate_middle, truncate_words


def test_short_text_is_unchanged():
    assert truncate("title", 20) == "title"


def test_long_text_ends_with_the_ellipsis():
    assert truncate("a long title", 8) == "a lon..."


def test_no_space_before_the_ellipsis():
    assert truncate("one two three", 7) == "one..."


def test_width_below_the_ellipsis_is_refused():
    with pytest.raises(WidthError):
        truncate("text", 2)


def test_middle_keeps_both_ends():
    assert truncate_middle("/usr/share/doc/readme", 12) == "/usr/...adme"


def test_words():
    assert truncate_words("one two three four", 2) == "one two..."
    assert truncate_words("one two", 2) == "one two"
