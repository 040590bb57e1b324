"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the name to write to; the file is at its place once all is written, else as it was.

    Raises OSError, before anything is written where the place is a folder's.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        # A pipe or a device: there is nothing to take the place of.
        yield path
        return
    path = path.resolve()
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; raises OSError."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
