"""Writes a parsed formula back as text."""

from __future__ import annotations

from decimal import Decimal

from formula.nodes import PRECEDENCE, RIGHT_ASSOCIATIVE, Binary, Call, Literal, Name, Negation, Node


def render(node: Node) -> str:
    """Return a text that parses to the same tree, with no needless parentheses."""
    if isinstance(node, Literal):
        return _literal(node.value)
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Call):
        return f"{node.name}({', '.join(render(each) for each in node.arguments)})"
    if isinstance(node, Negation):
        return "-" + _operand(node.operand, PRECEDENCE["^"])
    return _binary(node)


def _binary(node: Binary) -> str:
    level = PRECEDENCE[node.operator]
    if node.operator in RIGHT_ASSOCIATIVE:
        left, right = _operand(node.left, level + 1), _operand(node.right, level)
    else:
        left, right = _operand(node.left, level), _operand(node.right, level + 1)
    return f"{left} {node.operator} {right}"


def _operand(node: Node, minimum: int) -> str:
    """Render one side, in parentheses if it binds less strongly than `minimum`."""
    text = render(node)
    return f"({text})" if _strength(node) < minimum else text


def _strength(node: Node) -> int:
    if isinstance(node, Binary):
        return PRECEDENCE[node.operator]
    return PRECEDENCE["^"] if isinstance(node, Negation) else PRECEDENCE["^"] + 1


def _literal(value: float | str) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return format(Decimal(repr(value)).normalize(), "f")
