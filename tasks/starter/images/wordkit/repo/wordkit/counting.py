"""How many, and how long."""


def count_vowels(text: str) -> int:
    """Return how many letters of a text are vowels: a, e, i, o or u."""
    return sum(1 for letter in text.lower() if letter in "aeiou")


def count_words(text: str) -> int:
    """Return the number of words in a text."""
    return len(text.split())


def longest_word(text: str) -> str:
    """Return the longest word of a text, the first of several."""
    return max(text.split(), key=len, default="")
