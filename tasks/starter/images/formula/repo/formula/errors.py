"""Everything that formula raises on purpose."""


class FormulaError(Exception):
    """Base of all errors of this package."""


class FormulaSyntaxError(FormulaError):
    """The text is not a formula; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} (column {column})")
        self.column = column


class EvaluationError(FormulaError):
    """The formula is well formed, but has no value."""
