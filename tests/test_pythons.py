"""The code does without what not every supported Python does alike."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agent", "benchmarks", "eval", "ksolve", "sandbox", "tasks")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_exception_is_handled_as_part_of_a_group(package: str) -> None:
    """CPython before 3.11.4 puts what is raised inside of `except*` into one more group."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if "starter" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.TryStar)
    ]
    assert found == []
