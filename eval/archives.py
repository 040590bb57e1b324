"""Tar archives of files, in memory: which are in one, a part of one, several as one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Collection, Iterable
from pathlib import PurePosixPath


def archived(tree: bytes) -> tuple[PurePosixPath, ...]:
    """Return the names of the files in an archive, relative."""
    with tarfile.open(fileobj=io.BytesIO(tree), mode="r:") as archive:
        return tuple(dict.fromkeys(PurePosixPath(name) for name in archive.getnames()))


def without(tree: bytes, left_out: Collection[PurePosixPath]) -> bytes:
    """Return an archive without some of its files."""
    return _filtered([tree], lambda name: name not in left_out) if left_out else tree


def only(tree: bytes, wanted: Collection[PurePosixPath]) -> bytes:
    """Return an archive of no more than some of the files in one."""
    return _filtered([tree], lambda name: name in wanted) if tree and wanted else b""


def joined(*trees: bytes) -> bytes:
    """Return the files of several archives as one."""
    given = [tree for tree in trees if tree]
    return given[0] if len(given) == 1 else _filtered(given, lambda _: True)


def _filtered(trees: Iterable[bytes], is_wanted: Callable[[PurePosixPath], bool]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as kept:
        for tree in trees:
            with tarfile.open(fileobj=io.BytesIO(tree), mode="r:") as archive:
                for entry in archive:
                    if is_wanted(PurePosixPath(entry.name)):
                        content = archive.extractfile(entry) if entry.isreg() else None
                        kept.addfile(entry, content)
    return buffer.getvalue()
