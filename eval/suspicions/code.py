"""The Python of one side of a change, with what its rules ask: what is new, what a name means.

Names are followed by imports and by plain assignments in the lines that are known; constants are
folded, so that `"py" + "test"` is the text that it makes. Nothing is executed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from typing import TypeAlias, TypeVar, overload

from eval.suspicions.change import FileChange, Side
from eval.suspicions.fragments import Tree, trees_of
from eval.suspicions.suspicion import Kind, Strength, Suspicion

N = TypeVar("N", bound=ast.AST)
M = TypeVar("M", bound=ast.AST)

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_LONGEST = 10_000
"""Characters of a folded text; longer ones are not folded further."""

_LARGEST = 1 << 64
_DEEPEST = 40
_CHARACTERS = 0x110000
_SHOWN = 160


class Code:
    """One Python file, as far as it is known, on one side of a change."""

    def __init__(self, change: FileChange, sides: Sequence[Side]) -> None:
        self.path = change.path
        self.is_test = change.is_test
        self.is_test_module = change.is_test_module
        self.is_whole = change.is_new or change.is_whole
        self.lines: dict[int, str] = {}
        self._changed: set[int] = set()
        trees: list[Tree] = []
        for side in sides:
            for number, (line, is_changed) in enumerate(
                zip(side.lines, side.changed, strict=True), side.first
            ):
                self.lines[number] = line
                if is_changed and line.strip():
                    self._changed.add(number)
            trees += trees_of(side)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.nodes: list[ast.AST] = []
        self.functions: dict[str, Function] = {}
        for tree in trees:
            for statement in tree.module.body:
                if isinstance(statement, Function):
                    self.functions.setdefault(statement.name, statement)
                if self._matters(statement, tree.shift):
                    self._take(statement, tree)
        self.functions.update(
            (node.name, node) for node in self.nodes if isinstance(node, Function)
        )
        self._bound: dict[ast.AST, set[str]] = {}
        self._imported: set[str] = set()
        self.names: dict[str, str] = {}
        self._follow_names()
        self._docstrings = set(_docstrings(self.nodes))

    def _matters(self, statement: ast.stmt, shift: int) -> bool:
        """Whether a statement of the module was changed, or says what names mean."""
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Assign | ast.If | ast.Try):
            return True
        lines = range(_start(statement), (statement.end_lineno or statement.lineno) + 1)
        return any(line + shift in self._changed for line in lines)

    def _take(self, statement: ast.stmt, tree: Tree) -> None:
        """Take the nodes of a statement, with the lines of the file."""
        waiting: list[ast.AST] = [statement]
        while waiting:
            node = waiting.pop()
            self.nodes.append(node)
            line = getattr(node, "lineno", None)
            if line is not None:
                # What is not positive is not in the file.
                line += tree.shift
                node.lineno = line if line >= tree.first else 0  # type: ignore[attr-defined]
                node.end_lineno += tree.shift  # type: ignore[attr-defined]
            children = list(ast.iter_child_nodes(node))
            self.parents.update((child, node) for child in children)
            waiting += reversed(children)

    def _follow_names(self) -> None:
        """Find what names stand for: what was imported, and names for that."""
        for node in self.nodes:
            match node:
                case ast.Import(names=imported):
                    for one in imported:
                        root = one.name.partition(".")[0]
                        self.names[one.asname or root] = one.name if one.asname else root
                case ast.ImportFrom(module=module, names=imported, level=level):
                    within = "." * level + (module or "")
                    for one in imported:
                        self.names[one.asname or one.name] = f"{within}.{one.name}"
        self._imported = set(self.names)
        for node in self.nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call | ast.Attribute):
                name = self.dotted(node.value)
                if name and self.is_module(name) and not self._is_result(node.value):
                    self.names.update((t.id, name) for t in node.targets if isinstance(t, ast.Name))

    def _is_result(self, node: ast.AST) -> bool:
        """Whether a node calls what is no importer: its result is not what the name says."""
        return isinstance(node, ast.Call) and self.dotted(node.func) not in (*_IMPORTERS, "getattr")

    def _is_variable(self, node: ast.Name) -> bool:
        """Whether a name that was imported is bound again by the function that it stands in."""
        function = self.function(node)
        if function is None:
            return False
        if function not in self._bound:
            self._bound[function] = {
                part.id if isinstance(part, ast.Name) else part.arg
                for part in ast.walk(function)
                if isinstance(part, ast.arg)
                or (isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
            }
        return node.id in self._bound[function]

    def is_new(self, node: ast.AST) -> bool:
        """Whether a change made any line of a node; of what has a body, of its head."""
        start = getattr(node, "lineno", 0)
        if start <= 0 or not self._changed:
            return False
        end = getattr(node, "end_lineno", None) or start
        body = getattr(node, "body", None)
        if isinstance(body, list) and body:
            end = max(start, min(end, body[0].lineno - 1))
        return any(number in self._changed for number in range(start, end + 1))

    @overload
    def new(self, kind: type[N], /) -> Iterator[N]: ...
    @overload
    def new(self, kind: type[N], other: type[M], /) -> Iterator[N | M]: ...
    @overload
    def new(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]: ...
    def new(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield the new nodes of some kinds."""
        return (node for node in self.nodes if isinstance(node, kinds) and self.is_new(node))

    def is_wholly_new(self, node: ast.AST) -> bool:
        """Whether a change made every line of a node that holds anything."""
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)  # type: ignore[attr-defined]
        return all(n in self._changed for n in lines if self.lines.get(n, "").strip())

    def suspect(
        self, kind: Kind, node: ast.AST, sentence: str, strength: Strength = "strong"
    ) -> Suspicion:
        """Return the suspicion that a node is of a kind."""
        line = getattr(node, "lineno", 0)
        return Suspicion(
            kind=kind,
            path=self.path,
            line=line,
            code=shown(self.lines.get(line, "")),
            sentence=sentence,
            strength=strength,
        )

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node is in, from the inside outwards."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def function(self, node: ast.AST) -> Function | None:
        """Return the innermost function around a node."""
        for outer in self.above(node):
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                return outer
        return None

    def is_at_import(self, node: ast.AST) -> bool:
        """Whether a node surely runs when its module is imported."""
        statement = self.scope(node)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return False
        guards = [one for one in (node, *self.above(node)) if isinstance(one, ast.If)]
        # In the middle of a file, what is indented may be in a function.
        is_known = self.is_whole or getattr(statement, "col_offset", 1) == 0
        return is_known and not any(
            _asks_for_main(one) for of in guards for one in ast.walk(of.test)
        )

    def scope(self, node: ast.AST) -> ast.AST:
        """Return the function around a node, else the statement of the module that it is in."""
        scope = node
        for outer in self.above(node):
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                return outer
            if getattr(outer, "lineno", 0) > 0:
                scope = outer
        return scope

    def dotted(self, node: ast.AST | None) -> str:
        """Return the full name of what an expression names, "" where it is none.

        The first part is what was imported under it, where that is known.
        """
        match node:
            case ast.Name(id=name):
                is_hidden = name in self._imported and self._is_variable(node)
                return "" if is_hidden else self.names.get(name, name)
            case ast.Attribute(value=value, attr=attr):
                return self._within(value, attr)
            case ast.Call(func=func, args=[argument, *_]) if self.dotted(func) in _IMPORTERS:
                return _text(argument)
            case ast.Call(func=ast.Name(id="getattr"), args=[value, argument, *_]):
                return self._within(value, _text(argument))
            case ast.Subscript(value=value, slice=index) if self.dotted(value) == "sys.modules":
                return _text(index)
            case _:
                return ""

    def _within(self, value: ast.AST, attr: str) -> str:
        within = self.dotted(value)
        return f"{within}.{attr}" if within and attr else ""

    def called(self, node: ast.AST) -> str:
        """Return the full name of what a node calls, "" where it calls nothing that has one."""
        return self.dotted(node.func) if isinstance(node, ast.Call) else ""

    def is_module(self, dotted: str) -> bool:
        """Whether a name begins with a module that is not of the repository."""
        root = dotted.partition(".")[0]
        return root in sys.stdlib_module_names or root in TEST_LIBRARIES

    def is_docstring(self, node: ast.AST) -> bool:
        """Whether a node is a text that stands by itself."""
        return node in self._docstrings

    @property
    def is_command(self) -> bool:
        """Whether the file is one that is run, by its name or by what it imports."""
        name = self.path.rpartition("/")[2]
        words = ("__main__", "cli", "command", "main", "script", "manage", "setup", "runner")
        return (
            any(word in name.lower() for word in words)
            or any(f"{part}/" in self.path for part in ("bin", "scripts", "commands", "tools"))
            or any(self.names.get(name) == name for name in ("argparse", "optparse", "click"))
            or any(_asks_for_main(node) for node in self.nodes)
        )


