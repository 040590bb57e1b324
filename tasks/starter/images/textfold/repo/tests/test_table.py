import pytest

from textfold import TextfoldError, format_table


def test_columns_are_aligned():
    assert format_table(["name", "size"], [["a", 1], ["bb", 20]], align="lr") == (
        "name  size\n"
        "----  ----\n"
        "a        1\n"
        "bb      20"
    )


def test_headers_alone():
    assert format_table(["id"], []) == "id\n--"


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(TextfoldError, match="row 2"):
        format_table(["a", "b"], [[1, 2], [3]])


def test_an_unknown_alignment_is_refused():
    with pytest.raises(TextfoldError, match="align"):
        format_table(["a"], [], align="x")
