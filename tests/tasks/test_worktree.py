from __future__ import annotations

import subprocess
from pathlib import Path

import git
import pytest

from tasks.worktree import (
    LocalRepoError,
    apply_to_work_tree,
    commit,
    copied,
    dirty_files,
    left_out,
)

FIX = """\
--- a/anvil/__init__.py
+++ b/anvil/__init__.py
@@ -1,2 +1,2 @@
 def weight(n):
-    return n - 1
+    return n
"""


def contents(repo: Path) -> dict[str, object]:
    return {
        str(path.relative_to(repo)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(repo.rglob("*"))
        if ".git" not in path.relative_to(repo).parts and (path.is_symlink() or path.is_file())
    }


def test_dirty_are_changed_staged_renamed_deleted_and_new_files_but_not_ignored_ones(
    repo: Path,
) -> None:
    assert dirty_files(repo) == []
    (repo / "README").write_text("Changed.\n")
    (repo / "new dir").mkdir()
    (repo / "new dir" / "ü.py").write_text("")
    (repo / "debug.log").write_text("")
    (repo / "run.sh").unlink()
    with git.Repo(repo) as opened:
        opened.git.mv("blob.bin", "moved.bin")
    assert dirty_files(repo) == ["README", "blob.bin", "moved.bin", "new dir/ü.py", "run.sh"]


def test_a_patch_is_applied_to_the_files_and_not_to_the_index(repo: Path) -> None:
    assert apply_to_work_tree(repo, FIX) == ["anvil/__init__.py"]
    assert (repo / "anvil" / "__init__.py").read_text() == "def weight(n):\n    return n\n"
    with git.Repo(repo) as opened:
        assert opened.git.diff("--cached") == ""


def test_a_patch_that_lost_its_last_newline_applies(repo: Path) -> None:
    assert apply_to_work_tree(repo, FIX.rstrip("\n"))


def test_a_dirty_tree_is_refused_unless_told(repo: Path) -> None:
    (repo / "tests" / "test_new.py").write_text("# mine\n")
    before = contents(repo)
    with pytest.raises(LocalRepoError, match=r"uncommitted changes \(tests/test_new\.py\)"):
        apply_to_work_tree(repo, FIX)
    assert contents(repo) == before
    apply_to_work_tree(repo, FIX, allow_dirty=True)
    assert (repo / "tests" / "test_new.py").read_text() == "# mine\n"


@pytest.mark.parametrize(
    "patch",
    [
        FIX + FIX.replace("anvil/__init__", "README").replace("def weight", "no such line"),
        "not a patch",
        "",
        FIX.replace("anvil/__init__.py", ".git/config"),
        FIX.replace("anvil/__init__.py", "../outside.py"),
        FIX.replace("anvil/__init__.py", "link/__init__.py"),
    ],
    ids=["second file", "prose", "nothing", "git's own", "outside", "through a symlink"],
)
def test_a_patch_that_cannot_apply_changes_nothing(repo: Path, patch: str) -> None:
    before = contents(repo)
    with pytest.raises(LocalRepoError, match="does not apply"):
        apply_to_work_tree(repo, patch)
    assert contents(repo) == before
    assert dirty_files(repo) == []


def test_a_patch_that_fails_half_way_is_taken_back(repo: Path) -> None:
    # The check passes, yet no folder can be made where an ignored file is in the way.
    (repo / "z.log").write_text("in the way")
    rename = (
        "diff --git a/README b/MOVED\nsimilarity index 100%\nrename from README\nrename to MOVED\n"
    )
    blocked = (
        "diff --git a/z.log/deep.py b/z.log/deep.py\nnew file mode 100644\n"
        "--- /dev/null\n+++ b/z.log/deep.py\n@@ -0,0 +1 @@\n+pass\n"
    )
    before = contents(repo)
    with pytest.raises(LocalRepoError, match="could not be written") as caught:
        apply_to_work_tree(repo, FIX + rename + blocked)
    assert "z.log/deep.py" in str(caught.value)
    assert contents(repo) == before


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


def test_a_commit_has_one_name_whatever_it_was_called(repo: Path) -> None:
    head = commit(repo, "HEAD")
    assert len(head) == 40
    assert (commit(repo, head), commit(repo, head[:12])) == (head, head)
    assert commit(repo, "HEAD~1") != head
    with pytest.raises(LocalRepoError, match="no commit 'no-such'"):
        commit(repo, "no-such")


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


def test_submodules_and_lfs_files_are_named_as_left_out(repo: Path, tmp_path: Path) -> None:
    assert left_out(repo) == []
    with git.Repo(repo) as opened:
        head = opened.head.commit.hexsha
        opened.git.update_index("--add", "--cacheinfo", f"160000,{head},vendor/steel")
        (repo / ".gitattributes").write_text("*.bin filter=lfs\n")
        submodules, stored = left_out(repo)
        opened.git.commit("-m", "Depend")
    assert "vendor/steel" in submodules
    assert "blob.bin" in stored
    with copied(repo, tmp_path / "copy", base="HEAD", include_dirty=False) as copy:
        copy.check_out()
    assert list((tmp_path / "copy" / "vendor" / "steel").iterdir()) == []


def test_what_cannot_be_used_is_named(repo: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    git.Repo.init(tmp_path / "unborn").close()
    git.Repo.init(tmp_path / "bare.git", bare=True).close()
    for folder, said in (
        (tmp_path / "gone", "There is no folder"),
        (plain, "is not a git repository: run git init"),
        (repo / "tests", f"is a folder inside the git repository {repo}"),
        (tmp_path / "unborn", "has no commits yet"),
        (tmp_path / "bare.git", "is a bare repository"),
        (repo / "README", "is a folder inside|is not a git repository"),
    ):
        with pytest.raises(LocalRepoError, match=said):
            dirty_files(folder)
    for revision in ("no-such", "--all", "HEAD:README"):
        with (
            pytest.raises(LocalRepoError, match="has no commit"),
            copied(repo, tmp_path / "copy", base=revision, include_dirty=False),
        ):
            pass


def test_a_repository_of_another_user_is_told_as_git_tells_it(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(LocalRepoError, match=r"git failed in .* dubious ownership"):
        dirty_files(repo)


def test_a_repository_that_git_finds_broken_is_one_sentence(repo: Path, tmp_path: Path) -> None:
    subprocess.run(["find", repo / ".git" / "objects", "-type", "f", "-delete"], check=True)
    with (
        pytest.raises(LocalRepoError, match=r"git failed in|has no commit") as caught,
        copied(repo, tmp_path / "copy", base="HEAD", include_dirty=False) as copy,
    ):
        copy.check_out()
    assert len(str(caught.value).splitlines()) == 1
