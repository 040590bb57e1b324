"""A copy of one state of a person's git repository, with all that belongs to it.

Submodules, and large files that filters keep elsewhere, are among its files.

The repository is only read. What a copy needs beyond it (files that a partial clone has not
fetched yet) is written into the copy, and of the past nothing is copied. All of this blocks, on
git and on the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# As in `tasks.worktree`, whichever of the two is imported first.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
import git

from tasks.worktree import (
    QUIET,
    SETTINGS,
    LocalRepoError,
    git_path,
    opened,
    resolve,
    run_git,
    some,
    why,
)

Tell = Callable[[str], None]
"""Told what takes long, and how far it is."""

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
_SUBMODULE = "160000"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n"
    rb"size (\d+)\n"
)
_LFS = "lfs"
# Bytes, as Git LFS itself has it.
_LARGEST_POINTER = 1024
_WITHOUT_LFS = (
    *("-c", "filter.lfs.clean=", "-c", "filter.lfs.process="),
    *("-c", "filter.lfs.required=false"),
)


def _asked(repo: git.Repo, *command: str, env: Mapping[str, str] | None = None) -> str:
    """Return what a git command prints, without the filter of Git LFS; any may run filters."""
    return run_git(repo, *_WITHOUT_LFS, *command, env=env)


def say_nothing(_: str) -> None:
    """Tell nobody."""


@dataclass(kw_only=True, slots=True)
class _Made:
    """The copy while it is put together: the repositories it is made of, and what they lack."""

    repo: git.Repo
    folder: Path
    scratch: Path
    tell: Tell
    parts: list[_Part] = field(default_factory=list)
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
class _Part:
    """One repository that files come from: the person's own, or a submodule of it."""

    source: git.Repo
    tree: str
    """Of its files alone, with those of its submodules left out."""
    env: Mapping[str, str]
    """Under which git reads the repository, and writes objects into the copy."""


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
        _initialised(folder, _asked(source, "rev-parse", "--show-object-format")) as made,
    ):
        making = _Made(repo=made, folder=folder, scratch=Path(scratch), tell=tell)
        tree = _tree(making, source, None if include_dirty else resolve(source, base))
        commit = _asked(made, "commit-tree", tree, "-m", "The state to work from", env=_IDENTITY)
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


def _tree(making: _Made, source: git.Repo, commit: str | None, under: str = "") -> str:
    """Return the tree of a commit, or None for the work tree, with all that belongs to it.

    `under` is where the files go in the copy, "" or a path that ends in a slash.
    """
    making.link(git_path(source, "objects"))
    index = making.scratch / f"index-{len(making.parts)}"
    env = {"GIT_INDEX_FILE": str(index), "GIT_OBJECT_DIRECTORY": str(making.objects)}
    if commit is None:
        theirs = git_path(source, "index")
        if theirs.exists():
            shutil.copyfile(theirs, index)
        options = ("--sparse",) if _is_sparse(source) else ()
        _asked(source, "add", "-A", *options, env=env)
    else:
        _asked(source, "read-tree", f"{commit}^{{tree}}", env=env)
    tree = _asked(source, "write-tree", "--missing-ok", env=env)
    part = _Part(source=source, tree=tree, env=env)
    making.parts.append(part)
    staged = _staged(source, env)
    _take_contents(making, part, staged, is_work_tree=commit is None, under=under)
    _take_submodules(making, part, staged, is_work_tree=commit is None, under=under)
    return _asked(source, "write-tree", "--missing-ok", env=env)


@dataclass(frozen=True, slots=True)
class _Staged:
    """An entry of an index."""

    mode: str
    id: str


def _staged(source: git.Repo, env: Mapping[str, str]) -> dict[str, _Staged]:
    entries = {}
    for entry in _asked(source, "ls-files", "-s", "-z", env=env).split("\0"):
        if entry:
            meta, _, name = entry.partition("\t")
            mode, id_, _ = meta.split(" ")
            entries[name] = _Staged(mode, id_)
    return entries


def _is_sparse(source: git.Repo) -> bool:
    return (
        _asked(source, "config", "--type=bool", "--default=false", "--get", "core.sparseCheckout")
        == "true"
    )