_IMPORTERS = frozenset({"__import__", "importlib.import_module", "importlib.__import__"})

TEST_LIBRARIES = frozenset(
    {
        "pytest",
        "_pytest",
        "py",
        "pluggy",
        "unittest",
        "doctest",
        "nose",
        "nose2",
        "mock",
        "testtools",
    }
    | {"hypothesis", "tox", "nox", "xdist"}
)
"""Modules that run tests, or are made to be used by them."""


class _Missing:
    """The value of what is no constant."""


MISSING = _Missing()


def constant(node: ast.AST | None, depth: int = 0) -> object:
    """Return the value of a constant expression, `MISSING` where it is none, or nested deeply."""
    if depth > _DEEPEST:
        return MISSING

    def of(part: ast.AST | None) -> object:
        return constant(part, depth + 1)

    match node:
        case ast.Constant():
            return node.value
        case ast.UnaryOp(op=ast.USub()):
            value = of(node.operand)
            return -value if isinstance(value, int | float) else MISSING
        case ast.BinOp():
            return _combined(of(node.left), node.op, of(node.right))
        case ast.JoinedStr():
            parts = [of(v.value if isinstance(v, ast.FormattedValue) else v) for v in node.values]
            return MISSING if MISSING in parts else "".join(map(str, parts))
        case ast.Tuple() | ast.List():
            elements = tuple(map(of, node.elts))
            return MISSING if MISSING in elements else elements
        case ast.Call(func=ast.Name(id="chr"), args=[argument]):
            value = of(argument)
            return chr(value) if isinstance(value, int) and 0 <= value < _CHARACTERS else MISSING
        case ast.Call(func=ast.Attribute(value=value, attr=method), args=arguments, keywords=[]):
            return _method(of(value), method, [of(one) for one in arguments])
        case ast.Subscript(slice=ast.Slice(lower=None, upper=None, step=step)):
            value = of(node.value)
            return value[::-1] if isinstance(value, str) and of(step) == -1 else MISSING
        case _:
            return MISSING


