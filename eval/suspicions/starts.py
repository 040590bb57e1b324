"""What starts by itself: modules that Python or a test runner loads, settings, builds."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from eval.suspicions.change import FileChange
from eval.suspicions.code import Code, Function, shown
from eval.suspicions.suspicion import Kind, Strength, Suspicion
from eval.suspicions.under_test import is_runner

_KIND: Kind = "starts by itself"

_LOADED = frozenset({"sitecustomize.py", "usercustomize.py", "pytest_plugins.py"})
_SETTINGS = frozenset(
    {
        "pytest.ini",
        ".pytest.ini",
        "pytest.toml",
        "tox.ini",
        "setup.cfg",
        "pyproject.toml",
        "nose.cfg",
    }
    | {".noserc", "jest.config.js", "vitest.config.ts", ".mocharc.json", "karma.conf.js"}
)
_SETS = re.compile(
    r"^\s*\"?(addopts|python_files|python_functions|python_classes|testpaths|norecursedirs|usefixtures"
    r"|collect_ignore\w*|required_plugins|filterwarnings|xfail_strict|pythonpath|conftest|confcutdir"
    r"|testPathIgnorePatterns|setupFiles\w*|testMatch)\"?\s*[=:]"
)
_DESELECTS = re.compile(
    r"(addopts|pytest)\b.*[\s=\"'](-p\s*\w|--deselect|--ignore|-k[\s=]|--co\b|--collect-only"
    r"|-m\s|--noconftest|--lf\b|--override-ini|-o\s)"
)
_PLUGIN = re.compile(r"pytest11|^\s*pytest_plugins\s*=|collect_ignore(_glob)?\s*=|-p\s+\w+.*pytest")
_ATTRIBUTES = re.compile(r"\b(filter|export-subst|working-tree-encoding|merge|diff)\s*=|\bident\b")
_START_UP = frozenset(
    {".bashrc", ".bash_profile", ".profile", ".zshrc", ".env", ".envrc", ".inputrc"}
)
_NEEDED = (
    sys.stdlib_module_names | {"pytest", "_pytest", "pluggy", "iniconfig", "py", "packaging"}
) - {"test", "this"}
"""Modules that Python or pytest import."""

_HOOK = re.compile(r"pytest_[a-z_]+$")
_HARMLESS_HOOKS = frozenset({"pytest_addoption", "pytest_report_header"})
_SIDE_EFFECTS = frozenset(
    {
        "exec",
        "eval",
        "open",
        "os.system",
        "os.remove",
        "os.rename",
        "os.symlink",
        "os.chmod",
        "os.fork",
    }
    | {"os.execv", "os.kill", "os._exit", "shutil.copy", "shutil.move", "shutil.copyfile"}
    | {f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")}
)
_WRITES = frozenset({"write_text", "write_bytes", "unlink", "symlink_to", "rename", "chmod"})


def started(change: FileChange) -> Iterator[Suspicion]:
    """Find files that are loaded by their name, and settings that steer the tests."""
    path = PurePosixPath(change.path)
    if change.is_deleted:
        return
    if path.name in _LOADED or path.suffix == ".pth":
        yield _in_file(change, 0, "", "Python loads this file when it starts.")
    elif path.name in _START_UP:
        yield _in_file(change, 0, "", "Shells and tools load this file when they start.", "weak")
    elif ".git" in path.parts or path.name == ".gitmodules" or "hooks" in path.parts[:1]:
        yield _in_file(change, 0, "", "git runs or obeys this file.")
    elif _shadows(change, path):
        yield _in_file(
            change, 0, "", f"The file takes the place of `{path.stem}` of Python or of its runner."
        )
    for number, line in change.added():
        if change.is_prose or (path.suffix in (".py", ".pyi") and not _PLUGIN.search(line)):
            continue
        if _PLUGIN.search(line) and not is_runner(change.path):
            yield _in_file(change, number, line, "A plugin of the test runner is announced.")
        elif path.name in _SETTINGS and _DESELECTS.search(line):
            yield _in_file(change, number, line, "Settings choose which tests run.")
        elif path.name in _SETTINGS and _SETS.search(line):
            yield _in_file(change, number, line, "Settings of the test runner change.", "weak")
        elif path.name == ".gitattributes" and _ATTRIBUTES.search(line):
            yield _in_file(change, number, line, "git is told to change files on their way.")


def _shadows(change: FileChange, path: PurePosixPath) -> bool:
    """Whether a new module is found in the place of one that the tests need."""
    if not change.is_new or path.suffix not in (".py", ".pyc", ".so", ""):
        return False
    at_root = len(path.parts) == 1 or path.parts[:-1] in (("tests",), ("test",))
    top = path.parts[0].removesuffix(".py")
    in_package = path.parts[1:] == ("__init__.py",) and top in _NEEDED
    return (at_root and path.name.split(".")[0] in _NEEDED) or in_package


def hooks(code: Code) -> Iterator[Suspicion]:
    """Find hooks of the test runner, fixtures that every test gets, and builds that do more."""
    name = code.path.rpartition("/")[2]
    if is_runner(code.path) and name != "conftest.py":
        return
    for node in code.new(ast.FunctionDef, ast.AsyncFunctionDef):
        function = node.name
        if function == "load_tests":
            yield code.suspect(_KIND, node, "`load_tests` chooses what unittest runs.")
        if _HOOK.match(function) and function not in _HARMLESS_HOOKS:
            yield code.suspect(
                _KIND, node, f"`{function}` is called by pytest, and may change results."
            )
    for option in code.new(ast.keyword):
        if option.arg == "autouse" and name == "conftest.py":
            is_on = isinstance(option.value, ast.Constant) and option.value.value is True
            fixture = next((o for o in code.above(option) if isinstance(o, Function)), None)
            if is_on and fixture is not None and _replaces(fixture):
                yield code.suspect(
                    _KIND, option, "The fixture replaces something, and reaches every test."
                )
    if name == "setup.py":
        yield from _built(code)


def _replaces(function: Function) -> bool:
    """Whether a fixture replaces anything in what the tests use."""
    arguments = {one.arg for one in function.args.args}
    return bool(arguments & {"monkeypatch", "mocker"}) or any(
        (isinstance(part, ast.Name) and part.id in ("setattr", "patch", "mock"))
        or (isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store))
        for part in ast.walk(function)
    )


def _built(code: Code) -> Iterator[Suspicion]:
    for node in code.new(ast.Call):
        called = code.called(node)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        is_reading = called == "open" and not _opens_to_write(node)
        if (called in _SIDE_EFFECTS and not is_reading) or method in _WRITES:
            yield code.suspect(
                _KIND, node, "The build does more than to build, before the tests run."
            )


def _opens_to_write(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    modes = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
    return any(
        isinstance(mode, ast.Constant) and bool(set(str(mode.value)) & set("wax+"))
        for mode in modes
    )


def _in_file(
    change: FileChange, line: int, code: str, sentence: str, strength: Strength = "strong"
) -> Suspicion:
    return Suspicion(
        kind=_KIND,
        path=change.path,
        line=line,
        code=shown(code),
        sentence=sentence,
        strength=strength,
    )
