"""Computes the value of a formula."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from formula.errors import EvaluationError
from formula.functions import Value, lookup
from formula.nodes import Binary, Call, Literal, Name, Negation, Node
from formula.parser import parse

OPERATIONS: dict[str, Callable[..., Value]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}


def evaluate(source: str | Node, variables: Mapping[str, Value] | None = None) -> Value:
    """Return the value of a formula. Raises FormulaSyntaxError or EvaluationError."""
    node = parse(source) if isinstance(source, str) else source
    try:
        return _value(node, variables or {})
    except ZeroDivisionError:
        raise EvaluationError("division by zero") from None
    except TypeError as error:
        raise EvaluationError(str(error)) from error


def _value(node: Node, variables: Mapping[str, Value]) -> Value:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Name):
        if node.name not in variables:
            raise EvaluationError(f"there is no variable {node.name}")
        return variables[node.name]
    if isinstance(node, Negation):
        return -_value(node.operand, variables)
    if isinstance(node, Binary):
        left, right = _value(node.left, variables), _value(node.right, variables)
        if node.operator == "&":
            return _text(left) + _text(right)
        return OPERATIONS[node.operator](left, right)
    return _call(node, variables)


def _call(node: Call, variables: Mapping[str, Value]) -> Value:
    if node.name.upper() == "IF":
        if len(node.arguments) != 3:
            raise EvaluationError("IF takes a condition and two values")
        condition, then, otherwise = node.arguments
        return _value(then if _value(condition, variables) else otherwise, variables)
    function = lookup(node.name)
    return function(*(_value(argument, variables) for argument in node.arguments))


def _text(value: Value) -> str:
    """Write a value as a text; whole numbers have no fraction."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
