"""Rows and repositories to make tasks of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import git
import pytest

Row = dict[str, Any]


@pytest.fixture
def row() -> Callable[..., Row]:
    """Make a well-formed row; a keyword replaces a column, `...` removes it."""

    def make(**columns: object) -> Row:
        base: Row = {
            "instance_id": "acme__anvil-7",
            "repo": "acme/anvil",
            "version": "1.0",
            "base_commit": "0123456789abcdef0123456789abcdef01234567",
            "problem_statement": "The anvil floats.",
            "test_patch": "",
            "patch": "a gold patch",
            "FAIL_TO_PASS": ["tests/test_anvil.py::test_sinks"],
            "PASS_TO_PASS": [],
            "image": "acme/anvil:7",
            "log_parser": "parse_log_pytest",
            "eval_type": "pass_and_fail",
            "eval_script": (
                "#!/bin/bash\n: '>>>>> Start Test Output'\npytest -rA\n: '>>>>> End Test Output'\n"
            ),
        }
        return {name: value for name, value in (base | columns).items() if value is not ...}

    return make


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A small package with a bug, a test, a script, a symlink and a binary file; two commits."""
    folder = tmp_path / "Anvil Works"
    (folder / "anvil").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "anvil" / "__init__.py").write_text("def weight(n):\n    return n - 1\n")
    (folder / "tests" / "test_anvil.py").write_text(
        "from anvil import weight\n\n\ndef test_weight():\n    assert weight(2) == 2\n"
    )
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("anvil")
    (folder / "blob.bin").write_bytes(bytes(range(256)))
    (folder / ".gitignore").write_text("*.log\n")
    with git.Repo.init(folder, initial_branch="main") as made:
        with made.config_writer() as config:
            config.set_value("user", "name", "Smith")
            config.set_value("user", "email", "smith@localhost")
        made.git.add("-A")
        made.git.commit("-m", "Forge")
        (folder / "README").write_text("Anvils.\n")
        made.git.add("-A")
        made.git.commit("-m", "Tell")
    return folder
