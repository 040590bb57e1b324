import pytest

from formula import EvaluationError, evaluate


def test_arithmetic():
    assert evaluate("2 * (3 + 4)") == 14


def test_variables():
    assert evaluate("price * amount", {"price": 2.5, "amount": 4}) == 10


def test_comparison():
    assert evaluate("2 <= 1 + 1") is True


def test_power_of_a_number():
    assert evaluate("3 ^ 2") == 9


def test_text_is_joined():
    assert evaluate('"item " & 3') == "item 3"


def test_functions():
    assert evaluate("SUM(1, 2, 3)") == 6
    assert evaluate("MAX(1, 7, 3)") == 7
    assert evaluate("ROUND(2.345, 1)") == 2.3
    assert evaluate('UPPER("abc")') == "ABC"


def test_if_takes_one_branch():
    assert evaluate("IF(n = 0, 0, 10 / n)", {"n": 0}) == 0
    assert evaluate("IF(n = 0, 0, 10 / n)", {"n": 5}) == 2


def test_unknown_variable():
    with pytest.raises(EvaluationError, match="variable x"):
        evaluate("x + 1")


def test_unknown_function():
    with pytest.raises(EvaluationError, match="function FOO"):
        evaluate("FOO(1)")


def test_division_by_zero():
    with pytest.raises(EvaluationError, match="division by zero"):
        evaluate("1 / 0")


def test_wrong_types():
    with pytest.raises(EvaluationError):
        evaluate('1 + "a"')
