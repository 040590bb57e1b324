"""Words in another order."""


def reverse_words(text: str) -> str:
    """Return the words of a text from the last to the first."""
    return " ".join(reversed(text.split()))


def sort_words(words: list[str]) -> list[str]:
    """Sort words as in a dictionary, where capitals do not matter."""
    return sorted(words, key=str.lower)
