"""What the command line imports before it knows which command is meant."""

from __future__ import annotations

import subprocess
import sys


def imported_by(code: str) -> set[str]:
    """Return the modules that are there once this code has run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_no_command_waits_for_what_only_others_need() -> None:
    slow = {"openai", "docker", "swebench", "pyarrow", "bm25s", "huggingface_hub", "datasets"}
    assert not slow & imported_by("import ksolve.cli")


def test_tasks_are_read_without_what_only_grading_needs() -> None:
    assert "swebench.harness" not in imported_by(
        "from tasks.load import load_tasks; load_tasks('starter')"
    )
