"""What `ksolve fix` does with a person's git repository: copy one state of it, apply a patch to it.

Reading never changes the repository: objects that a copy needs are written into the copy. The only
function that writes is `apply_to_work_tree`. All of this blocks, on git and on the disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Else a machine without git could not even run the commands that need none.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
import git

_QUIET = tuple(
    word
    for setting in (
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "core.logAllRefUpdates=false",
        "gc.auto=0",
    )
    for word in ("-c", setting)
)
_ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
# A copy must not depend on who makes it.
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
_SHOWN = 3


class LocalRepoError(Exception):
    """A local repository cannot be used as asked. The message is one sentence for a person."""


def dirty_files(repo: Path) -> list[str]:
    """Return the paths that differ from the last commit, untracked ones among them, ignored not.

    Raises LocalRepoError.
    """
    with opened(repo) as opened_repo:
        fields = iter(_git(opened_repo, "status", "--porcelain", "-z", "-uall").split("\0"))
        dirty = []
        for field in fields:
            if field:
                dirty.append(field[3:])
                if field[0] in "RC":
                    dirty.append(next(fields))
        return sorted(dirty)


def commit(repo: Path, revision: str) -> str:
    """Return the id of a commit. Raises LocalRepoError."""
    with opened(repo) as opened_repo:
        return resolve(opened_repo, revision)


def left_out(repo: Path) -> list[str]:
    """Say what a copy will not hold, a sentence each: submodules, and what Git LFS keeps elsewhere.

    Raises LocalRepoError.
    """
    with opened(repo) as opened_repo:
        staged = _git(opened_repo, "ls-files", "-s", "-z").split("\0")
        submodules = [entry.partition("\t")[2] for entry in staged if entry.startswith("160000 ")]
        stored = _git(opened_repo, "ls-files", "-z", ":(attr:filter=lfs)").split("\0")
    sentences = []
    if submodules:
        sentences.append(f"The submodules {_some(submodules)} will be empty folders.")
    if lfs := [name for name in stored if name]:
        sentences.append(f"The Git LFS files {_some(lfs)} will be pointers without their content.")
    return sentences


def apply_to_work_tree(repo: Path, patch: str, *, allow_dirty: bool = False) -> list[str]:
    """Apply a unified diff to the work tree, whole or not at all; return the paths it touches.

    The index stays as it is. A dirty tree is refused unless allowed. Raises LocalRepoError.
    """
    dirty = dirty_files(repo)
    if dirty and not allow_dirty:
        raise LocalRepoError(
            f"The work tree of {repo} has uncommitted changes ({_some(dirty)}):"
            " commit or stash them, or allow the patch on top of them."
        )
    with opened(repo) as opened_repo, tempfile.NamedTemporaryFile() as file:
        file.write(f"{patch}\n".encode(errors="surrogateescape"))
        file.flush()
        try:
            _apply(opened_repo, file.name, "--check")
            touched = _touched(opened_repo, file.name)
        except git.GitCommandError as error:
            raise LocalRepoError(f"The patch does not apply to {repo}: {_why(error)}.") from error
        with _restored_on_error(Path(opened_repo.working_dir), touched):
            try:
                _apply(opened_repo, file.name)
            except git.GitCommandError as error:
                raise LocalRepoError(
                    f"The patch could not be written to {repo}, which is as before: {_why(error)}."
                ) from error
    return touched


def _apply(repo: git.Repo, patch_file: str, *options: str) -> str:
    return _git(repo, "apply", "--whitespace=nowarn", *options, patch_file)


def _touched(repo: git.Repo, patch_file: str) -> list[str]:
    """Ask for the names both ways, since a rename is listed by its new one."""
    entries: list[str] = []
    for options in (("--numstat", "-z"), ("--numstat", "-z", "-R")):
        entries += _apply(repo, patch_file, *options).split("\0")
    return sorted({entry.split("\t", 2)[2] for entry in entries if entry})


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
            raise LocalRepoError(f"git failed in {path}: {_why(error)}.") from error


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
        return _git(repo, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except git.GitCommandError as error:
        if str(error.stderr).strip():
            raise  # not the revision's fault, on which --quiet says nothing
        if revision == "HEAD":
            message = f"{repo.working_dir} has no commits yet: commit what there is first."
        else:
            message = f"{repo.working_dir} has no commit {revision!r}."
        raise LocalRepoError(message) from error


@contextmanager
def copied(repo: Path, folder: Path, *, base: str, include_dirty: bool) -> Iterator[Copy]:
    """Make a repository in `folder` of one commit without parents: one state of another one.

    With `include_dirty` the state is the work tree, less what is ignored; else it is commit
    `base`. No file is checked out yet. Raises LocalRepoError.
    """
    with opened(repo) as source:
        form = _git(source, "rev-parse", "--show-object-format")
        theirs = _git_path(source, "objects")
        made = git.Repo.init(
            folder,
            initial_branch="main",
            template="",  # a person's own template may hold hooks
            object_format=form,
            allow_unsafe_options=True,  # as which GitPython counts any template
        )
        with made:
            made.git.update_environment(**_ALONE)
            objects = folder / ".git" / "objects"
            (objects / "info").mkdir(exist_ok=True)
            (objects / "info" / "alternates").write_text(f"{theirs}\n")
            if include_dirty:
                tree = _work_tree(source, theirs, objects)
            else:
                tree = f"{resolve(source, base)}^{{tree}}"
            tree = _git(made, "rev-parse", "--verify", tree)
            commit = _git(made, "commit-tree", tree, "-m", "The state to work from", env=_IDENTITY)
            yield Copy(made, folder, commit)


def _work_tree(source: git.Repo, theirs: Path, objects: Path) -> str:
    """Return the tree of the work tree; its new objects go to `objects`, the index is a copy."""
    index = objects / "index"
    shutil.copyfile(_git_path(source, "index"), index)
    env = {
        "GIT_INDEX_FILE": str(index),
        "GIT_OBJECT_DIRECTORY": str(objects),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(theirs),
    }
    _git(source, "add", "-A", env=env)
    tree = _git(source, "write-tree", env=env)
    index.unlink()
    return tree


class Copy:
    """The repository that `copied` makes. `commit` depends on the files alone."""

    def __init__(self, repo: git.Repo, folder: Path, commit: str) -> None:
        self._repo = repo
        self.folder = folder
        self.commit = commit

    def names(self) -> list[str]:
        """Return the paths of all files."""
        listed = _git(self._repo, "ls-tree", "-r", "-z", "--name-only", self.commit)
        return [name for name in listed.split("\0") if name]

    def read(self, name: str) -> str:
        """Return the text of one file."""
        return _git(self._repo, "show", f"{self.commit}:{name}")

    def check_out(self) -> None:
        """Write all files, and cut every tie to the repository it was made from.

        What is under `.git` depends on the files alone, too.
        """
        _git(self._repo, "update-ref", "refs/heads/main", self.commit)
        _git(self._repo, "repack", "-a", "-d", "-q", "-F", "--window=0")  # packed anew
        (self.folder / ".git" / "objects" / "info" / "alternates").unlink()
        _git(self._repo, "reset", "--hard", "-q")
        (self.folder / ".git" / "ORIG_HEAD").unlink(missing_ok=True)
        (self.folder / ".git" / "index").unlink()
        _git(self._repo, "read-tree", "HEAD")  # without the times of these files
        exclude = self.folder / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(_IGNORED)


def _git_path(repo: git.Repo, name: str) -> Path:
    return Path(repo.working_dir, _git(repo, "rev-parse", "--git-path", name)).resolve()


def _git(repo: git.Repo, *command: str, env: Mapping[str, str] | None = None) -> str:
    settings = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", **(env or {})}
    return str(repo.git.execute(["git", *_QUIET, *command], env=settings))


def _why(error: git.GitCommandError) -> str:
    text = str(error.stderr).strip().removeprefix("stderr:").strip(" '\n")
    first = text.splitlines()[0] if text else f"exit status {error.status}"
    return first.removeprefix("error: ").removeprefix("fatal: ").rstrip(".")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
