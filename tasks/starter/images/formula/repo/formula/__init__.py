"""Spreadsheet-like formulas: parse, evaluate, write back."""

from formula.errors import EvaluationError, FormulaError, FormulaSyntaxError
from formula.evaluate import evaluate
from formula.parser import parse
from formula.render import render

__all__ = [
    "EvaluationError",
    "FormulaError",
    "FormulaSyntaxError",
    "evaluate",
    "parse",
    "render",
]
