"""A build context is the same from every checkout and installation, whatever lies beside it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.context import MANIFEST, Listing, context_digest, entries
from tasks.rows import DatasetError


def git(folder: Path, *words: str) -> str:
    env = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *words]
    return subprocess.run(
        command, cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A task repo in git, in a folder with a space, with one context of a few files."""
    suite = tmp_path / "a suite"
    made = suite / "images" / "anvil"
    (made / "repo" / "anvil").mkdir(parents=True)
    (made / "Dockerfile").write_text("FROM base:1\nCOPY repo/ /testbed/\n")
    (made / "repo" / "anvil" / "__init__.py").write_text("weight = 2\n")
    (made / "repo" / "run.sh").write_text("#!/bin/sh\n")
    (made / "repo" / "run.sh").chmod(0o755)
    (made / "repo" / "ü.txt").write_text("ü")
    (made / "repo" / "link").symlink_to("run.sh")
    git(suite, "init", "-q")
    git(suite, "add", ".")
    return suite


def context(suite: Path) -> Path:
    return suite / "images" / "anvil"


def names(suite: Path) -> list[str]:
    folder = context(suite)
    return [entry.name for entry in entries(folder, Listing(suite).of(folder))]


def digest(suite: Path) -> str:
    folder = context(suite)
    return context_digest(folder, Listing(suite).of(folder))


def compiled(suite: Path) -> None:
    """Do what installers and test runners do to a folder with Python files."""
    for folder in ("__pycache__", ".pytest_cache", "repo/anvil/__pycache__", "repo/x.egg-info"):
        (context(suite) / folder).mkdir()
        (context(suite) / folder / "left").write_bytes(b"\0")


def listed(suite: Path) -> None:
    """Make of a suite in git one that was installed."""
    (suite / MANIFEST).write_text(git(suite, "-c", "core.quotePath=false", "ls-files", "--stage"))
    shutil.rmtree(suite / ".git")


ALL = [
    *("Dockerfile", "repo", "repo/anvil", "repo/anvil/__init__.py"),
    *("repo/link", "repo/run.sh", "repo/ü.txt"),
]


def test_what_lies_beside_tracked_files_does_not_belong_to_a_context(suite: Path) -> None:
    before = digest(suite)
    assert names(suite) == ALL
    compiled(suite)
    assert names(suite) == ALL
    assert digest(suite) == before


def test_an_installed_suite_has_the_contexts_of_its_checkout(suite: Path) -> None:
    before = digest(suite)
    listed(suite)
    compiled(suite)
    assert names(suite) == ALL
    assert digest(suite) == before
    # An installation may lie in the repository of somebody else, who tracks none of it, or all.
    git(suite.parent, "init", "-q")
    assert digest(suite) == before
    git(suite.parent, "add", "-f", ".")
    assert digest(suite) == before


@pytest.mark.parametrize("form", ["git", "manifest"])
def test_modes_owners_and_times_of_a_machine_do_not_count(suite: Path, form: str) -> None:
    before = digest(suite)
    if form == "manifest":
        listed(suite)
    for path in context(suite).rglob("*"):
        if not path.is_symlink():
            # As where no mode is kept, on a disk of another system.
            path.chmod(0o777)
            os.utime(path, (1, 1))
    assert digest(suite) == before


def test_a_changed_file_or_mode_is_another_context(suite: Path) -> None:
    before = digest(suite)
    (context(suite) / "repo" / "anvil" / "__init__.py").write_text("weight = 3\n")
    changed = digest(suite)
    (context(suite) / "repo" / "run.sh").chmod(0o644)
    assert digest(suite) == changed
    git(suite, "add", ".")
    assert len({before, changed, digest(suite)}) == 3


def test_a_tracked_file_that_is_gone_is_left_out(suite: Path) -> None:
    (context(suite) / "repo" / "run.sh").unlink()
    assert names(suite) == [name for name in ALL if name != "repo/run.sh"]


