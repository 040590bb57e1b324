from formula import parse, render


def test_spaces_are_made_even():
    assert render(parse("1+2 *a")) == "1 + 2 * a"


def test_parentheses_that_matter_stay():
    assert render(parse("(1 + 2) * 3")) == "(1 + 2) * 3"


def test_needless_parentheses_go():
    assert render(parse("(1 + (2 * 3))")) == "1 + 2 * 3"


def test_call():
    assert render(parse("MAX(1,a , 2.5)")) == "MAX(1, a, 2.5)"


def test_text_with_a_quote():
    assert render(parse('"say ""hi"""')) == '"say ""hi"""'


def test_minus_sign():
    assert render(parse("-(a + 1)")) == "-(a + 1)"


def test_sign_of_a_base_stays_with_it():
    assert render(parse("(-2) ^ 2")) == "(-2) ^ 2"
    assert render(parse("-2 ^ 2")) == "-2 ^ 2"


def test_numbers_have_no_exponent():
    assert render(parse("100 * 0.0000001")) == "100 * 0.0000001"
