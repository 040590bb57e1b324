"""What comes with the package."""

from stepline.builtin import lists, numbers, text

__all__ = ["lists", "numbers", "text"]
