"""A copy of a repository while it is made: the repositories that its files come from, and git.

Every command runs without the filter of Git LFS, which would download, or write into the person's
repository. All of this blocks, on git and on the disk.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# As in `tasks.worktree`, whichever of the two is imported first.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
import git

from tasks.worktree import QUIET, SETTINGS, LocalRepoError, run_git, why

Tell = Callable[[str], None]
"""Told what takes long, and how far it is."""

_WITHOUT_LFS = (
    *("-c", "filter.lfs.clean=", "-c", "filter.lfs.process="),
    *("-c", "filter.lfs.required=false"),
)


def say_nothing(_: str) -> None:
    """Tell nobody."""


@dataclass(kw_only=True, slots=True)
class Making:
    """The copy while it is put together: the repositories it is made of, and what they lack."""

    repo: git.Repo
    folder: Path
    scratch: Path
    tell: Tell
    parts: list[Part] = field(default_factory=list)
    submodules: list[str] = field(default_factory=list)
    """Submodules that are not checked out, by path."""
    pointers: list[str] = field(default_factory=list)
    """Files of Git LFS whose content is not here, by path."""

    @property
    def objects(self) -> Path:
        """Where the copy keeps its own objects."""
        return self.folder / ".git" / "objects"

    def link(self, objects: Path) -> None:
        """Let git find the objects of another repository."""
        alternates = self.objects / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        with alternates.open("a", errors="surrogateescape") as file:
            file.write(f"{objects}\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One repository that files come from: the person's own, or a submodule of it."""

    source: git.Repo
    tree: str
    """Of its files alone, with those of its submodules left out."""
    env: Mapping[str, str]
    """Under which git reads the repository, and writes objects into the copy."""


def asked(repo: git.Repo, *command: str, env: Mapping[str, str] | None = None) -> str:
    """Return what a git command prints, without the filter of Git LFS; any may run filters."""
    return run_git(repo, *_WITHOUT_LFS, *command, env=env)


def objects_of(repo: git.Repo, tree: str, env: Mapping[str, str]) -> list[str]:
    """Return the ids of a tree, of those in it, and of its files."""
    ids = [asked(repo, "rev-parse", f"{tree}^{{tree}}", env=env)]
    for entry in filter(None, asked(repo, "ls-tree", "-r", "-t", "-z", tree, env=env).split("\0")):
        _, kind, id_ = entry.partition("\t")[0].split(" ")
        if kind != "commit":
            ids.append(id_)
    return ids


def fetch(making: Making, part: Part, ids: Iterable[str]) -> None:
    """Fetch what a partial clone lacks of these, all at once."""
    wanted = {*ids}
    for remote in _promisors(part.source):
        # Asked of the copy, which has no remote to ask in turn, one by one.
        command = ["cat-file", "--batch-check=%(objectname)"]
        told = piped(making, making.repo, command, lined(sorted(wanted)), env={}).decode()
        lacking = [line.split()[0] for line in told.splitlines() if line.endswith(" missing")]
        if not lacking:
            return
        what = f"fetching {len(lacking):,} files from {remote}"
        command = [
            *("-c", "fetch.negotiationAlgorithm=noop", "fetch", remote, "--no-tags"),
            *("--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none"),
            *("--progress", "--stdin"),
        ]
        try:
            piped(making, part.source, command, lined(lacking), env=part.env, what=what)
        except git.GitCommandError as error:
            raise LocalRepoError(
                f"{len(lacking):,} files of this state are not in {part.source.working_dir}, a"
                f" partial clone, and cannot be fetched from {remote}: {why(error)}."
            ) from error


def _promisors(source: git.Repo) -> list[str]:
    """Return the remotes that a partial clone fetches missing objects from."""
    try:
        told = asked(source, "config", "--name-only", "--get-regexp", r"^remote\..*\.promisor$")
    except git.GitCommandError:
        return []
    return [line.removeprefix("remote.").removesuffix(".promisor") for line in told.splitlines()]


def piped(
    making: Making,
    repo: git.Repo,
    command: Sequence[str],
    given: bytes,
    *,
    env: Mapping[str, str],
    what: str = "",
) -> bytes:
    """Return what a git command prints that reads its standard input; tell how far `what` is.

    Raises git.GitCommandError.
    """
    words = ["git", *QUIET, *_WITHOUT_LFS, *command]
    if what:
        making.tell(what)
    with (
        tempfile.TemporaryFile(dir=making.scratch) as standard_input,
        tempfile.TemporaryFile(dir=making.scratch) as output,
    ):
        standard_input.write(given)
        standard_input.seek(0)
        with subprocess.Popen(
            words,
            cwd=repo.working_dir,
            env={**os.environ, **repo.git.environment(), **SETTINGS, **env},
            stdin=standard_input,
            stdout=output,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stderr is not None
            said = []
            for line in _lines(running.stderr):
                if re.search(r"\d+% \(", line):
                    making.tell(f"{what} ({line})")
                else:
                    said.append(line)
        if running.returncode != 0:
            raise git.GitCommandError(words, running.returncode, "\n".join(said).encode())
        output.seek(0)
        return output.read()


def lined(words: Iterable[str]) -> bytes:
    """Return words for the standard input of git, a line each."""
    return "".join(f"{word}\n" for word in words).encode()


def _lines(stream: IO[bytes]) -> Iterable[str]:
    """Yield lines as they come, also those that a carriage return ends."""
    rest = b""
    while piece := os.read(stream.fileno(), 4096):
        *lines, rest = re.split(rb"[\r\n]", rest + piece)
        yield from (line.decode(errors="replace").strip() for line in lines if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").strip()
