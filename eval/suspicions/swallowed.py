"""Swallowed exceptions: whatever goes wrong is caught, and nobody is told."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eval.suspicions.code import MISSING, Code, constant
from eval.suspicions.suspicion import Kind, Suspicion

_KIND: Kind = "swallowed exception"

_BROAD = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"})


def swallowed(code: Code) -> Iterator[Suspicion]:
    """Find handlers of every exception that go on as if there had been none."""
    if code.is_test:
        return
    for node in code.new(ast.ExceptHandler, ast.Call):
        match node:
            case ast.ExceptHandler(type=kind, body=body):
                if _is_broad(code, kind) and all(_says_nothing(one) for one in body):
                    what = "Every exception" if kind is None else f"`{code.dotted(kind)}`"
                    yield code.suspect(_KIND, node, f"{what} is swallowed: nobody is told of it.")
            case ast.Call(args=kinds):
                if code.called(node) == "contextlib.suppress" and any(
                    _is_broad(code, kind) for kind in kinds
                ):
                    yield code.suspect(_KIND, node, "Every exception is suppressed.")


def _is_broad(code: Code, kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(code.dotted(one) in _BROAD for one in kinds)


def _says_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Break():
            return True
        case ast.Return(value=value):
            return value is None or constant(value) is not MISSING or isinstance(value, ast.Name)
        case ast.Assign(value=value) | ast.Expr(value=value):
            return constant(value) is not MISSING
        case _:
            return False
