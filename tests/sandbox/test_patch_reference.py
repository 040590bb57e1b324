"""Odd patches, applied by SWE-bench's own commands and by ours: the same attempt, the same tree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest
import pytest_asyncio
from swebench.harness.run_evaluation import GIT_APPLY_CMDS

from sandbox.docker import DockerHost
from sandbox.patch import apply_patch
from sandbox.sandbox import Limits, Sandbox

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

OURS, THEIRS = PurePosixPath("/testbed"), PurePosixPath("/tmp/theirs")
PATCH = PurePosixPath("/tmp/patch.diff")
REVERSE = "git apply --check --reverse"

MAKE_REPO = r"""
set -e
git init -q .
seq 1 30 > numbers.txt
printf 'def f():\n    return 1\n' > f.py
printf 'a\r\nb\r\nc\r\nd\r\n' > crlf.txt
printf 'one\ntwo' > bare.txt
printf 'x\n' > 'with space.txt'
printf 'x\n' > 'qu"ote ä.txt'
printf '\000\001\002' > blob.bin
printf '#!/bin/sh\n' > run.sh
mkdir real && echo in > real/in.txt
ln -s f.py link && ln -s real folder
printf '*.so\n' > .gitignore
git add . && git commit -q -m base
"""

# `.orig` and `.rej` are left beside the files by theirs only.
LOOK = r"""
find . -path ./.git -prune -o -type d -printf '%p/\n' -o -name '*.orig' -o -name '*.rej' \
    -o -type l -printf '%p -> %l\n' -o -type f -printf '%m ' -exec sha256sum {} \; | sort
