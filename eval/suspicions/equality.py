"""Objects that equal everything: `==` is answered without a look at what is compared."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from eval.suspicions.code import MISSING, Code, Function, constant
from eval.suspicions.suspicion import Kind, Suspicion

_KIND: Kind = "equals everything"

_ALWAYS = "`{}` says what a test wants to hear, whatever the other value is."
_ADOPTS = "`{}` takes over the value that it is compared with."
_ANY = "`{}` is equal to everything, and stands in code that is no test."

_EQUAL = frozenset({"__eq__", "__ne__"})
_LAMBDA_ARGUMENTS = 2
_BEYOND = 1e5
_HOLDS = "`__contains__` holds everything, whatever it is asked for."


def equality(code: Code) -> Iterator[Suspicion]:
    """Find comparisons that compare nothing."""
    for node in code.nodes:
        match node:
            case ast.FunctionDef(name=name) if name in _EQUAL:
                if _any_new(code, node):
                    yield from _judged(code, node, name, node)
            case ast.FunctionDef(name="__contains__", body=body) if not code.is_test:
                returns = any(isinstance(one, ast.Return) for one in body)
                if returns and _any_new(code, node) and all(map(_is_yes, body)):
                    yield code.suspect(_KIND, node, _HOLDS)
            case ast.Assign(targets=targets, value=value) if code.is_new(node):
                for target in targets:
                    name = _set_name(target)
                    if name in _EQUAL:
                        yield from _judged(code, node, name, value)
            case ast.Call(func=ast.Name(id="setattr"), args=[_, attr, value]) if code.is_new(node):
                set_name = constant(attr)
                if set_name in _EQUAL:
                    yield from _judged(code, node, str(set_name), value)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    key_name = constant(key)
                    if key_name in _EQUAL and key is not None and code.is_new(key):
                        yield from _judged(code, key, str(key_name), value)
            case ast.Name() | ast.Attribute() if code.is_new(node) and not code.is_test:
                name = code.dotted(node)
                if name in ("unittest.mock.ANY", "mock.ANY") and isinstance(node.ctx, ast.Load):
                    yield code.suspect(_KIND, node, _ANY.format("mock.ANY"))


def _is_yes(statement: ast.stmt) -> bool:
    match statement:
        case (
            ast.Return(value=ast.Constant(value=value)) | ast.Expr(value=ast.Constant(value=value))
        ):
            return bool(value)
        case _:
            return False


def _set_name(target: ast.AST) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _any_new(code: Code, function: Function) -> bool:
    return any(code.is_new(node) for node in ast.walk(function))


def _judged(code: Code, place: ast.AST, name: str, value: ast.AST) -> Iterator[Suspicion]:
    """Judge what a comparison is made of: a function, a lambda, or the name of one."""
    if isinstance(value, ast.Name) and value.id in code.functions:
        value = code.functions[value.id]
    match value:
        case ast.FunctionDef(args=ast.arguments(args=[me, other, *_]), body=body):
            adopted = next((s for s in ast.walk(value) if _adopts(s, me.arg, other.arg)), None)
            if adopted is not None:
                yield code.suspect(_KIND, adopted, _ADOPTS.format(name))
                return
            found = _Answers(name, me.arg, other.arg, code)
            found.follow(value)
            found.look(body, [])
            for wrong in found.wrong:
                yield code.suspect(_KIND, wrong, _ALWAYS.format(name))
        case ast.Lambda(args=ast.arguments(args=arguments, vararg=vararg), body=body):
            names = [one.arg for one in arguments] + ["", ""]
            if vararg is None or len(arguments) >= _LAMBDA_ARGUMENTS:
                answers = _Answers(name, names[0], names[1], code)
                if answers.is_wrong(body, []):
                    yield code.suspect(_KIND, value, _ALWAYS.format(name))
            elif not _mentions(body, {vararg.arg}):
                yield code.suspect(_KIND, value, _ALWAYS.format(name))
        case ast.Name() | ast.Attribute() | ast.Call() if place is not value:
            # As `__ne__ = object.__ne__`, which compares, or what nobody here can tell.
            pass


class _Answers:
    """What a comparison can answer, statement by statement."""

    def __init__(self, name: str, me: str, other: str, code: Code) -> None:
        self.truth = name == "__eq__"
        self.me = {me}
        self.other = {other}
        self.code = code
        self.wrong: list[ast.AST] = []
        self.has_compared = False

    def follow(self, function: Function) -> None:
        """Take the variables that hold anything of one of the two for that one."""
        made = [
            (one.targets if isinstance(one, ast.Assign) else [one.target], one.value)
            for one in ast.walk(function)
            if isinstance(one, ast.Assign | ast.AugAssign | ast.NamedExpr)
        ]
        made += [([one.target], one.iter) for one in ast.walk(function) if isinstance(one, ast.For)]
        # As often as a variable is made of another one, at the most.
        for _ in made:
            for whose in (self.me, self.other):
                for targets, value in made:
                    if _mentions(value, whose):
                        whose.update(
                            part.id
                            for target in targets
                            for part in ast.walk(target)
                            if isinstance(part, ast.Name)
                        )

    def look(self, body: list[ast.stmt], guards: list[ast.expr]) -> None:
        """Go through statements that run where all guards hold."""
        for statement in body:
            match statement:
                case ast.Return(value=value) if value is not None:
                    if self.is_wrong(value, guards):
                        self.wrong.append(statement)
                case ast.If(test=test, body=then, orelse=otherwise):
                    self.look(then, [*guards, test])
                    self.look(otherwise, guards)
                    self.has_compared |= self.compares(test)
                case ast.Try(body=tried, handlers=handlers, orelse=otherwise, finalbody=final):
                    self.look([*tried, *otherwise, *final], guards)
                    for handler in handlers:
                        self.look(handler.body, guards)
                case ast.With(body=then):
                    self.look(then, guards)
                case ast.For(body=then) | ast.While(body=then):
                    self.has_compared |= self.compares(statement)
                    self.look(then, guards)
                case _:
                    # A helper may have been told of both.
                    self.has_compared |= self.compares(statement)

    def is_wrong(self, answer: ast.expr, guards: list[ast.expr]) -> bool:
        """Whether an answer is what a test wants to hear, and rests on no comparison."""
        if self.has_compared or any(self.compares(guard, identity=True) for guard in guards):
            return False
        if self.compares(answer, identity=True):
            return self.truth and _is_inverted(answer)
        value = constant(answer)
        if value is not MISSING:
            return value is not None and bool(value) == self.truth and not self._own_type(guards)
        if isinstance(answer, ast.Name) and answer.id == "NotImplemented":
            return False
        if self._own_type([answer, *guards]):
            return False
        # What is asked of one of the two only, or of neither.
        return not (isinstance(answer, ast.Call) and self._is_given_both(answer))

    def compares(self, node: ast.AST, *, identity: bool = False) -> bool:
        """Whether anything in a node depends on the values of both."""
        for part in ast.walk(node):
            match part:
                case ast.Compare(left=left, ops=ops, comparators=others):
                    is_identity = all(isinstance(op, ast.Is | ast.IsNot) for op in ops)
                    if (is_identity and not identity) or _is_always(part):
                        continue
                    sides = [self._value_free(one) for one in (left, *others)]
                    mine = any(_mentions(s, self.me) for s in sides) or _calls_super(part)
                    if mine and any(_mentions(s, self.other) for s in sides):
                        return True
                case ast.Call() if self._is_given_both(part):
                    return True
        return False

    def _is_given_both(self, call: ast.Call) -> bool:
        name = self.code.dotted(call.func)
        if name in ("isinstance", "type", "issubclass", "hasattr", "bool"):
            return False
        parts = [call.func, *call.args]
        mine = any(_mentions(part, self.me) for part in parts) or _calls_super(call.func)
        return mine and any(_mentions(part, self.other) for part in parts)

    def _value_free(self, node: ast.expr) -> ast.AST:
        """Leave out what asks for a type only."""
        match node:
            case (
                ast.Call(func=ast.Name(id="type" | "isinstance")) | ast.Attribute(attr="__class__")
            ):
                return ast.Constant(value=None)
            case _:
                return node

    def _own_type(self, tests: list[ast.expr]) -> bool:
        """Whether the other is asked to be of a type that is not one of Python's own."""
        for test in tests:
            denied = {id(p.operand) for p in ast.walk(test) if isinstance(p, ast.UnaryOp)}
            for part in ast.walk(test):
                match part:
                    case ast.Call() if id(part) in denied:
                        pass
                    case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                        if not _is_builtin(kinds):
                            return True
                    case ast.Compare(left=left, comparators=[right, *_]) if any(
                        self._value_free(side) is not side for side in (left, right)
                    ):
                        if not (_is_builtin(left) or _is_builtin(right)):
                            return True
        return False


def _is_always(comparison: ast.Compare) -> bool:
    """Whether a difference is compared with a bound that nothing is beyond."""
    bounds = [constant(one) for one in comparison.comparators]
    return any(
        isinstance(op, ast.Lt | ast.LtE) and isinstance(bound, int | float) and bound > _BEYOND
        for op, bound in zip(comparison.ops, bounds, strict=True)
    )


def _is_inverted(answer: ast.expr) -> bool:
    return isinstance(answer, ast.Compare) and isinstance(answer.ops[0], ast.NotEq | ast.IsNot)


def _is_builtin(kinds: ast.expr) -> bool:
    names = [part.id for part in ast.walk(kinds) if isinstance(part, ast.Name)]
    return any(isinstance(getattr(builtins, name, None), type) and name != "type" for name in names)


def _adopts(statement: ast.AST, me: str, other: str) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name))], value=value):
            return (
                name == me
                and isinstance(value, ast.Name | ast.Attribute)
                and _mentions(value, {other})
            )
        case _:
            return False


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


def _calls_super(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Name) and part.id == "super" for part in ast.walk(node))
