"""Patches: applied by the first attempt that works, never by half, and told apart by behaviour."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bootstrap import base_tag
from sandbox.docker import DockerHost
from sandbox.patch import apply_patch, check_patch, normalise_patch, patch_digest
from sandbox.sandbox import Limits, Sandbox

REPO = PurePosixPath("/testbed")
IMAGE = base_tag()

MAKE_REPO = """
set -e
git init -q .
seq 1 30 > numbers.txt
printf 'def f():\\n    return 1\\n' > f.py
printf '*.so\\n*.rej\\n' > .gitignore
git add . && git commit -q -m base
sed -i 's/^29$/twenty-nine/' numbers.txt
echo built > lib.so; echo notes > notes.txt
"""

FIX = """\
diff --git a/f.py b/f.py
--- a/f.py
+++ b/f.py
@@ -1,2 +1,2 @@
 def f():
-    return 1
+    return 2
"""

NEW_FILE = """\
diff --git a/pkg/new.py b/pkg/new.py
new file mode 100644
--- /dev/null
+++ b/pkg/new.py
@@ -0,0 +1 @@
+x = 1
"""

DRIFTED = """\
--- a/numbers.txt
+++ b/numbers.txt
@@ -9,5 +9,5 @@
 9
 ten
 11
-12
+twelve
 13
"""

HOPELESS = """\
--- a/numbers.txt
+++ b/numbers.txt
@@ -1,3 +1,3 @@
 one
-two
+2
 three
"""


@pytest.fixture
async def sandbox(base_image: str) -> AsyncIterator[Sandbox]:
    async with DockerHost(run_id="test") as host, host.open(IMAGE, Limits()) as sandbox:
        made = await sandbox.exec(["sh", "-c", MAKE_REPO], timeout=60)
        assert made.exit_code == 0, made.stderr
        yield sandbox


async def state(sandbox: Sandbox) -> str:
    """Everything that is in the tree and the index, ignored files and folders included."""
    look = (
        "git status --porcelain --ignored; git ls-files -s; ls /tmp; "
        "find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; "
        "find . -path ./.git -prune -o -type d -print | sort"
    )
    result = await sandbox.exec(["sh", "-c", look], timeout=60)
    assert result.exit_code == 0
    return result.stdout.decode()


@pytest.mark.docker
async def test_plain_patch_is_applied_and_the_rest_of_the_tree_stays(sandbox: Sandbox) -> None:
    applied = await apply_patch(sandbox, FIX + NEW_FILE, REPO)
    assert applied.ok, applied.log
    assert applied.how == "git apply --verbose"
    assert b"return 2" in await sandbox.read(REPO / "f.py", 100)
    assert await sandbox.read(REPO / "pkg/new.py", 100) == b"x = 1\n"
    assert await sandbox.read(REPO / "notes.txt", 100) == b"notes\n"
    assert await sandbox.read(REPO / "lib.so", 100) == b"built\n"
    assert b"twenty-nine" in await sandbox.read(REPO / "numbers.txt", 1000)
    assert "ksolve" not in await state(sandbox)


@pytest.mark.docker
async def test_drifted_patch_is_applied_with_fuzz_and_leaves_no_backup(sandbox: Sandbox) -> None:
    applied = await apply_patch(sandbox, DRIFTED, REPO)
    assert applied.ok, applied.log
    assert applied.how.startswith("patch --batch")
    assert b"\ntwelve\n" in await sandbox.read(REPO / "numbers.txt", 1000)
    assert ".orig" not in await state(sandbox)


@pytest.mark.docker
async def test_three_way_merge_leaves_the_index_alone(sandbox: Sandbox) -> None:
    # The change is against an older text, which the repository still knows.
    script = """
