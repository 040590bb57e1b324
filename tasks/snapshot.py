"""A copy of one state of a person's git repository, with all that belongs to it.

The repository is only read. What a copy needs beyond it (files that a partial clone has not
fetched yet) is written into the copy, and of the past nothing is copied. All of this blocks, on
git and on the disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# As in `tasks.worktree`, whichever of the two is imported first.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
import git

from tasks.contents import tree_of
from tasks.making import Making, Tell, asked, fetch, lined, objects_of, piped, say_nothing
from tasks.worktree import opened, resolve, some

# A copy must not depend on who makes it.
_ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (
        ("NAME", "ksolve"),
        ("EMAIL", "ksolve@localhost"),
        ("DATE", "2020-01-01T00:00:00Z"),
    )
}
_IGNORED = "__pycache__/\n*.pyc\n.pytest_cache/\n"


@contextmanager
def copied(
    repo: Path, folder: Path, *, base: str, include_dirty: bool, tell: Tell = say_nothing
) -> Iterator[Copy]:
    """Make a repository in `folder` of one commit without parents: one state of another one.

    With `include_dirty` the state is the work tree, less what is ignored; else it is commit
    `base`. No file is checked out yet. Raises LocalRepoError.
    """
    with (
        opened(repo) as source,
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=".index-") as scratch,
        _initialised(folder, asked(source, "rev-parse", "--show-object-format")) as made,
    ):
        making = Making(repo=made, folder=folder, scratch=Path(scratch), tell=tell)
        tree = tree_of(making, source, None if include_dirty else resolve(source, base))
        commit = asked(made, "commit-tree", tree, "-m", "The state to work from", env=_IDENTITY)
        yield Copy(making, commit, release=_release(source, base))
        for part in making.parts:
            part.source.close()


@contextmanager
def _initialised(folder: Path, form: str) -> Iterator[git.Repo]:
    """Make an empty repository whose ids have a form, `sha1` or `sha256`."""
    made = git.Repo.init(
        folder,
        initial_branch="main",
        # A person's own template may hold hooks.
        template="",
        object_format=form,
        # As which GitPython counts any template.
        allow_unsafe_options=True,
    )
    with made:
        made.git.update_environment(**_ALONE)
        yield made


def _release(source: git.Repo, base: str) -> str | None:
    """Return the nearest tag before a commit, from which many packages take their version."""
    try:
        return asked(source, "describe", "--tags", "--abbrev=0", base) or None
    except git.GitCommandError:
        return None


class Copy:
    """The repository that `copied` makes. `commit` depends on the files alone."""

    def __init__(self, making: Making, commit: str, *, release: str | None) -> None:
        self._making = making
        self._repo = making.repo
        self.folder = making.folder
        self.commit = commit
        self.release = release
        """The tag of the release that the state comes after."""

    @property
    def missing(self) -> list[str]:
        """What belongs to the state and is not on this machine, a sentence each."""
        sentences = []
        if names := self._making.submodules:
            sentences.append(
                f"The submodules {some(names)} are not checked out: run"
                " `git submodule update --init --recursive`."
            )
        if names := self._making.pointers:
            sentences.append(
                f"The Git LFS files {some(names)} are pointers without their content: run"
                " `git lfs pull`."
            )
        return sentences

    def names(self) -> list[str]:
        """Return the paths of all files."""
        listed = asked(self._repo, "ls-tree", "-r", "-z", "--name-only", self.commit)
        return [name for name in listed.split("\0") if name]

    def read(self, name: str) -> str:
        """Return the text of one file."""
        first = self._making.parts[0]
        return asked(first.source, "show", f"{self.commit}:{name}", env=first.env)

    def check_out(self) -> None:
        """Write all files, and cut every tie to the repositories it was made from.

        What is under `.git` depends on the files alone, too.
        """
        for part in self._making.parts:
            fetch(self._making, part, objects_of(part.source, part.tree, part.env))
        self._pack()
        asked(self._repo, "update-ref", "refs/heads/main", self.commit)
        if self.release:
            asked(self._repo, "update-ref", f"refs/tags/{self.release}", self.commit)
        asked(self._repo, "reset", "--hard", "-q")
        (self.folder / ".git" / "ORIG_HEAD").unlink(missing_ok=True)
        (self.folder / ".git" / "index").unlink()
        # Without the times of these files.
        asked(self._repo, "read-tree", "HEAD")
        exclude = self.folder / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(_IGNORED)

    def _pack(self) -> None:
        """Pack what the commit needs, each time in the same way, and drop all other objects."""
        making, objects = self._making, self._making.objects
        ids = dict.fromkeys([self.commit, *objects_of(making.repo, self.commit, {})])
        command = [
            *("-c", "pack.compression=1", "pack-objects", "--window=0", "--no-reuse-delta"),
            *("--no-reuse-object", "--progress", str(making.scratch / "pack")),
        ]
        what = f"packing {len(ids):,} objects"
        piped(making, making.repo, command, lined(ids), env={}, what=what)
        shutil.rmtree(objects)
        (objects / "info").mkdir(parents=True)
        (objects / "pack").mkdir()
        for file in sorted(making.scratch.glob("pack-*")):
            if file.suffix in {".pack", ".idx"}:
                shutil.move(file, objects / "pack" / file.name)