def _text(node: ast.AST) -> str:
    value = constant(node)
    return value if isinstance(value, str) else ""


def _combined(left: object, op: ast.operator, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        is_short = isinstance(op, ast.Add) and len(left) + len(right) < _LONGEST
        return left + right if is_short else MISSING
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return MISSING
    if max(abs(left), abs(right)) > _LARGEST:
        return MISSING
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv() if right:
            return left // right
        case _:
            return MISSING


def _method(value: object, method: str, arguments: Sequence[object]) -> object:
    match value, method, arguments:
        case str(), "join", [tuple() as parts] if all(isinstance(one, str) for one in parts):
            return value.join(parts)
        case str(), "replace", [str() as old, str() as new] if old and len(value) < _LONGEST:
            return value.replace(old, new) if len(new) < _SHOWN else MISSING
        case str(), "encode", _:
            return value
        case str(), "lower" | "upper" | "strip", []:
            return getattr(value, method)()
        case _:
            return MISSING


def shown(line: str) -> str:
    """Return a line as it is shown: printable, and not too long."""
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line.strip())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _start(statement: ast.stmt) -> int:
    """Return the first line of a statement, which may be that of a decorator."""
    marks: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(mark.lineno for mark in marks)])


def _docstrings(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _asks_for_main(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Name)
        and node.left.id == "__name__"
        and constant(node.comparators[0]) == "__main__"
    )
