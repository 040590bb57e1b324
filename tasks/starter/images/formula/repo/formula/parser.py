"""Turns the text of a formula into a tree, by precedence climbing."""

from __future__ import annotations

from formula.errors import FormulaSyntaxError
from formula.nodes import PRECEDENCE, RIGHT_ASSOCIATIVE, Binary, Call, Literal, Name, Negation, Node
from formula.tokens import Token, tokenize


def parse(source: str) -> Node:
    """Parse a whole formula. Raises FormulaSyntaxError."""
    parser = _Parser(source)
    node = parser.expression(minimum=1)
    parser.expect("end", "")
    return node


class _Parser:
    def __init__(self, source: str) -> None:
        self._tokens = list(tokenize(source))
        self._position = 0

    @property
    def current(self) -> Token:
        return self._tokens[self._position]

    def advance(self) -> Token:
        token = self.current
        self._position += 1
        return token

    def expect(self, kind: str, text: str) -> None:
        token = self.advance()
        if (token.kind, token.text) != (kind, text):
            wanted = text or "the end"
            raise FormulaSyntaxError(f"expected {wanted}, got {token.text!r}", token.column)

    def expression(self, minimum: int) -> Node:
        """Read operators that bind at least as strongly as `minimum`."""
        left = self.operand()
        while PRECEDENCE.get(self.current.text, 0) >= minimum:
            operator = self.advance().text
            level = PRECEDENCE[operator]
            right = self.expression(level if operator in RIGHT_ASSOCIATIVE else level + 1)
            left = Binary(operator, left, right)
        return left

    def operand(self) -> Node:
        """Read one value: a literal, a name, a call, or something in parentheses."""
        token = self.advance()
        if token.text == "-":
            return Negation(self.expression(PRECEDENCE["^"]))
        if token.text == "(":
            node = self.expression(minimum=1)
            self.expect("mark", ")")
            return node
        if token.kind == "number":
            return Literal(float(token.text))
        if token.kind == "text":
            return Literal(token.text[1:-1].replace('""', '"'))
        if token.kind == "name":
            if self.current.text == "(":
                return Call(token.text, self.arguments())
            return Name(token.text)
        raise FormulaSyntaxError(f"expected a value, got {token.text!r}", token.column)

    def arguments(self) -> tuple[Node, ...]:
        """Read a list of arguments with its parentheses."""
        self.advance()
        found = []
        if self.current.text != ")":
            found.append(self.expression(minimum=1))
            while self.current.text == ",":
                self.advance()
                found.append(self.expression(minimum=1))
        self.expect("mark", ")")
        return tuple(found)
