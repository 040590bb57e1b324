from wordkit.checks import is_anagram, is_palindrome
from wordkit.counting import count_vowels, count_words, longest_word
from wordkit.order import reverse_words, sort_words
from wordkit.shapes import initials, snake_case


def test_vowels():
    assert count_vowels("hello") == 2
    assert count_vowels("rhythm") == 0


def test_words():
    assert count_words("to be or not") == 4
    assert longest_word("a bee can") == "bee"
    assert longest_word("") == ""


def test_palindromes():
    assert is_palindrome("level")
    assert not is_palindrome("lever")


def test_anagrams():
    assert is_anagram("listen", "silent")
    assert not is_anagram("apple", "grape")


def test_order():
    assert reverse_words("a b c") == "c b a"
    assert sort_words(["pear", "apple"]) == ["apple", "pear"]


def test_shapes():
    assert initials("Ada Lovelace") == "AL"
    assert snake_case("total cost") == "total_cost"
