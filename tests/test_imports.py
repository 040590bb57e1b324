"""Imports run one way only: tasks <- sandbox <- agent <- eval <- ksolve."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("tasks", "sandbox", "agent", "eval", "ksolve")


def modules(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*.py") if "starter" not in path.parts]


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("folder", ORDER)
def test_a_folder_imports_only_from_those_to_its_left(folder: str) -> None:
    right = set(ORDER[ORDER.index(folder) + 1 :])
    wrong = {
        f"{path.relative_to(ROOT)} imports {', '.join(sorted(found))}"
        for path in modules(folder)
        if (found := imported(path) & right)
    }
    assert modules(folder)
    assert not wrong


@pytest.mark.parametrize("folder", ORDER)
def test_no_file_is_named_for_a_heap_of_things(folder: str) -> None:
    heaps = {"utils", "core", "common", "helpers", "types"}
    assert not heaps & {path.stem for path in modules(folder)}


@pytest.mark.parametrize("folder", ORDER)
def test_no_module_is_longer_than_one_idea(folder: str) -> None:
    long = [p.name for p in modules(folder) if len(p.read_text("utf-8").splitlines()) > 400]
    assert not long
