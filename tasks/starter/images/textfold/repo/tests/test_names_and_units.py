from textfold import (
    bullet_list,
    dedent,
    format_duration,
    format_size,
    indent,
    pluralize,
    slugify,
    unique_slug,
)


def test_slugs():
    assert slugify("Crème Brûlée, twice!") == "creme-brulee-twice"
    assert slugify("one two three", max_length=8) == "one-two"


def test_unique_slug_counts_up():
    assert unique_slug("News", {"news", "news-2"}) == "news-3"


def test_sizes():
    assert format_size(999) == "999 B"
    assert format_size(12_500_000) == "12.5 MB"


def test_durations():
    assert format_duration(7500) == "2h 5m"
    assert format_duration(0) == "0s"


def test_counts():
    assert pluralize(1, "file") == "1 file"
    assert pluralize(0, "entry", "entries") == "0 entries"


def test_indent_leaves_blank_lines():
    assert indent("a\n\nb", "> ") == "> a\n\n> b"


def test_dedent_removes_the_common_margin():
    assert dedent("    a\n      b\n\n    c") == "a\n  b\n\nc"


def test_bullets_of_one_line():
    assert bullet_list(["milk", "bread"]) == "- milk\n- bread"
