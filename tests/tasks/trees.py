"""What is in a work tree, for tests that compare two of them."""

from __future__ import annotations

from pathlib import Path


def contents(repo: Path) -> dict[str, object]:
    """Return the content of each file, and where each symlink leads; git's own are left out."""
    return {
        str(path.relative_to(repo)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(repo.rglob("*"))
        if ".git" not in path.relative_to(repo).parts and (path.is_symlink() or path.is_file())
    }
