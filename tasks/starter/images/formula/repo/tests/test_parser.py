import pytest

from formula import FormulaSyntaxError, parse
from formula.nodes import Binary, Call, Literal, Name, Negation


def test_product_binds_more_strongly_than_sum():
    assert parse("1 + 2 * 3") == Binary(
        "+", Literal(1.0), Binary("*", Literal(2.0), Literal(3.0))
    )


def test_parentheses_group():
    assert parse("(1 + 2) * 3") == Binary(
        "*", Binary("+", Literal(1.0), Literal(2.0)), Literal(3.0)
    )


def test_call_with_arguments():
    assert parse("MAX(a, 2)") == Call("MAX", (Name("a"), Literal(2.0)))


def test_call_without_arguments():
    assert parse("NOW()") == Call("NOW", ())


def test_minus_sign():
    assert parse("-a + 1") == Binary("+", Negation(Name("a")), Literal(1.0))


def test_doubled_quote_in_text():
    assert parse('"say ""hi"""') == Literal('say "hi"')


def test_unclosed_parenthesis():
    with pytest.raises(FormulaSyntaxError):
        parse("(1 + 2")


def test_unknown_character_is_located():
    with pytest.raises(FormulaSyntaxError) as caught:
        parse("1 + ?")
    assert caught.value.column == 5


def test_missing_operand():
    with pytest.raises(FormulaSyntaxError):
        parse("1 +")