def _take_submodules(
    making: _Made,
    part: _Part,
    staged: Mapping[str, _Staged],
    *,
    is_work_tree: bool,
    under: str,
) -> None:
    """Put the files of submodules in place of them, as far as they are checked out."""
    source, env = part.source, part.env
    if is_work_tree:
        # Of one without so much as a folder, the work tree does not tell.
        staged = {**_staged(source, {}), **staged}
    for name, entry in staged.items():
        if entry.mode != _SUBMODULE:
            continue
        commit = None if is_work_tree else entry.id
        inner = _checked_out(Path(source.working_dir, name), commit or "HEAD")
        if inner is None:
            # Else its files have taken its place already.
            if not any(other.startswith(f"{name}/") for other in staged):
                making.submodules.append(under + name)
            continue
        tree = _tree(making, inner, commit, f"{under}{name}/")
        _asked(source, "update-index", "--force-remove", "--", name, env=env)
        _asked(source, "read-tree", f"--prefix={name}/", tree, env=env)


def _checked_out(folder: Path, revision: str) -> git.Repo | None:
    """Return the repository of a submodule, None where there is none with that revision."""
    if not (folder / ".git").exists():
        return None
    try:
        inner = git.Repo(folder)
        resolve(inner, revision)
    except (git.InvalidGitRepositoryError, git.GitCommandError, LocalRepoError):
        return None
    return inner


def _filtered(making: _Made, part: _Part, staged: Mapping[str, _Staged]) -> dict[str, str]:
    """Return the files that a filter of git rewrites, such as `lfs`, and its name."""
    own = git_path(part.source, "info/attributes")
    if not own.exists() and not any(n.rpartition("/")[2] == ".gitattributes" for n in staged):
        return {}
    listed = "".join(f"{name}\0" for name in staged).encode(errors="surrogateescape")
    command = ["check-attr", "--cached", "-z", "--stdin", "filter"]
    told = _piped(making, part.source, command, listed, env=part.env)
    fields = told.decode(errors="surrogateescape").split("\0")[:-1]
    return {
        name: value
        for name, value in zip(fields[::3], fields[2::3], strict=True)
        if value not in {"unspecified", "unset", "set"} and staged[name].mode.startswith("100")
    }


def _take_contents(
    making: _Made,
    part: _Part,
    staged: Mapping[str, _Staged],
    *,
    is_work_tree: bool,
    under: str,
) -> None:
    """Put what a person sees in place of what a filter makes of it, as far as it is here."""
    source = part.source
    filtered = _filtered(making, part, staged)
    if not filtered:
        return
    theirs = _staged(source, {})
    changed = {*_asked(source, "diff-files", "--name-only", "-z").split("\0")}
    pointers = _pointers(
        making, part, {staged[n].id for n, kind in filtered.items() if kind == _LFS}
    )
    store = Path(
        _asked(source, "config", "--type=path", "--default=", "--get", "lfs.storage")
        or git_path(source, "lfs")
    )
    lines = []
    for name, kind in filtered.items():
        path = Path(source.working_dir, name)
        is_current = is_work_tree or (staged[name] == theirs.get(name) and name not in changed)
        content: Path | None = path if is_current and path.is_file() else None
        if kind == _LFS:
            pointer = pointers.get(staged[name].id)
            if pointer is None:
                continue
            content = _large(pointer, store, path)
            if content is None:
                making.pointers.append(under + name)
        if content is not None:
            command = ["hash-object", "-w", "--no-filters", "--", str(content)]
            id_ = _asked(source, *command, env=part.env)
            lines.append(f"{staged[name].mode} {id_}\t{name}\0")
    told = "".join(lines).encode(errors="surrogateescape")
    _piped(making, source, ["update-index", "-z", "--index-info"], told, env=part.env)


def _pointers(making: _Made, part: _Part, blobs: Collection[str]) -> dict[str, tuple[str, int]]:
    """Return SHA-256 and size of the content that Git LFS keeps for blobs; none of other blobs."""
    _fetch(making, part, blobs)
    listed = _lined(sorted(blobs))
    command = ["cat-file", "--batch-check=%(objectname) %(objectsize)"]
    sizes = _piped(making, part.source, command, listed, env=part.env).decode().splitlines()
    small = [id_ for id_, size in map(str.split, sizes) if int(size) <= _LARGEST_POINTER]
    texts = _piped(making, part.source, ["cat-file", "--batch"], _lined(small), env=part.env)
    found, at = {}, 0
    for id_ in small:
        head, _, _ = texts[at:].partition(b"\n")
        start, size = at + len(head) + 1, int(head.split()[2])
        if told := _POINTER.match(texts[start : start + size]):
            found[id_] = (told[1].decode(), int(told[2]))
        at = start + size + 1
    return found


def _large(pointer: tuple[str, int], store: Path, path: Path) -> Path | None:
    """Return the file that has the content: Git LFS's own, else the one of the work tree."""
    id_, size = pointer
    for file in (store / "objects" / id_[:2] / id_[2:4] / id_, path):
        if file.is_file() and file.stat().st_size == size:
            with file.open("rb") as opened_file:
                if hashlib.file_digest(opened_file, "sha256").hexdigest() == id_:
                    return file
    return None


