"""The files of one state of a repository, with those that its commit only points at.

Submodules count as they are checked out; a file that a filter rewrites, or that Git LFS keeps
elsewhere, as a person sees it. What is not on this machine is noted.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

# As in `tasks.worktree`, whichever of the two is imported first.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
import git

from tasks.making import Making, Part, asked, fetch, lined, piped
from tasks.worktree import LocalRepoError, git_path, resolve

_SUBMODULE = "160000"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n"
    rb"size (\d+)\n"
)
_LFS = "lfs"
# Bytes, as Git LFS itself has it.
_LARGEST_POINTER = 1024


def tree_of(making: Making, source: git.Repo, commit: str | None, under: str = "") -> str:
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
        asked(source, "add", "-A", *options, env=env)
    else:
        asked(source, "read-tree", f"{commit}^{{tree}}", env=env)
    tree = asked(source, "write-tree", "--missing-ok", env=env)
    part = Part(source=source, tree=tree, env=env)
    making.parts.append(part)
    staged = _staged(source, env)
    _take_contents(making, part, staged, is_work_tree=commit is None, under=under)
    _take_submodules(making, part, staged, is_work_tree=commit is None, under=under)
    return asked(source, "write-tree", "--missing-ok", env=env)


@dataclass(frozen=True, slots=True)
class _Staged:
    """An entry of an index."""

    mode: str
    id: str


def _staged(source: git.Repo, env: Mapping[str, str]) -> dict[str, _Staged]:
    entries = {}
    for entry in asked(source, "ls-files", "-s", "-z", env=env).split("\0"):
        if entry:
            meta, _, name = entry.partition("\t")
            mode, id_, _ = meta.split(" ")
            entries[name] = _Staged(mode, id_)
    return entries


def _is_sparse(source: git.Repo) -> bool:
    return (
        asked(source, "config", "--type=bool", "--default=false", "--get", "core.sparseCheckout")
        == "true"
    )


def _take_submodules(
    making: Making,
    part: Part,
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
        tree = tree_of(making, inner, commit, f"{under}{name}/")
        asked(source, "update-index", "--force-remove", "--", name, env=env)
        asked(source, "read-tree", f"--prefix={name}/", tree, env=env)


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


def _filtered(making: Making, part: Part, staged: Mapping[str, _Staged]) -> dict[str, str]:
    """Return the files that a filter of git rewrites, such as `lfs`, and its name."""
    own = git_path(part.source, "info/attributes")
    if not own.exists() and not any(n.rpartition("/")[2] == ".gitattributes" for n in staged):
        return {}
    listed = "".join(f"{name}\0" for name in staged).encode(errors="surrogateescape")
    command = ["check-attr", "--cached", "-z", "--stdin", "filter"]
    told = piped(making, part.source, command, listed, env=part.env)
    fields = told.decode(errors="surrogateescape").split("\0")[:-1]
    return {
        name: value
        for name, value in zip(fields[::3], fields[2::3], strict=True)
        if value not in {"unspecified", "unset", "set"} and staged[name].mode.startswith("100")
    }


def _take_contents(
    making: Making,
    part: Part,
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
    changed = {*asked(source, "diff-files", "--name-only", "-z").split("\0")}
    pointers = _pointers(
        making, part, {staged[n].id for n, kind in filtered.items() if kind == _LFS}
    )
    store = Path(
        asked(source, "config", "--type=path", "--default=", "--get", "lfs.storage")
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
            id_ = asked(source, *command, env=part.env)
            lines.append(f"{staged[name].mode} {id_}\t{name}\0")
    told = "".join(lines).encode(errors="surrogateescape")
    piped(making, source, ["update-index", "-z", "--index-info"], told, env=part.env)


def _pointers(making: Making, part: Part, blobs: Collection[str]) -> dict[str, tuple[str, int]]:
    """Return SHA-256 and size of the content that Git LFS keeps for blobs; none of other blobs."""
    fetch(making, part, blobs)
    listed = lined(sorted(blobs))
    command = ["cat-file", "--batch-check=%(objectname) %(objectsize)"]
    sizes = piped(making, part.source, command, listed, env=part.env).decode().splitlines()
    small = [id_ for id_, size in map(str.split, sizes) if int(size) <= _LARGEST_POINTER]
    texts = piped(making, part.source, ["cat-file", "--batch"], lined(small), env=part.env)
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
