"""The files of an image's build context: which belong to it, and their digest.

A compiler's or a test runner's leftovers must not reach an image: they would change the commit that
an image makes of its files, and with it every verdict. So what belongs to a task repo is what its
`tracked-files.txt` lists, else what git tracks there, else every file.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
import subprocess
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Literal

from tasks.rows import DatasetError

MANIFEST = "tracked-files.txt"
"""A file at the top of a task repo: what `git ls-files --stage` says there.

For suites that are installed, where no git can be asked and installers leave compiled files.
"""

# The list of files may be read in somebody else's repository, too, once nothing there is run.
_GIT = ("git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false")
_SUBMODULE = "160000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One path of a build context. Nothing else of it is sent: no owner, time, or other mode."""

    name: str
    """Below the context, with `/`."""
    path: Path
    kind: Literal["file", "folder", "link"]
    executable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One file that belongs to a task repo."""

    executable: bool
    blob: str
    """The digest that git gives to its content."""


class Listing:
    """The files that belong to a task repo."""

    def __init__(self, repo: Path) -> None:
        """Read the manifest, or ask git. Raises DatasetError."""
        self._repo = repo
        self._manifest = repo / MANIFEST
        self._checked = self._manifest.is_file()
        try:
            files = _listed(self._manifest) if self._checked else _tracked(repo)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self._manifest} cannot be read: {error}.") from error
        self._files = sorted(files.items())

    def of(self, folder: Path) -> dict[str, bool] | None:
        """Return the files of a build context, and whether each is executable.

        None when every file there belongs to it: no manifest was made, and git does not track its
        Dockerfile. Raises DatasetError when a file differs from the manifest.
        """
        below = folder.relative_to(self._repo).as_posix() + "/"
        start = bisect_left(self._files, below, key=itemgetter(0))
        rest = itertools.islice(self._files, start, None)
        inside = itertools.takewhile(lambda listed: listed[0].startswith(below), rest)
        files = {name.removeprefix(below): one for name, one in inside}
        if self._checked:
            for name, one in files.items():
                self._check(folder / name, one.blob)
        elif "Dockerfile" not in files:
            return None
        return {name: one.executable for name, one in files.items()}

    def _check(self, path: Path, blob: str) -> None:
        try:
            is_same = _blob(path) == blob
        except OSError:
            is_same = False
        if not is_same:
            raise DatasetError(
                f"{path} is not the file that {self._manifest} lists: put it back, as by installing"
                " anew, or if it was changed on purpose remove that list, for git then tells what"
                " belongs to the tasks."
            )


def entries(context: Path, files: Mapping[str, bool] | None) -> Iterator[Entry]:
    """Yield what a build context holds, in order: `files` of `Listing.of`, None for all.

    `.dockerignore` is obeyed. Of `files`, those that are not there are left out. Raises OSError.
    """
    for name in sorted(_not_ignored(context, files)):
        path = context / name
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            if files is None:
                raise
            continue
        executable = bool(mode & stat.S_IXUSR) if files is None else files.get(name, True)
        if stat.S_ISDIR(mode):
            yield Entry(name=name, path=path, kind="folder", executable=True)
        elif stat.S_ISLNK(mode):
            yield Entry(name=name, path=path, kind="link", executable=True)
        elif stat.S_ISREG(mode):
            yield Entry(name=name, path=path, kind="file", executable=executable)


def context_digest(context: Path, files: Mapping[str, bool] | None = None) -> str:
    """Return the SHA-256 (hex) of a build context. Blocks. Raises OSError."""
    digest = hashlib.sha256()
    for entry in entries(context, files):
        digest.update(os.fsencode(f"{entry.name}\0{entry.kind}\0{entry.executable}\0"))
        if entry.kind == "link":
            content = hashlib.sha256(os.fsencode(entry.path.readlink()))
        elif entry.kind == "file":
            with entry.path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
        else:
            continue
        digest.update(content.digest())
    return digest.hexdigest()


def _not_ignored(context: Path, files: Mapping[str, bool] | None) -> set[str]:
    found: set[str] = set()
    if files is None:
        for folder, folders, names in os.walk(context):
            below = Path(folder).relative_to(context)
            found |= {(below / name).as_posix() for name in (*folders, *names)}
    else:
        above = {folder for name in files for folder in PurePosixPath(name).parents}
        found = {*files, *map(str, above - {PurePosixPath()})}
    ignore = context / ".dockerignore"
    if ignore.name in found:
        from docker.utils import exclude_paths

        lines = [line.strip() for line in ignore.read_text().splitlines()]
        patterns = [line for line in lines if line and not line.startswith("#")]
        found &= exclude_paths(str(context), patterns)
    return found


def _listed(manifest: Path) -> dict[str, Listed]:
    lines = manifest.read_text(encoding="utf-8").splitlines()
    return {name: one for line in lines for name, one in [_parsed(line)[1:]]}


def _parsed(line: str) -> tuple[str, str, Listed]:
    """Read one line of `git ls-files --stage`: mode, name and file. Raises ValueError."""
    fields, tab, name = line.partition("\t")
    mode, blob, _ = fields.split(" ")
    if not tab:
        raise ValueError(f"{line!r:.80} is no line of `git ls-files --stage`")
    return mode, name, Listed(executable=mode == "100755", blob=blob)


def _tracked(repo: Path) -> dict[str, Listed]:
    """Ask git what it tracks in a folder, submodules included; nothing where none knows it."""
    folder = repo.resolve()
    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return {}
    # A hook of git that runs ksolve would else have it look at another repository.
    env = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            [*_GIT, "ls-files", "--stage", "-z"],
            cwd=folder,
            env=env,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise DatasetError(
            f"{repo} is in a git repository, and there is no git on this machine to tell which of"
            " its files belong to it: install it, as by apt install git."
        ) from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise DatasetError(f"git cannot tell which files belong to {repo}: {said}")
    files: dict[str, Listed] = {}
    for line in os.fsdecode(done.stdout).split("\0"):
        if line:
            mode, name, one = _parsed(line)
            if mode != _SUBMODULE:
                files[name] = one
            elif (folder / name / ".git").exists():
                inner = _tracked(folder / name)
                files |= {f"{name}/{below}": file for below, file in inner.items()}
    return files


def _blob(path: Path) -> str:
    content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
