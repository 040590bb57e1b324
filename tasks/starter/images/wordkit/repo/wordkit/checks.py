"""Questions about words."""


def is_palindrome(word: str) -> bool:
    """Tell whether a word reads the same backwards; capitals do not matter."""
    word = word.lower()
    return word == word[::-1]


def is_anagram(first: str, second: str) -> bool:
    """Tell whether two words have the same letters in another order."""
    return sorted(first) == sorted(second)