set -e
seq 1 20 > t.txt && git add t.txt && git commit -q -m older
sed -i 's/^10$/ten/' t.txt && git diff t.txt > /tmp/patch && git checkout -q t.txt
sed -i 's/^8$/eight/; s/^12$/twelve/' t.txt && git commit -q -m newer t.txt
touch -d 2001-02-03 t.txt
"""
    made = await sandbox.exec(["sh", "-c", script], timeout=60)
    assert made.exit_code == 0, made.stderr
    patch = (await sandbox.read(PurePosixPath("/tmp/patch"), 10_000)).decode()
    listing = ["git", "ls-files", "-s"]
    before = await sandbox.exec(listing, timeout=60)
    applied = await apply_patch(sandbox, patch, REPO)
    after = await sandbox.exec(listing, timeout=60)
    assert applied.how == "git apply --verbose --3way", applied.log
    assert b"\neight\n9\nten\n11\ntwelve\n" in await sandbox.read(REPO / "t.txt", 1000)
    assert before.stdout == after.stdout


@pytest.mark.docker
@pytest.mark.parametrize(
    "patch",
    [
        HOPELESS,
        FIX + HOPELESS,
        NEW_FILE + HOPELESS,
        NEW_FILE.replace("new.py", "new.so") + FIX + HOPELESS,
        FIX + FIX.replace("return 2", "return 3"),
        FIX + "diff --git a/notes.txt b/notes.txt\n--- a/notes.txt\n+++ b/notes.txt\n"
        "@@ -1 +1 @@\n-notes\n+changed\n" + HOPELESS,
        FIX.replace("+    return 2\n", ""),
        "--- a/../../tmp/out\n+++ b/../../tmp/out\n@@ -0,0 +1 @@\n+x\n",
        "no patch at all\n",
    ],
    ids=range(9),
)
async def test_failed_patch_leaves_the_tree_as_it_was(sandbox: Sandbox, patch: str) -> None:
    before = await state(sandbox)
    applied = await apply_patch(sandbox, patch, REPO)
    assert not applied.ok, applied.log
    assert applied.how == ""
    assert applied.log
    assert await state(sandbox) == before


@pytest.mark.docker
async def test_what_is_there_already_counts_as_applied_and_the_rest_is_added(
    sandbox: Sandbox,
) -> None:
    script = "sed -i s/1/2/ f.py && git commit -q -m fixed f.py && echo mine > numbers.txt.rej"
    made = await sandbox.exec(["sh", "-c", script], timeout=60)
    assert made.exit_code == 0, made.stderr
    before = await state(sandbox)
    assert (await apply_patch(sandbox, FIX, REPO)).how == "git apply --check --reverse"
    assert await state(sandbox) == before
    applied = await apply_patch(sandbox, FIX + NEW_FILE, REPO)
    assert applied.how == "git apply --check --reverse", applied.log
    assert await sandbox.read(REPO / "pkg/new.py", 100) == b"x = 1\n"
    assert await sandbox.read(REPO / "numbers.txt.rej", 100) == b"mine\n"
    assert ".py.rej" not in await state(sandbox)
    assert not (await apply_patch(sandbox, FIX + HOPELESS, REPO)).ok


@pytest.mark.docker
async def test_an_empty_folder_of_before_stays_and_one_of_a_failed_attempt_does_not(
    sandbox: Sandbox,
) -> None:
    await sandbox.exec(["mkdir", "-m", "700", "pkg"], timeout=60)
    before = await state(sandbox)
    other = NEW_FILE.replace("pkg/", "other/deep/")
    assert not (await apply_patch(sandbox, NEW_FILE + other + HOPELESS, REPO)).ok
    assert await state(sandbox) == before
    mode = await sandbox.exec(["stat", "-c", "%a", "pkg"], timeout=60)
    assert mode.stdout == b"700\n"


@pytest.mark.docker
async def test_more_names_than_a_command_line_holds_are_the_fault_of_the_patch(
    sandbox: Sandbox,
) -> None:
    many = "".join(NEW_FILE.replace("new.py", f"{'n' * 240}{n}") for n in range(4_000))
    assert not (await apply_patch(sandbox, many + HOPELESS, REPO)).ok
    left = await sandbox.exec(["sh", "-c", "ls pkg | wc -l"], timeout=60)
    assert left.stdout == b"0\n"
    assert (await apply_patch(sandbox, many, REPO)).ok


@pytest.mark.docker
async def test_names_with_odd_characters_are_put_back_too(sandbox: Sandbox) -> None:
    names = ["with space.txt", "umlaut ä.txt", "--flag.txt", 'qu"ote.txt']
    for name in names:
        await sandbox.write(REPO / name, b"old\n")
    await sandbox.exec(["git", "add", "."], timeout=60)
    for name in names:
        await sandbox.write(REPO / name, b"new\n")
    diff = (await sandbox.exec(["git", "diff"], timeout=60)).stdout.decode()
    for name in names:
        await sandbox.write(REPO / name, b"old\n")
    before = await state(sandbox)
    failed = await apply_patch(sandbox, diff + HOPELESS, REPO)
    assert not failed.ok
    assert await state(sandbox) == before
    assert (await apply_patch(sandbox, diff, REPO)).ok
    for name in names:
        assert await sandbox.read(REPO / name, 10) == b"new\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FIX, FIX.replace("@@ -1,2 +1,2 @@", "@@ -1,2 +1,2 @@ class A:")),
        (NEW_FILE, NEW_FILE.replace("@@ -0,0 +1 @@", "@@ -0,0 +1,1 @@")),
        (FIX, FIX + "-- \n2.39.5\n\n"),
        (FIX, FIX + "\n\n"),
        (
            FIX.replace("--- a/f.py", "--- a/f.py\t2024-01-02 03:04:05.000000000 +0000"),
            FIX.replace("--- a/f.py", "--- a/f.py\t2025-11-12 13:14:15"),
        ),
    ],
    ids=["section", "count", "signature", "blank lines", "time"],
)
def test_texts_that_do_the_same_have_one_digest(one: str, other: str) -> None:
    assert one != other
    assert patch_digest(one) == patch_digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FIX, FIX.replace("return 2", "return  2")),
        (FIX, FIX.replace("return 2", "return 2 ")),
        (FIX, FIX.replace("@@ -1,2 +1,2 @@", "@@ -3,2 +3,2 @@")),
        (FIX, FIX.replace("+    return 2\n", "+    return 2\n\\ No newline at end of file\n")),
        (FIX, FIX.replace("\n", "\r\n")),
        (FIX, FIX + NEW_FILE),
        (FIX, FIX.replace("+++ b/f.py", "+++ b/g.py")),
        (FIX, FIX.replace("diff --git a/f.py b/f.py", "old mode 100644\nnew mode 100755")),
        # A removed line that looks like a header, in a hunk.
        (
            "--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n a\n--- x\t2024-01-02 03:04:05\n",
            "--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n a\n--- x\t2025-01-02 03:04:05\n",
        ),
        # A file that was empty at the epoch is a file that was not there.
        (
            FIX.replace("--- a/f.py", "--- a/f.py\t1970-01-01 00:00:00.000000000 +0000"),
            FIX.replace("--- a/f.py", "--- a/f.py\t2024-01-01 00:00:00.000000000 +0000"),
        ),
    ],
    ids=range(10),
)
def test_texts_that_may_do_different_things_stay_apart(one: str, other: str) -> None:
    assert patch_digest(one) != patch_digest(other)


@given(st.text(alphabet=" -+@\\\n\tax1,0/") | st.text())
def test_any_text_has_a_stable_normal_form(text: str) -> None:
    once = normalise_patch(text)
    assert normalise_patch(once) == once
    assert len(patch_digest(text)) == 64
    check_patch(text)


@given(st.text(alphabet="ab \t+-@", min_size=1, max_size=40))
def test_changed_lines_are_never_touched(line: str) -> None:
    patch = f"--- a/x\n+++ b/x\n@@ -1 +1 @@ f\n-{line}\n+{line}.\n"
    assert f"-{line}\n+{line}.\n" in normalise_patch(patch)


def test_malformed_patches_are_told_in_one_sentence() -> None:
    assert check_patch(FIX) is None
    assert check_patch(FIX + NEW_FILE) is None
    for text in ("", "hello\n", FIX.replace("+    return 2\n", ""), textwrap.indent(FIX, "  ")):
        reason = check_patch(text)
        assert reason is not None
        assert reason.endswith(".")
        assert "\n" not in reason
