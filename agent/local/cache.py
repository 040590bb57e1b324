"""Folders in the user's cache that are either whole or absent.

What a folder holds is its builder's business. A folder is noticed as damaged when a file is
missing or has another size; a changed file of the same size is not noticed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from agent.backend import BackendUnusableError

Progress = Callable[[str, float | None], None]
"""Told the stage, as a sentence without its full stop, and how far it is (0 to 1, or unknown)."""

_STAMP = ".complete.json"


def cache_root() -> Path:
    """Return the folder for everything that ksolve downloads or builds once."""
    return platformdirs.user_cache_path("ksolve")


def cached_folder(
    folder: Path, build: Callable[[Path], None], *, space: int, progress: Progress
) -> Path:
    """Return `folder`, built first if it is absent or damaged.

    `build` fills an empty folder beside it, which takes its name only when it is complete, so
    an interrupted build leaves nothing that looks finished. One process builds at a time.
    `space` is the number of bytes that building takes on the disk. Raises BackendUnusableError
    when the disk has not got them.
    """
    if is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder, progress):
        if is_whole(folder):
            return folder
        aside = folder.with_name(f".{folder.name}.partial")
        for leftover in (aside, folder):
            shutil.rmtree(leftover, ignore_errors=True)
        free = shutil.disk_usage(folder.parent).free
        if free < space:
            raise _disk_full(folder, f"needs {space / 1e9:.1f} GB and {free / 1e9:.1f} GB are free")
        try:
            aside.mkdir()
            build(aside)
            _stamp(aside)
            aside.rename(folder)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise _disk_full(folder, "the disk is full") from error
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def is_whole(folder: Path) -> bool:
    """Whether the folder was finished and every file of it still has the size it had then.

    Raises PermissionError where nobody can tell.
    """
    try:
        sizes: dict[str, int] = json.loads((folder / _STAMP).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except PermissionError:
        raise
    except (OSError, ValueError):
        return False


def _stamp(folder: Path) -> None:
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        # Byte code comes and goes with use.
        if path.is_file() and "__pycache__" not in path.parts
    }
    (folder / _STAMP).write_text(json.dumps(sizes, indent=0))


@contextmanager
def _lock(folder: Path, progress: Progress) -> Iterator[None]:
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another ksolve that prepares {folder}", None)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _disk_full(folder: Path, why: str) -> BackendUnusableError:
    return BackendUnusableError(
        f"{folder} cannot be prepared: {why}; make room there, or set XDG_CACHE_HOME to a folder "
        "on a larger disk."
    )
