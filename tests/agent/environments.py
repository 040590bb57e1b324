"""Programs of the package registry that do not go with ksolve, in environments of their own.

Each is made once and kept in the user's cache. Where it cannot be had, the test is skipped with
the reason.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from agent.backend import BackendUnusableError
from agent.local.cache import cache_root, cached_folder
from agent.local.child import run_together
from agent.local.server_env import pip_command, pip_failure


def python_with(name: str, *requirements: str, space: int) -> Path:
    """Return a Python that has these; making it takes `space` bytes. Skips where it cannot be."""
    wanted = "\n".join([*requirements, sys.version])
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    folder = cache_root() / "tests" / f"{name}-{digest[:12]}"

    def build(at: Path) -> None:
        python = at / "bin" / "python"
        # Byte code is written by the first import, for what is really imported.
        install = [*pip_command(python), "install", "--no-compile", *requirements]
        for command in ([sys.executable, "-m", "venv", str(at)], install):
            done, output = run_together([command], scratch=at.parent, tick=lambda _: None)
            if not done:
                raise pip_failure(name, output)

    try:
        return cached_folder(folder, build, space=space, progress=lambda *_: None) / "bin/python"
    except BackendUnusableError as error:
        pytest.skip(str(error))
