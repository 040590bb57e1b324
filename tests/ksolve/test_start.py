"""What the command line imports before it knows which command is meant."""

from __future__ import annotations

import subprocess
import sys


def test_no_command_waits_for_what_only_others_need() -> None:
    slow = {"openai", "swebench", "pyarrow", "bm25s", "huggingface_hub", "datasets"}
    listed = "import sys, ksolve.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", listed], check=True, capture_output=True, text=True
    )
    assert not slow & set(done.stdout.split())
