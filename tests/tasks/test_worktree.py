from __future__ import annotations

import subprocess
from pathlib import Path

import git
import pytest

from tasks.snapshot import copied
from tasks.worktree import LocalRepoError, apply_to_work_tree, commit, dirty_files
from tests.tasks.trees import contents

FIX = """\
--- a/anvil/__init__.py
+++ b/anvil/__init__.py
@@ -1,2 +1,2 @@
 def weight(n):
-    return n - 1
+    return n
"""


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


def test_a_patch_applies_beside_uncommitted_files(repo: Path) -> None:
    (repo / "tests" / "test_new.py").write_text("# mine\n")
    (repo / "README").write_text("Mine.\n")
    assert apply_to_work_tree(repo, FIX) == ["anvil/__init__.py"]
    assert (repo / "tests" / "test_new.py").read_text() == "# mine\n"
    assert dirty_files(repo) == ["README", "anvil/__init__.py", "tests/test_new.py"]


ADDS = "--- /dev/null\n+++ b/new/file.py\n@@ -0,0 +1 @@\n+pass\n"


@pytest.mark.parametrize(
    ("name", "patch"),
    [("anvil/__init__.py", FIX), ("new/file.py", FIX + ADDS), ("new", FIX + ADDS)],
    ids=["changed", "untracked", "a file where a folder is needed"],
)
def test_a_patch_of_an_uncommitted_file_is_refused_whole_unless_told(
    repo: Path, name: str, patch: str
) -> None:
    (repo / name).parent.mkdir(exist_ok=True)
    (repo / name).write_text("def weight(n):\n    return n - 1\n# mine\n")
    before = contents(repo)
    with pytest.raises(LocalRepoError, match=rf"uncommitted changes \(.*{name}.*--allow-dirty"):
        apply_to_work_tree(repo, patch)
    assert contents(repo) == before


def test_a_patch_of_an_uncommitted_file_applies_when_told(repo: Path) -> None:
    (repo / "anvil" / "__init__.py").write_text("def weight(n):\n    return n - 1\n# mine\n")
    patch = FIX.replace("-1,2 +1,2", "-1,3 +1,3") + " # mine\n"
    apply_to_work_tree(repo, patch, allow_dirty=True)
    assert (repo / "anvil" / "__init__.py").read_text().endswith("return n\n# mine\n")


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


def test_a_commit_has_one_name_whatever_it_was_called(repo: Path) -> None:
    head = commit(repo, "HEAD")
    assert len(head) == 40
    assert (commit(repo, head), commit(repo, head[:12])) == (head, head)
    assert commit(repo, "HEAD~1") != head
    with pytest.raises(LocalRepoError, match="no commit 'no-such'"):
        commit(repo, "no-such")


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
