"""What a Python file defines, and on which lines.

Only files that parse under the running Python are understood; of any other text nothing is known.
"""

from __future__ import annotations

import ast
import threading
import warnings
from dataclasses import dataclass
from functools import lru_cache

_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_quiet = threading.Lock()
# Warning filters belong to the process, so only one thread at a time may change them.

_KEPT = 1_024
# Files whose definitions are kept: the issues of a repository share most of its files.


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A function or class that stands at the top of a file or in a class."""

    name: str
    # Qualified by its classes: "Ledger.post".
    start: int
    # First line, decorators included, counted from 0.
    line: int
    # The line of its `def` or `class`.
    body: int
    # First line below the signature.
    end: int
    # One past the last line.
    is_class: bool

    @property
    def simple_name(self) -> str:
        """The name without its classes."""
        return self.name.rpartition(".")[2]


def parse_python(text: str) -> ast.Module | None:
    """Parse, or return None where Python would not; never warns, never raises."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text.removeprefix("\ufeff"))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=_KEPT)
def definitions(text: str) -> tuple[Definition, ...] | None:
    """Return the definitions in order of their lines, a class before its methods.

    None when the text does not parse, or when Python and git would count its lines differently.
    """
    tree = parse_python(text)
    if tree is None or "\r" in text.replace("\r\n", "\n"):
        return None
    found: list[Definition] = []
    _collect(tree.body, "", found)
    return tuple(found)


def _collect(body: list[ast.stmt], prefix: str, found: list[Definition]) -> None:
    for node in body:
        if isinstance(node, _Scope):
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            found.append(
                Definition(
                    name=prefix + node.name,
                    start=first - 1,
                    line=node.lineno - 1,
                    body=max(node.body[0].lineno - 1, node.lineno),
                    end=node.end_lineno or node.lineno,
                    is_class=isinstance(node, ast.ClassDef),
                )
            )
            if isinstance(node, ast.ClassDef):
                _collect(node.body, f"{prefix}{node.name}.", found)
        elif isinstance(node, ast.If | ast.Try):
            # Definitions under `if TYPE_CHECKING` or `try: import ...` still belong to the file.
            _collect(node.body, prefix, found)
            _collect(node.orelse, prefix, found)
