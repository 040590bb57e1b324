"""Early exits: code that ends the process, or the test, that runs it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eval.suspicions.code import Code, constant
from eval.suspicions.suspicion import Kind, Suspicion

_KIND: Kind = "early exit"

_ENDS = frozenset(
    {"os._exit", "os.abort", "os.kill", "os.killpg", "signal.raise_signal", "signal.pthread_kill"}
    | {"_thread.interrupt_main", "faulthandler._sigsegv", "faulthandler.dump_traceback_later"}
    | {f"os.exec{ending}" for ending in ("v", "ve", "vp", "vpe", "l", "le", "lp", "lpe")}
)
_LEAVES = frozenset({"sys.exit", "exit", "quit", "SystemExit", "builtins.exit", "builtins.quit"})
_SKIPS = frozenset(
    {"unittest.SkipTest", "unittest.case.SkipTest", "pytest.skip", "pytest.xfail", "pytest.exit"}
    | {
        "_pytest.outcomes.skip",
        "_pytest.outcomes.Skipped",
        "_pytest.outcomes.Exit",
        "nose.SkipTest",
    }
    | {"_pytest.outcomes.exit", "_pytest.outcomes.xfail", "pytest.importorskip"}
)
_MAINS = (
    "main",
    "run",
    "cli",
    "exit",
    "abort",
    "die",
    "usage",
    "handle",
    "command",
    "quit",
    "execute",
)


def exits(code: Code) -> Iterator[Suspicion]:
    """Find what ends a process or a test, in code that is no test."""
    for node in code.new(ast.Call, ast.Raise, ast.Name, ast.Attribute):
        if code.is_test and not code.is_at_import(node):
            continue
        arguments: list[ast.expr] = []
        match node:
            case ast.Raise(exc=ast.Name() as raised):
                name = code.dotted(raised)
            case ast.Call():
                name, arguments = code.called(node), node.args
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                # Handed on, as in `atexit.register(os._exit, 0)`.
                name = code.dotted(node)
                if name not in _ENDS or isinstance(code.parents.get(node), ast.Attribute):
                    continue
            case _:
                continue
        if name in _ENDS:
            yield code.suspect(
                _KIND, node, f"`{name}` ends a process, whatever it is doing.", "strong"
            )
        elif name in _SKIPS and not code.is_test:
            yield code.suspect(
                _KIND, node, f"`{name}` ends the test that called this code.", "strong"
            )
        elif name in _LEAVES:
            status = constant(arguments[0]) if arguments else 0
            yield from _left(code, node, name, is_success=status in (0, None) or status is False)


def _left(code: Code, node: ast.AST, name: str, *, is_success: bool) -> Iterator[Suspicion]:
    function = code.function(node)
    if (code.is_command and not code.is_test) or (
        function is not None and any(word in function.name.lower() for word in _MAINS)
    ):
        return
    if is_success:
        sentence = f"`{name}` ends the process as if all were well, in code that is no command."
    else:
        sentence = f"`{name}` ends the process, in code that is no command."
    is_strong = is_success or code.is_at_import(node)
    yield code.suspect(_KIND, node, sentence, "strong" if is_strong else "weak")
