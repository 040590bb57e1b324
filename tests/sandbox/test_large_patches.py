"""Large patches cost time in proportion to their size, and none of it on the event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath

import pytest

from sandbox.fake import FakeHost, FakeSandbox, did
from sandbox.patch import apply_patch
from sandbox.sandbox import ExecResult, Limits

ENOUGH = 150.0
"""Seconds for some 5 MB of patches; what takes time by the square needs more for one of them."""

READ = """
import sys
from sandbox.patch import apply_command, check_patch, normalise_patch, patch_digest
from eval.selection.behaviour import behaviours

HUNK = "@@ -{0},3 +{0},3 @@ def f():\\n line\\n-line {0}\\n+LINE {0}\\n line\\n"
NEW = "--- /dev/null\\n+++ b/{0}\\n@@ -0,0 +1 @@\\n+x\\n"
RENAME = "diff --git a/old/{0} b/new/{0}\\nrename from old/{0}\\nrename to new/{0}\\n"
HEAD = "--- a/f\\n+++ b/f\\n"
LAST = "@@ -1 +1 @@\\n-x\\n\\\\ No newline at end of file\\n+y\\n\\\\ No newline at end of file\\n"
PATCHES = {
    "many hunks": HEAD + "".join(HUNK.format(10 * n + 1) for n in range(8_000)),
    "empty hunks": HEAD + "@@ -0,0 +0,0 @@\\n" * 40_000,
    "hunks of last lines": HEAD + LAST * 8_000,
    "a deep path": NEW.format("d/" * 120_000 + "a") + NEW.format("d/" * 120_000 + "b"),
    "deep paths": "".join(NEW.format(f"{n}/" + "d/" * 1_900 + "x") for n in range(70)),
    "paths one below the other": "".join(NEW.format("d/" * n + "x") for n in range(500)),
    "many files": "".join(NEW.format(f"pkg/{n}.txt") for n in range(5_000)),
    "renames": "".join(RENAME.format(n) for n in range(5_000)),
    "a long line": HEAD + f"@@ -1 +1 @@\\n-{'x' * 500_000}\\n+{'y' * 500_000}\\n",
    "a long name": NEW.format("x" * 500_000),
    "a name of blanks": NEW.format(" " * 500_000),
    "names in a row": "diff --git " + "a/x " * 100_000 + "\\n",
    "a binary file without an end": "Binary files " + " and " * 100_000 + "\\n",
    "a binary file with times": "Binary files " + " and x\\t" * 100_000 + " differ\\n",
    "blank lines": HEAD + HUNK.format(1) + "\\n" * 100_000,
    "far lines": HEAD + "".join(HUNK.format(10 ** 9 * n + 1) for n in range(200)),
    "no patch": "word " * 200_000,
}
for name, patch in PATCHES.items():
    print(name, flush=True)
    patch_digest(patch)
    check_patch(patch)
    apply_command(patch)
    behaviours([patch, patch + "\\n"])
"""


def test_patches_of_every_shape_are_read_in_time_by_their_size() -> None:
    """Paths of 240 KB took 14 s, of 960 KB 225 s; so did one line without an end of 100 KB."""
    read = subprocess.run(
        [sys.executable, "-c", READ], capture_output=True, text=True, timeout=ENOUGH, check=False
    )
    assert read.returncode == 0, read.stderr
    assert len(read.stdout.splitlines()) > 15


@pytest.mark.asyncio
async def test_the_event_loop_goes_on_while_a_patch_is_made_ready() -> None:
    beats = 0
    seen = []

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    def answer(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        seen.append(beats)
        return did()

    patch = "--- a/x\n+++ b/x\n" + "".join(f"--- a/{n}/x\n" for n in range(60_000))
    beating = asyncio.create_task(beat())
    async with FakeHost(answer).open("image", Limits()) as sandbox:
        # A small one takes a few turns of the loop, too.
        await apply_patch(sandbox, "--- a/x\n", PurePosixPath("/testbed"))
        await apply_patch(sandbox, patch, PurePosixPath("/testbed"))
    beating.cancel()
    assert seen[1] - seen[0] > 20
