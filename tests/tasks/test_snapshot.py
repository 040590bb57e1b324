from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import git
import pytest

from tasks.snapshot import copied
from tasks.worktree import LocalRepoError
from tests.tasks.trees import contents


def test_a_copy_has_the_files_their_modes_and_links_and_nothing_of_the_past(
    repo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    with copied(repo, folder, base="HEAD", include_dirty=False) as copy:
        copy.check_out()
    assert contents(folder) == contents(repo)
    assert (folder / "run.sh").stat().st_mode & 0o100
    with git.Repo(repo) as theirs, git.Repo(folder) as opened:
        assert not opened.is_dirty(untracked_files=True)
        assert [commit.hexsha for commit in opened.iter_commits("--all")] == [copy.commit]
        assert opened.head.commit.parents == ()
        objects = opened.git.cat_file("--batch-all-objects", "--batch-check").splitlines()
        assert not any(theirs.head.commit.hexsha in entry for entry in objects)
        assert theirs.head.commit.tree.hexsha == opened.head.commit.tree.hexsha
    assert not (folder / ".git" / "objects" / "info" / "alternates").exists()
    assert not (folder / ".git" / "logs").exists()


def test_an_earlier_commit_can_be_copied(repo: Path, tmp_path: Path) -> None:
    with copied(repo, tmp_path / "copy", base="HEAD~1", include_dirty=False) as copy:
        assert "README" not in copy.names()


def test_a_copy_of_the_work_tree_has_what_is_not_committed_and_leaves_the_repository_alone(
    repo: Path, tmp_path: Path
) -> None:
    (repo / "tests" / "test_new.py").write_text("def test(): assert False\n")
    (repo / "README").unlink()
    (repo / "debug.log").write_text("ignored")
    git_files = {path: path.read_bytes() for path in (repo / ".git").rglob("*") if path.is_file()}
    with copied(repo, tmp_path / "copy", base="HEAD", include_dirty=True) as copy:
        copy.check_out()
    expected = contents(repo)
    del expected["debug.log"]
    assert contents(tmp_path / "copy") == expected
    assert git_files == {
        path: path.read_bytes() for path in (repo / ".git").rglob("*") if path.is_file()
    }


def test_the_same_state_is_the_same_commit_whoever_holds_it(repo: Path, tmp_path: Path) -> None:
    with copied(repo, tmp_path / "a", base="HEAD", include_dirty=False) as first:
        pass
    with git.Repo(repo) as opened:
        opened.clone(str(tmp_path / "clone"), multi_options=["--depth=1"]).close()
    with copied(tmp_path / "clone", tmp_path / "b", base="HEAD", include_dirty=True) as second:
        pass
    assert first.commit == second.commit


def test_shallow_clones_detached_heads_and_linked_work_trees_can_be_copied(
    repo: Path, tmp_path: Path
) -> None:
    with git.Repo(repo) as opened:
        opened.git.worktree("add", "--detach", str(tmp_path / "linked"), "HEAD")
        opened.git.clone("--depth=1", repo.as_uri(), str(tmp_path / "shallow"))
    for number, name in enumerate(("linked", "shallow")):
        folder = tmp_path / str(number)
        with copied(tmp_path / name, folder, base="HEAD", include_dirty=True) as copy:
            copy.check_out()
        assert contents(folder) == contents(repo)


def test_files_that_an_archive_would_leave_out_or_rewrite_are_copied_as_they_are(
    repo: Path, tmp_path: Path
) -> None:
    (repo / ".gitattributes").write_text("tests export-ignore\nREADME export-subst\n")
    (repo / "README").write_text("$Format:%H$\n")
    with copied(repo, tmp_path / "copy", base="HEAD", include_dirty=True) as copy:
        copy.check_out()
    assert contents(tmp_path / "copy") == contents(repo)


def test_a_persons_hooks_and_templates_do_not_reach_the_copy(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    for folder in (hooks, repo / ".git" / "hooks"):
        for name in ("post-index-change", "pre-commit", "post-checkout", "reference-transaction"):
            hook = folder / name
            hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
            hook.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[init]\n\ttemplateDir = {hooks.parent}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    with copied(repo, tmp_path / "copy", base="HEAD", include_dirty=True) as copy:
        copy.check_out()
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "copy" / ".git" / "hooks").exists()


def sh(folder: Path, *words: str) -> str:
    """Run git as a person would whose submodules lie on this machine."""
    settings = ("-c", "protocol.file.allow=always", "-c", "user.name=A", "-c", "user.email=a@b")
    return subprocess.run(
        ["git", *settings, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def long_past(repo: Path) -> Path:
    """The same repository with files in its past that are large, each gone in the next commit."""
    for number in range(4):
        (repo / "large.bin").write_bytes(os.urandom(200_000))
        sh(repo, "add", "-A")
        sh(repo, "commit", "-qm", f"Large {number}")
    sh(repo, "rm", "-q", "large.bin")
    sh(repo, "commit", "-qm", "Small again")
    for name in ("allowFilter", "allowAnySHA1InWant"):
        sh(repo, "config", f"uploadpack.{name}", "true")
    return repo


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kept", ["blob:none", "tree:0", "blob:limit=10"])
@pytest.mark.parametrize("base", ["HEAD", "HEAD~5"])
def test_of_a_partial_clone_one_state_is_fetched_and_not_the_past(
    long_past: Path, tmp_path: Path, kept: str, base: str
) -> None:
    sh(tmp_path, "clone", "-q", f"--filter={kept}", long_past.as_uri(), "partial")
    partial, folder, told = tmp_path / "partial", tmp_path / "copy", list[str]()
    before = size(partial / ".git")
    with copied(partial, folder, base=base, include_dirty=False, tell=told.append) as copy:
        copy.check_out()
    sh(long_past, "checkout", "-q", base)
    assert contents(folder) == contents(long_past)
    assert size(folder) < 100_000
    assert sh(folder, "fsck", "--full") == ""
    assert size(partial / ".git") == before
    assert any(line.startswith("packing") for line in told)


def test_what_a_partial_clone_lacks_is_fetched_at_once(long_past: Path, tmp_path: Path) -> None:
    sh(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", long_past.as_uri(), "bare")
    told = list[str]()
    with copied(
        tmp_path / "bare", tmp_path / "copy", base="HEAD", include_dirty=False, tell=told.append
    ) as copy:
        copy.check_out()
    fetched = {line.partition(" (")[0] for line in told if line.startswith("fetching")}
    assert fetched == {"fetching 7 files from origin"}


def test_a_partial_clone_whose_remote_is_gone_is_one_sentence(
    long_past: Path, tmp_path: Path
) -> None:
    sh(tmp_path, "clone", "-q", "--filter=blob:none", long_past.as_uri(), "partial")
    long_past.rename(tmp_path / "moved")
    with copied(tmp_path / "partial", tmp_path / "copy", base="HEAD", include_dirty=True) as copy:
        copy.check_out()
    with (
        pytest.raises(
            LocalRepoError, match=r"1 files of this state .* cannot be fetched"
        ) as caught,
        copied(
            tmp_path / "partial", tmp_path / "other", base="HEAD~1", include_dirty=False
        ) as copy,
    ):
        copy.check_out()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("is_index_sparse", [False, True])
def test_a_sparse_checkout_is_copied_with_all_that_its_commit_has(
    repo: Path, tmp_path: Path, is_index_sparse: bool
) -> None:
    sh(tmp_path, "clone", "-q", repo.as_uri(), "sparse")
    sparse = tmp_path / "sparse"
    option = "--sparse-index" if is_index_sparse else "--no-sparse-index"
    sh(sparse, "sparse-checkout", "set", "--cone", option, "anvil")
    assert not (sparse / "tests").exists()
    (sparse / "anvil" / "mine.py").write_text("# mine\n")
    with copied(sparse, tmp_path / "copy", base="HEAD", include_dirty=True) as copy:
        copy.check_out()
    expected = {**contents(repo), "anvil/mine.py": b"# mine\n"}
    assert contents(tmp_path / "copy") == expected


def test_a_repository_with_ids_of_sha256_is_copied_in_kind(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "sha256"
    sh(tmp_path, "init", "-q", "--object-format=sha256", str(other))
    (other / "a.py").write_text("")
    sh(other, "add", "-A")
    sh(other, "commit", "-qm", "One")
    with copied(other, tmp_path / "copy", base="HEAD", include_dirty=False) as copy:
        copy.check_out()
    assert len(copy.commit) == 64
    assert contents(tmp_path / "copy") == {"a.py": b""}


def test_the_tag_of_the_last_release_comes_along(repo: Path, tmp_path: Path) -> None:
    sh(repo, "tag", "v0.9", "HEAD~1")
    sh(repo, "tag", "-a", "-m", "One", "v1.2", "HEAD~1")
    with copied(repo, tmp_path / "copy", base="HEAD", include_dirty=False) as copy:
        copy.check_out()
    assert sh(tmp_path / "copy", "describe", "--tags") == copy.release == "v1.2"


@pytest.fixture
def nested(repo: Path, tmp_path: Path) -> Path:
    """The repository with a submodule that has one itself, all checked out."""
    for name in ("steel", "ore"):
        folder = tmp_path / name
        sh(tmp_path, "init", "-q", name)
        (folder / f"{name}.txt").write_text(f"{name}\n")
        sh(folder, "add", "-A")
        sh(folder, "commit", "-qm", name)
    sh(tmp_path / "steel", "submodule", "add", "-q", (tmp_path / "ore").as_uri(), "mine/ore")
    sh(tmp_path / "steel", "commit", "-qm", "Dig")
    sh(repo, "submodule", "add", "-q", (tmp_path / "steel").as_uri(), "vendor/steel")
    sh(repo, "commit", "-qm", "Depend")
    sh(repo, "submodule", "update", "-q", "--init", "--recursive")
    return repo


@pytest.mark.parametrize("include_dirty", [False, True])
def test_submodules_are_brought_along_as_they_are(
    nested: Path, tmp_path: Path, include_dirty: bool
) -> None:
    ore = nested / "vendor" / "steel" / "mine" / "ore" / "ore.txt"
    ore.write_text("mine\n")
    before = sh(nested, "status", "--porcelain")
    with copied(nested, tmp_path / "copy", base="HEAD", include_dirty=include_dirty) as copy:
        assert copy.missing == []
        assert "vendor/steel/steel.txt" in copy.names()
        copy.check_out()
    expected = contents(nested)
    if not include_dirty:
        expected[str(ore.relative_to(nested))] = b"ore\n"
    assert contents(tmp_path / "copy") == expected
    assert sh(tmp_path / "copy", "status", "--porcelain") == ""
    assert sh(tmp_path / "copy", "fsck", "--full") == ""
    assert sh(nested, "status", "--porcelain") == before


@pytest.mark.parametrize(
    "name", ["vendor/steel", "vendor/steel/mine/ore"], ids=["the outer", "the inner"]
)
@pytest.mark.parametrize("include_dirty", [False, True])
@pytest.mark.parametrize("has_folder", [False, True])
def test_a_submodule_that_is_not_checked_out_is_missing(
    nested: Path, tmp_path: Path, name: str, has_folder: bool, include_dirty: bool
) -> None:
    parent = nested if name == "vendor/steel" else nested / "vendor" / "steel"
    sh(parent, "submodule", "deinit", "-q", "-f", "--all")
    if not has_folder:
        (nested / name).rmdir()
    with copied(nested, tmp_path / "copy", base="HEAD", include_dirty=include_dirty) as copy:
        (missing,) = copy.missing
        copy.check_out()
    assert missing == (
        f"The submodules {name} are not checked out: run `git submodule update --init --recursive`."
    )
    assert "README" in contents(tmp_path / "copy")


CONTENT = b"\x00\x01 large" * 1000
ID = hashlib.sha256(CONTENT).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{ID}\nsize {len(CONTENT)}\n"


@pytest.fixture
def pointed(repo: Path) -> Path:
    """The repository with a file that Git LFS keeps elsewhere, as a clone without it has it."""
    (repo / ".gitattributes").write_text("*.dat filter=lfs diff=lfs merge=lfs -text\n")
    (repo / "model.dat").write_text(POINTER)
    sh(repo, "add", "-A")
    sh(repo, "commit", "-qm", "Keep elsewhere")
    return repo


@pytest.mark.parametrize("include_dirty", [False, True])
@pytest.mark.parametrize("where", ["store", "own store", "work tree"])
def test_what_git_lfs_keeps_elsewhere_is_brought_along(
    pointed: Path, tmp_path: Path, where: str, include_dirty: bool
) -> None:
    store = pointed / ".git" / "lfs"
    if where == "own store":
        store = tmp_path / "store"
        sh(pointed, "config", "lfs.storage", str(store))
    path = store / "objects" / ID[:2] / ID[2:4] / ID
    if where == "work tree":
        path = pointed / "model.dat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    with copied(pointed, tmp_path / "copy", base="HEAD", include_dirty=include_dirty) as copy:
        assert copy.missing == []
        copy.check_out()
    assert (tmp_path / "copy" / "model.dat").read_bytes() == CONTENT
    assert sh(tmp_path / "copy", "status", "--porcelain") == ""


def test_a_large_file_that_was_changed_is_copied_as_it_is(pointed: Path, tmp_path: Path) -> None:
    # As with Git LFS installed, whose filter must not be run for a copy.
    sh(pointed, "config", "filter.lfs.clean", "false")
    sh(pointed, "config", "filter.lfs.required", "true")
    (pointed / "model.dat").write_bytes(b"mine")
    with copied(pointed, tmp_path / "copy", base="HEAD", include_dirty=True) as copy:
        assert copy.missing == []
        copy.check_out()
    assert (tmp_path / "copy" / "model.dat").read_bytes() == b"mine"


@pytest.mark.parametrize("include_dirty", [False, True])
def test_a_large_file_whose_content_is_not_here_is_missing(
    pointed: Path, tmp_path: Path, include_dirty: bool
) -> None:
    damaged = pointed / ".git" / "lfs" / "objects" / ID[:2] / ID[2:4] / ID
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(CONTENT.upper())
    with copied(pointed, tmp_path / "copy", base="HEAD", include_dirty=include_dirty) as copy:
        (missing,) = copy.missing
        copy.check_out()
    assert missing == (
        "The Git LFS files model.dat are pointers without their content: run `git lfs pull`."
    )
    assert (tmp_path / "copy" / "model.dat").read_text() == POINTER


@pytest.mark.parametrize("include_dirty", [False, True])
def test_a_file_that_a_filter_rewrites_is_copied_as_a_person_sees_it(
    repo: Path, tmp_path: Path, include_dirty: bool
) -> None:
    for key, command in (("clean", "tr a-z n-za-m"), ("smudge", "tr a-z n-za-m")):
        sh(repo, "config", f"filter.rot13.{key}", command)
    (repo / ".gitattributes").write_text("secret.txt filter=rot13\n")
    (repo / "secret.txt").write_text("open sesame\n")
    sh(repo, "add", "-A")
    sh(repo, "commit", "-qm", "Hide")
    assert sh(repo, "show", "HEAD:secret.txt") == "bcra frfnzr"
    with copied(repo, tmp_path / "copy", base="HEAD", include_dirty=include_dirty) as copy:
        copy.check_out()
    assert (tmp_path / "copy" / "secret.txt").read_text() == "open sesame\n"
