import pytest

from pathrouter import Pattern, PatternError


def test_converters():
    assert Pattern("/c/<hex:color>").match("/c/ff00").get("color") == 0xFF00
    assert Pattern("/t/<slug:tag>").match("/t/a b") is None


def test_dots_are_literal():
    assert Pattern("/robots.txt").match("/robotsxtxt") is None


def test_build():
    assert Pattern("/c/<hex:color>").build(color=255) == "/c/ff"
    assert Pattern("/files/<path:name>").build(name="a/b") == "/files/a/b"


@pytest.mark.parametrize("text", ["users", "/<float:x>", "/<a>/<a>"])
def test_bad_patterns(text):
    with pytest.raises(PatternError):
        Pattern(text)
