import pytest

from pathrouter import RedirectLoop, RedirectMap, build_query, merge_query, parse_query


def test_values_are_collected_in_order():
    assert parse_query("?tag=a&page=2&tag=b") == {"tag": ["a", "b"], "page": ["2"]}


def test_escapes_are_decoded():
    assert parse_query("q=caf%C3%A9+noir") == {"q": ["café noir"]}


def test_a_name_alone_has_an_empty_value():
    assert parse_query("debug&x=") == {"debug": [""], "x": [""]}


def test_build_repeats_lists_and_skips_none():
    assert build_query({"tag": ["a", "b"], "page": None, "q": "x y"}) == "tag=a&tag=b&q=x+y"


def test_merge_replaces_and_keeps():
    assert merge_query("/list?page=1&sort=name#top", {"page": 2}) == "/list?page=2&sort=name#top"


def test_redirects_are_followed():
    moved = RedirectMap()
    moved.add("/old", "/newer")
    moved.add("/newer", "/newest")
    assert moved.resolve("/old") == "/newest"
    assert moved.resolve("/other") == "/other"


def test_a_redirect_loop_is_an_error():
    moved = RedirectMap()
    moved.add("/a", "/b")
    moved.add("/b", "/a")
    with pytest.raises(RedirectLoop, match="/a -> /b -> /a"):
        moved.resolve("/a")
