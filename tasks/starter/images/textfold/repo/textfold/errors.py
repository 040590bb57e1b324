"""Errors raised by textfold."""


class TextfoldError(ValueError):
    """Base class of everything that textfold raises."""


class WidthError(TextfoldError):
    """The width leaves no room for any text."""

    def __init__(self, width: int, needed: int) -> None:
        super().__init__(f"width {width} is too small, at least {needed} is needed")
        self.width = width
        self.needed = needed
