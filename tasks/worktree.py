"""A person's git repository: what is asked of it, and how a patch is applied to its work tree.

The only function that writes is `apply_to_work_tree`; `tasks.snapshot` copies a state of the
repository. All of this blocks, on git and on the disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

# Else a machine without git could not even run the commands that need none.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
import git

QUIET = tuple(
    word
    for setting in (
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "core.logAllRefUpdates=false",
        "gc.auto=0",
    )
    for word in ("-c", setting)
)
"""Options under which git neither runs a person's hooks nor tidies up."""

SETTINGS = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
"""The environment of every git command: nobody is asked, and no large file is downloaded."""

_SHOWN = 3


class LocalRepoError(Exception):
    """A local repository cannot be used as asked. The message is one sentence for a person."""


def dirty_files(repo: Path) -> list[str]:
    """Return the paths that differ from the last commit, untracked ones among them, ignored not.

    Raises LocalRepoError.
    """
    with opened(repo) as opened_repo:
        fields = iter(run_git(opened_repo, "status", "--porcelain", "-z", "-uall").split("\0"))
        dirty = []
        for field in fields:
            if field:
                dirty.append(field[3:].rstrip("/"))
                if field[0] in "RC":
                    dirty.append(next(fields))
        return sorted(dirty)


def commit(repo: Path, revision: str) -> str:
    """Return the id of a commit. Raises LocalRepoError."""
    with opened(repo) as opened_repo:
        return resolve(opened_repo, revision)


def apply_to_work_tree(repo: Path, patch: str, *, allow_dirty: bool = False) -> list[str]:
    """Apply a unified diff to the work tree, whole or not at all; return the paths it touches.

    The index stays as it is. A patch of a file that has uncommitted changes is refused unless
    allowed; other uncommitted files are left alone. Raises LocalRepoError.
    """
    dirty = dirty_files(repo)
    with opened(repo) as opened_repo, tempfile.NamedTemporaryFile() as file:
        file.write(f"{patch}\n".encode(errors="surrogateescape"))
        file.flush()
        try:
            touched = _touched(opened_repo, file.name)
            if not allow_dirty and (both := _shared(touched, dirty)):
                raise LocalRepoError(
                    f"The patch changes files of {repo} that have uncommitted changes"
                    f" ({some(both)}): commit or stash those, or add --allow-dirty to apply it on"
                    " top of them."
                )
            _apply(opened_repo, file.name, "--check")
        except git.GitCommandError as error:
            raise LocalRepoError(f"The patch does not apply to {repo}: {why(error)}.") from error
        with _restored_on_error(Path(opened_repo.working_dir), touched):
            try:
                _apply(opened_repo, file.name)
            except git.GitCommandError as error:
                raise LocalRepoError(
                    f"The patch could not be written to {repo}, which is as before: {why(error)}."
                ) from error
    return touched


def _apply(repo: git.Repo, patch_file: str, *options: str) -> str:
    return run_git(repo, "apply", "--whitespace=nowarn", *options, patch_file)


def _touched(repo: git.Repo, patch_file: str) -> list[str]:
    """Ask for the names both ways, since a rename is listed by its new one."""
    entries: list[str] = []
    for options in (("--numstat", "-z"), ("--numstat", "-z", "-R")):
        entries += _apply(repo, patch_file, *options).split("\0")
    return sorted({entry.split("\t", 2)[2] for entry in entries if entry})


def _shared(touched: Iterable[str], dirty: Iterable[str]) -> list[str]:
    """Return what a patch touches that is dirty, or lies in a submodule that is."""
    known = set(dirty)
    return [
        name
        for name in touched
        if not known.isdisjoint({name, *map(str, PurePosixPath(name).parents)})
    ]


@contextmanager
def _restored_on_error(root: Path, names: list[str]) -> Iterator[None]:
    """Put files back when git fails between two writes, say on a full disk."""
    before: dict[Path, tuple[int, bytes] | Path | None] = {}
    for path in (root / name for name in names):
        if path.is_symlink():
            before[path] = path.readlink()
        else:
            before[path] = (path.stat().st_mode, path.read_bytes()) if path.is_file() else None
    try:
        yield
    except BaseException:
        for path, kept in before.items():
            if os.path.lexists(path):
                path.unlink()
            if kept is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(kept, Path):
                path.symlink_to(kept)
            elif kept is not None:
                path.write_bytes(kept[1])
                path.chmod(kept[0])
        raise


@contextmanager
def opened(path: Path) -> Iterator[git.Repo]:
    """Open a repository with a work tree and a commit, by its top folder. Raises LocalRepoError."""
    if shutil.which("git") is None:
        raise LocalRepoError("There is no git on this machine: install it, as by apt install git.")
    try:
        repo = git.Repo(path)
    except git.NoSuchPathError as error:
        raise LocalRepoError(f"There is no folder {path}.") from error
    except git.InvalidGitRepositoryError as error:
        raise LocalRepoError(_not_a_repository(path)) from error
    with repo:
        if repo.bare:
            raise LocalRepoError(f"{path} is a bare repository: give a clone with a work tree.")
        try:
            resolve(repo, "HEAD")
            yield repo
        except git.GitCommandError as error:
            raise LocalRepoError(f"git failed in {path}: {why(error)}.") from error


def _not_a_repository(path: Path) -> str:
    try:
        with git.Repo(path, search_parent_directories=True) as parent:
            top = parent.working_tree_dir
    except git.InvalidGitRepositoryError:
        return f"{path} is not a git repository: run git init, git add and git commit in it."
    return f"{path} is a folder inside the git repository {top}: give that one."


def resolve(repo: git.Repo, revision: str) -> str:
    """Return the id of a commit. Raises LocalRepoError when the repository has no such commit."""
    try:
        return run_git(repo, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except git.GitCommandError as error:
        if str(error.stderr).strip():
            raise  # not the revision's fault, on which --quiet says nothing
        if revision == "HEAD":
            message = f"{repo.working_dir} has no commits yet: commit what there is first."
        else:
            message = f"{repo.working_dir} has no commit {revision!r}."
        raise LocalRepoError(message) from error


def git_path(repo: git.Repo, name: str) -> Path:
    """Return where git keeps something of a repository, such as its `objects`."""
    return Path(repo.working_dir, run_git(repo, "rev-parse", "--git-path", name)).resolve()


def run_git(repo: git.Repo, *command: str, env: Mapping[str, str] | None = None) -> str:
    """Return what a git command prints. Raises git.GitCommandError."""
    return str(repo.git.execute(["git", *QUIET, *command], env={**SETTINGS, **(env or {})}))


def why(error: git.GitCommandError) -> str:
    """Return the first line of what git said of its failure."""
    text = str(error.stderr).strip().removeprefix("stderr:").strip(" '\n")
    first = text.splitlines()[0] if text else f"exit status {error.status}"
    return first.removeprefix("error: ").removeprefix("fatal: ").rstrip(".")


def some(names: list[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