find .git/hooks ! -name '*.sample'
"""


def changed(file: str, hunk: str, old: str = "", new: str = "") -> str:
    return f"diff --git a/{file} b/{file}\n{old}{new}--- a/{file}\n+++ b/{file}\n{hunk}"


def created(file: str, mode: str = "100644", line: str = "+x = 1\n") -> str:
    start = f"diff --git a/{file} b/{file}\nnew file mode {mode}\n--- /dev/null\n"
    return f"{start}+++ b/{file}\n@@ -0,0 +1 @@\n{line}"


def around(number: int, new: str) -> str:
    """A change of one number, with three lines of context on each side."""
    first = number - 3
    lines = [f" {n}\n" for n in range(first, number + 4)]
    lines[3:4] = [f"-{number}\n", f"+{new}\n"]
    return f"@@ -{first},7 +{first},7 @@\n" + "".join(lines)


RETURN_2 = "@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2\n"
FIX = changed("f.py", RETURN_2)
NEW = created("pkg/new.py")
SEVEN = changed("numbers.txt", around(7, "seven"))
FUZZY = changed("numbers.txt", "@@ -9,5 +9,5 @@\n 9\n ten\n 11\n-12\n+twelve\n 13\n")
HOPELESS = changed("numbers.txt", "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n")
NO_NEWLINE = "\\ No newline at end of file\n"
LINK = created("sl", mode="120000", line=f"+f.py\n{NO_NEWLINE}")
RENAMED = "diff --git a/f.py b/g.py\nsimilarity index {}%\nrename from f.py\nrename to g.py\n"
BINARY = "index 1111111..2222222 100644\nBinary files a/blob.bin and b/blob.bin differ\n"
STARS = "*" * 15
OLD_FORM = "  def f():\n!     return "
TEN = "sed -i s/^10$/ten/ numbers.txt; git diff > /tmp/patch.diff; git checkout -q ."
FIXED = "sed -i s/1/2/ f.py && git commit -q -a -m fixed"

# What is done to the repository first, and the patch; `$` stands before a script that writes it.
CASES: dict[str, tuple[str, str]] = {
    "plain": ("", FIX + NEW),
    "offset": ("", SEVEN.replace("-4,7 +4,7", "-20,7 +20,7")),
    "fuzz needed": ("", FUZZY + FIX),
    "hopeless": ("", HOPELESS),
    "half hopeless": ("", FIX + NEW + HOPELESS),
    "patch with CRLF": ("", FIX.replace("\n", "\r\n")),
    "file with CRLF": ("", changed("crlf.txt", "@@ -1,4 +1,4 @@\n a\n-b\n+B\n c\n d\n")),
    "both with CRLF": (
        "",
        changed("crlf.txt", "@@ -1,4 +1,4 @@\n a\n-b\n+B\n c\n d\n").replace("\n", "\r\n"),
    ),
    "CRLF in the hunk": (
        "",
        changed("crlf.txt", "@@ -1,4 +1,4 @@\n a\r\n-b\r\n+B\r\n c\r\n d\r\n"),
    ),
    "patch without newline at end": ("", FIX[:-1]),
    "file without newline at end": (
        "",
        changed(
            "bare.txt",
            f"@@ -1,2 +1,2 @@\n one\n-two\n{NO_NEWLINE}+three\n{NO_NEWLINE}",
        ),
    ),
    "file without newline, unmarked": (
        "",
        changed("bare.txt", "@@ -1,2 +1,2 @@\n one\n-two\n+three\n"),
    ),
    "counts too high": ("", FIX.replace("@@ -1,2 +1,2 @@", "@@ -1,5 +1,5 @@")),
    "counts too low": ("", FIX.replace("@@ -1,2 +1,2 @@", "@@ -1,1 +1,1 @@")),
    "counts wrong in the middle": ("", SEVEN.replace("-4,7 +4,7", "-4,9 +4,9") + FIX),
    "no counts": ("", FIX.replace("@@ -1,2 +1,2 @@", "@@ ... @@")),
    "cut off in a hunk": ("", SEVEN[:-8]),
    "blanks at the end of context": ("", FIX.replace(" def f():", " def f():  ")),
    "tabs for blanks": ("", FIX.replace("    return", "\treturn")),
    "indented": ("", "".join(f"  {line}" for line in FIX.splitlines(keepends=True))),
    "rename": ("", RENAMED.format(100)),
    "rename and change": ("", f"{RENAMED.format(50)}--- a/f.py\n+++ b/g.py\n{RETURN_2}"),
    "rename and fuzz": ("", f"{RENAMED.format(50)}--- a/f.py\n+++ b/g.py\n{RETURN_2}{FUZZY}"),
    "copy": ("", RENAMED.format(100).replace("rename", "copy")),
    "mode": ("", "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"),
    "mode and fuzz": (
        "",
        "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n" + FUZZY,
    ),
    "deleted": (
        "",
        "diff --git a/real/in.txt b/real/in.txt\ndeleted file mode 100644\n"
        "--- a/real/in.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-in\n" + FUZZY,
    ),
    "new and empty": ("", "diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n"),
    "new and there": ("mkdir pkg; echo y > pkg/new.py; git add .; git commit -q -m y", NEW),
    "new and there, untracked": ("mkdir pkg; echo y > pkg/new.py", NEW + FIX),
    "new and there, ignored": ("mkdir pkg; echo y > pkg/new.so", created("pkg/new.so") + FIX),
    "new and there, the same": (
        "mkdir pkg; echo 'x = 1' > pkg/new.py; git add .; git commit -q -m x",
        NEW + FIX,
    ),
    "new and there, the same, untracked": ("mkdir pkg; echo 'x = 1' > pkg/new.py", NEW + FIX),
    "new and there, the same, ignored": (
        "mkdir pkg; echo 'x = 1' > pkg/new.so",
        created("pkg/new.so") + FIX,
    ),
    "new where a folder is": (
        "mkdir -p pkg/new.py; touch pkg/new.py/z; git add .; git commit -q -m z",
        NEW,
    ),
    "new, both a file and a folder": ("", created("a") + created("a/b")),
    "already applied": (FIXED, FIX),
    "already applied, uncommitted": ("sed -i s/1/2/ f.py", FIX + SEVEN),
    "partly applied": (FIXED, FIX + SEVEN),
    "partly applied and fuzz": (FIXED, FIX + FUZZY),
    "partly applied in one file": (
        "sed -i s/^7$/seven/ numbers.txt; git commit -q -a -m seven",
        changed("numbers.txt", around(7, "seven") + around(23, "drei")) + FIX,
    ),
    "another change, uncommitted": ("sed -i s/^29$/x/ numbers.txt", FIX + SEVEN),
    "another change, uncommitted, and fuzz": ("sed -i s/^29$/x/ numbers.txt", FUZZY),
    "clashing change, uncommitted": ("sed -i s/^7$/sieben/ numbers.txt", SEVEN),
    "binary": (
        "",
        r"$printf '\003\000' > blob.bin; git diff --binary > /tmp/patch.diff; git checkout -q .",
    ),
    "binary without its data": ("", f"diff --git a/blob.bin b/blob.bin\n{BINARY}"),
    "binary without its data and more": ("", f"{FIX}diff --git a/blob.bin b/blob.bin\n{BINARY}"),
    "no prefixes": ("", FIX.replace(" a/", " ").replace(" b/", " ")),
    "no prefixes, in a folder": ("", "--- real/in.txt\n+++ real/in.txt\n@@ -1 +1 @@\n-in\n+out\n"),
    "dots for prefixes": ("", f"--- ./f.py\n+++ ./f.py\n{RETURN_2}"),
    "dots for prefixes, half hopeless": ("", f"--- ./f.py\n+++ ./f.py\n{RETURN_2}{HOPELESS}"),
    "absolute": ("", f"--- /testbed/f.py\n+++ /testbed/f.py\n{RETURN_2}"),
    "slashes doubled": ("", FUZZY.replace("a/n", "a//n").replace("b/n", "b//n")),
    "time behind blanks": ("", f"--- a/f.py 2024-01-02\n+++ b/f.py 2024-01-02\n{RETURN_2}{FUZZY}"),
    "out of the tree": ("", "--- a/../tmp/x\n+++ b/../tmp/x\n@@ -0,0 +1 @@\n+x\n"),
    "prose before": ("", f"Here is the fix:\n\n{FIX}"),
    "prose around": ("", f"Here is the fix:\n\n```diff\n{FIX}```\nDone.\n"),
    "a mail": ("", f"From 0123 Mon\nSubject: x\n\n---\n f.py | 2 +-\n\n{FIX}-- \n2.39.5\n\n"),
    "Subversion's form": ("", f"Index: f.py\n{'=' * 67}\n--- f.py\t(1)\n+++ f.py\t(2)\n{RETURN_2}"),
    "context form": (
        "",
        f"*** a/f.py\n--- b/f.py\n{STARS}\n*** 1,2 ****\n{OLD_FORM}1\n--- 1,2 ----\n{OLD_FORM}2\n",
    ),
    "two diffs of a file": ("", SEVEN + changed("numbers.txt", around(23, "drei"))),
    "two diffs of a line": ("", FIX + FIX.replace("return 2", "3").replace("return 1", "return 2")),
    "two equal diffs": ("", FIX + FIX),
    "two diffs that clash": ("", FIX + FIX.replace("return 2", "return 3")),
    "new twice": ("", NEW + NEW),
    "new and then changed": ("", NEW + changed("pkg/new.py", "@@ -1 +1 @@\n-x = 1\n+x = 2\n")),
    "symlink": ("", LINK),
    "symlink and fuzz": ("", LINK + FUZZY),
    "through a symlink to a file": ("", FIX.replace("f.py", "link")),
    "through a symlink to a folder": (
        "",
        changed("folder/in.txt", "@@ -1 +1 @@\n-in\n+out\n"),
    ),
    "through a symlink out of the tree": (
        "",
        LINK.replace("f.py", "/tmp") + created("sl/new.py"),
    ),
    "blank in the name": ("", changed("with space.txt", "@@ -1 +1 @@\n-x\n+y\n") + FUZZY),
    "quoted name": (
        "",
        "$echo y > qu*; git diff > /tmp/patch.diff; git checkout -q .",
    ),
    "three-way merge": (
        "",
        f"${TEN}; sed -i 's/^8$/eight/; s/^12$/twelve/' numbers.txt; git commit -q -a -m newer",
    ),
    "three-way merge with a conflict": (
        "",
        f"${TEN}; sed -i s/^10$/zehn/ numbers.txt; git commit -q -a -m newer",
    ),
    "no hunk": ("", "--- a/f.py\n+++ b/f.py\n"),
    "no patch": ("", "no patch at all\n"),
    "blank": ("", "\n"),
}

HOOK = created(".git/hooks/post-checkout")
# Applied by theirs, not by ours.
INTO_GIT = {
    "a hook": HOOK,
    "a hook beside a fix": FIX + HOOK,
    "a hook through a link that the patch makes": LINK.replace("f.py", ".git")
    + created("sl/hooks/post-checkout"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(base_image: str) -> AsyncIterator[Sandbox]:
    async with DockerHost(run_id="test") as host, host.open("ksolve/base:1", Limits()) as sandbox:
        await run(sandbox, f"mkdir /tmp/clean && cd /tmp/clean {MAKE_REPO}")
        yield sandbox


async def run(sandbox: Sandbox, script: str, cwd: PurePosixPath = OURS) -> str:
    done = await sandbox.exec(["bash", "-c", script], cwd=cwd, timeout=60)
    assert done.exit_code == 0, (script, done.stderr)
    return done.stdout.decode()


async def set_up(sandbox: Sandbox, setup: str, patch: str) -> tuple[str, str]:
    """Make both trees; return the patch, and how they look."""
    script = patch[1:] if patch.startswith("$") else ":"
    look = await run(
        sandbox,
        f"""
        {{ rm -rf /tmp/theirs && find . -mindepth 1 -delete && cp -a /tmp/clean/. . &&
        {{ {setup or ":"}; }} && {{ {script}; }} && cp -a . /tmp/theirs; }} >&2 && {{ {LOOK} }}
        """,
    )
    if patch.startswith("$"):
        return (await sandbox.read(PATCH, 100_000)).decode(), look
    await sandbox.write(PATCH, patch.encode())
    return patch, look


async def apply_theirs(sandbox: Sandbox) -> tuple[str, str]:
    """Do what the harness does (5.0.2, `run_instance`).

    Returns what applied the patch, "" for nothing, and how the tree looks.
    """
    clean = "git checkout -- . ; git clean -fd"
    attempts = f"\n{clean}\n".join(f"attempt {command}" for command in GIT_APPLY_CMDS)
    script = f"""
        exec 3>&1 >&2
        attempt() {{ "$@" {PATCH} && echo "$*" >&3 && exit; }}
        {attempts}
        attempt {REVERSE}
        exit 0
    """
    told = await run(sandbox, f"( {script} )\necho\n{LOOK}", cwd=THEIRS)
    how, _, look = told.partition("\n")
    return how, look.removeprefix("\n")


@pytest.mark.parametrize("case", CASES)
async def test_a_patch_ends_as_it_does_in_the_reference(sandbox: Sandbox, case: str) -> None:
    patch, before = await set_up(sandbox, *CASES[case])
    theirs, after_theirs = await apply_theirs(sandbox)
    ours = await apply_patch(sandbox, patch, OURS)
    assert ours.how.replace("--no-backup-if-mismatch ", "") == theirs, ours.log
    assert await run(sandbox, LOOK) == (after_theirs if theirs else before)


@pytest.mark.parametrize("case", INTO_GIT)
async def test_unlike_in_the_reference_no_patch_writes_into_git(
    sandbox: Sandbox, case: str
) -> None:
    patch, before = await set_up(sandbox, "", INTO_GIT[case])
    theirs, after_theirs = await apply_theirs(sandbox)
    assert theirs
    assert ".git/hooks/post-checkout" in after_theirs
    ours = await apply_patch(sandbox, patch, OURS)
    assert not ours.ok, ours.log
    assert await run(sandbox, LOOK) == before


async def test_unlike_in_the_reference_a_conflict_does_not_spoil_the_attempts_after_it(
    sandbox: Sandbox,
) -> None:
    patch, _ = await set_up(
        sandbox,
        "",
        f"${TEN}; sed -i 's/^11$/elf/; s/^9$/neun/' numbers.txt; git commit -q -a -m newer",
    )
    theirs, _ = await apply_theirs(sandbox)
    assert not theirs
    ours = await apply_patch(sandbox, patch, OURS)
    assert ours.how.startswith("patch"), ours.log
    assert b"\nneun\nten\nelf\n" in await sandbox.read(OURS / "numbers.txt", 1000)


async def test_unlike_in_the_reference_files_that_the_patch_does_not_name_are_kept(
    sandbox: Sandbox,
) -> None:
    built = "echo built > unignored.bin; echo changed > run.sh"
    patch, _ = await set_up(sandbox, built, FUZZY)
    assert (await apply_theirs(sandbox))[0]
    assert (await apply_patch(sandbox, patch, OURS)).how.startswith("patch")
    cat = "cat run.sh unignored.bin 2> /dev/null || true"
    assert await run(sandbox, cat, cwd=THEIRS) == "#!/bin/sh\n"
    assert await run(sandbox, cat) == "changed\nbuilt\n"