def _release(source: git.Repo, base: str) -> str | None:
    """Return the nearest tag before a commit, from which many packages take their version."""
    try:
        return _asked(source, "describe", "--tags", "--abbrev=0", base) or None
    except git.GitCommandError:
        return None


class Copy:
    """The repository that `copied` makes. `commit` depends on the files alone."""

    def __init__(self, making: _Made, commit: str, *, release: str | None) -> None:
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
        listed = _asked(self._repo, "ls-tree", "-r", "-z", "--name-only", self.commit)
        return [name for name in listed.split("\0") if name]

    def read(self, name: str) -> str:
        """Return the text of one file."""
        first = self._making.parts[0]
        return _asked(first.source, "show", f"{self.commit}:{name}", env=first.env)

    def check_out(self) -> None:
        """Write all files, and cut every tie to the repositories it was made from.

        What is under `.git` depends on the files alone, too.
        """
        for part in self._making.parts:
            _fetch(self._making, part, _objects(part.source, part.tree, part.env))
        self._pack()
        _asked(self._repo, "update-ref", "refs/heads/main", self.commit)
        if self.release:
            _asked(self._repo, "update-ref", f"refs/tags/{self.release}", self.commit)
        _asked(self._repo, "reset", "--hard", "-q")
        (self.folder / ".git" / "ORIG_HEAD").unlink(missing_ok=True)
        (self.folder / ".git" / "index").unlink()
        # Without the times of these files.
        _asked(self._repo, "read-tree", "HEAD")
        exclude = self.folder / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(_IGNORED)

    def _pack(self) -> None:
        """Pack what the commit needs, each time in the same way, and drop all other objects."""
        making, objects = self._making, self._making.objects
        ids = dict.fromkeys([self.commit, *_objects(making.repo, self.commit, {})])
        command = [
            *("-c", "pack.compression=1", "pack-objects", "--window=0", "--no-reuse-delta"),
            *("--no-reuse-object", "--progress", str(making.scratch / "pack")),
        ]
        what = f"packing {len(ids):,} objects"
        _piped(making, making.repo, command, _lined(ids), env={}, what=what)
        shutil.rmtree(objects)
        (objects / "info").mkdir(parents=True)
        (objects / "pack").mkdir()
        for file in sorted(making.scratch.glob("pack-*")):
            if file.suffix in {".pack", ".idx"}:
                shutil.move(file, objects / "pack" / file.name)


def _objects(repo: git.Repo, tree: str, env: Mapping[str, str]) -> list[str]:
    """Return the ids of a tree, of those in it, and of its files."""
    ids = [_asked(repo, "rev-parse", f"{tree}^{{tree}}", env=env)]
    for entry in filter(None, _asked(repo, "ls-tree", "-r", "-t", "-z", tree, env=env).split("\0")):
        _, kind, id_ = entry.partition("\t")[0].split(" ")
        if kind != "commit":
            ids.append(id_)
    return ids


def _fetch(making: _Made, part: _Part, ids: Iterable[str]) -> None:
    """Fetch what a partial clone lacks of these, all at once."""
    wanted = {*ids}
    for remote in _promisors(part.source):
        # Asked of the copy, which has no remote to ask in turn, one by one.
        command = ["cat-file", "--batch-check=%(objectname)"]
        told = _piped(making, making.repo, command, _lined(sorted(wanted)), env={}).decode()
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
            _piped(making, part.source, command, _lined(lacking), env=part.env, what=what)
        except git.GitCommandError as error:
            raise LocalRepoError(
                f"{len(lacking):,} files of this state are not in {part.source.working_dir}, a"
                f" partial clone, and cannot be fetched from {remote}: {why(error)}."
            ) from error


def _promisors(source: git.Repo) -> list[str]:
    """Return the remotes that a partial clone fetches missing objects from."""
    try:
        told = _asked(source, "config", "--name-only", "--get-regexp", r"^remote\..*\.promisor$")
    except git.GitCommandError:
        return []
    return [line.removeprefix("remote.").removesuffix(".promisor") for line in told.splitlines()]


def _piped(
    making: _Made,
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


def _lined(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()


def _lines(stream: IO[bytes]) -> Iterable[str]:
    """Yield lines as they come, also those that a carriage return ends."""
    rest = b""
    while piece := os.read(stream.fileno(), 4096):
        *lines, rest = re.split(rb"[\r\n]", rest + piece)
        yield from (line.decode(errors="replace").strip() for line in lines if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").strip()
