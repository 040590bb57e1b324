import pytest

from stepline import UnknownAction, action, action_named


def test_numbers():
    assert action_named("sum")([[1, 2], 3]) == 6
    assert action_named("mean")([[1, 2]]) == 1.5
    assert action_named("minus")([10, 3, 2]) == 5
    assert action_named("scale")([[1, 2]], by=3) == [3, 6]


def test_numbers_are_needed():
    with pytest.raises(ValueError, match="no numbers"):
        action_named("sum")([])


def test_text():
    assert action_named("upper")(["ab"]) == "AB"
    assert action_named("join")(["a", 1], separator="-") == "a-1"
    assert action_named("template")(["x"], text="<{}>") == "<x>"


def test_unknown_action():
    with pytest.raises(UnknownAction, match="'guess'"):
        action_named("guess")


def test_name_is_used_once():
    with pytest.raises(ValueError, match="already"):
        action("sum")(len)