def test_a_task_that_is_not_in_git_yet_has_all_its_files(suite: Path) -> None:
    new = suite / "tasks" / "new"
    new.mkdir(parents=True)
    (new / "Dockerfile").write_text("FROM base:1\nCOPY gold.patch /\n")
    (new / "gold.patch").write_text("x")
    files = Listing(suite).of(new)
    assert [entry.name for entry in entries(new, files)] == ["Dockerfile", "gold.patch"]


def test_files_of_a_submodule_belong_to_it(suite: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "more.py").write_text("x")
    git(other, "init", "-q")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "x")
    allowed = ("-c", "protocol.file.allow=always")
    git(suite, *allowed, "submodule", "--quiet", "add", str(other), "images/anvil/repo/other")
    compiled(suite)
    (context(suite) / "repo" / "other" / "left.pyc").write_text("x")
    others = ["repo/other", "repo/other/more.py"]
    assert names(suite) == sorted([*ALL, *others])
    git(suite, "submodule", "--quiet", "deinit", "-f", "images/anvil/repo/other")
    assert names(suite) == ALL


def test_a_hook_of_another_repository_changes_nothing(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert names(suite) == ALL


def test_reading_a_list_of_files_runs_nothing_of_the_repository(suite: Path) -> None:
    hook = suite / "hook"
    hook.write_text(f"#!/bin/sh\ntouch '{suite}/ran'\n")
    hook.chmod(0o755)
    git(suite, "config", "core.fsmonitor", str(hook))
    assert names(suite) == ALL
    assert not (suite / "ran").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to somebody else")
def test_the_owner_of_a_checkout_does_not_matter(suite: Path) -> None:
    for path in (suite, *suite.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    compiled(suite)
    assert names(suite) == ALL


def test_a_repository_that_git_cannot_read_is_an_error(suite: Path) -> None:
    (suite / ".git" / "index").write_bytes(b"no index")
    with pytest.raises(DatasetError, match=r"git cannot tell which files belong to .*index"):
        names(suite)


def test_without_git_the_files_of_a_checkout_cannot_be_told(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(suite))
    with pytest.raises(DatasetError, match="there is no git on this machine"):
        names(suite)
    listed_before = (suite / ".git").rename(suite.parent / "kept")
    assert listed_before.exists()
    assert names(suite) == ALL


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("harm", [damage, Path.unlink])
def test_a_file_that_is_not_as_it_was_packaged_is_named(
    suite: Path, harm: Callable[[Path], None]
) -> None:
    listed(suite)
    path = context(suite) / "repo" / "anvil" / "__init__.py"
    harm(path)
    with pytest.raises(DatasetError) as caught:
        names(suite)
    assert f"{path} is not the file that {suite / MANIFEST} lists" in str(caught.value)


@pytest.mark.parametrize("text", ["what a person wrote\n", "100644 abc\tx\n", "\xff"])
def test_a_list_in_no_form_of_gits_is_an_error(suite: Path, text: str) -> None:
    (suite / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(DatasetError, match=f"{MANIFEST} cannot be read"):
        names(suite)


def test_what_is_ignored_does_not_change_a_context(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("1")
    (tmp_path / ".dockerignore").write_text("# no logs\n*.log\n")
    before = context_digest(tmp_path)
    (tmp_path / "new.log").write_text("x")
    assert context_digest(tmp_path) == before
    (tmp_path / "kept.txt").chmod(0o755)
    executable = context_digest(tmp_path)
    (tmp_path / "link").symlink_to("kept.txt")
    linked = context_digest(tmp_path)
    assert len({before, executable, linked}) == 3
    files = dict.fromkeys((".dockerignore", "kept.txt", "new.log"), False)
    assert [entry.name for entry in entries(tmp_path, files)] == [".dockerignore", "kept.txt"]


def test_what_is_no_file_is_not_sent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "kept.txt").write_text("1")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert [entry.name for entry in entries(tmp_path, None)] == ["kept.txt"]
