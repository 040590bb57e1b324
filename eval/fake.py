"""What a `sandbox.fake.FakeHost` answers to a verification, for tests of what verifies.

Every patch applies, and a function of the patch tells whether the one test command passes. The
tasks are those whose evidence is an exit status (`EXIT_CODE_PARSER`); nothing is ever run.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from sandbox.fake import FakeSandbox, did
from sandbox.sandbox import ExecResult

_PATCH = PurePosixPath("/ksolve/patch")


def evaluating(
    passes: Callable[[str], bool],
) -> Callable[[Sequence[str], bytes, FakeSandbox], ExecResult]:
    """Return an answer for `FakeHost`; `passes("")` is asked of the base commit."""

    def answer(argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        stage = argv[3] if argv[1:2] == ["-c"] else ""
        if stage == "ksolve-prepare":
            sent = _unpacked(stdin)
            word = sent["word"].decode()
            sizes = sent.get("arguments", b"").split(b"\0")[1:-1]
            sandbox.files[_PATCH] = sent.get("patch", b"")[sum(map(int, sizes)) :]
            heard = ["applied 0", "state\n0022\nPATH ", "options", "prepared"]
            return did(stdout=f"\n{word}\n".encode(), stderr=_said(word, heard))
        if stage == "ksolve-put-back":
            return did(stdout=b"/tmp/ksolve\n\n")
        if stage == "ksolve-tests":
            return did(exit_code=0 if passes(sandbox.files[_PATCH].decode()) else 1)
        if stage == "ksolve-look":
            return did()
        # Nothing is known of the image's programs and environments.
        return did(stdout=b"\0\0\0" + _archive())

    return answer


def _said(word: str, lines: Sequence[str]) -> bytes:
    return "".join(f"{word} {line}\n" for line in lines).encode()


def _unpacked(data: bytes) -> dict[str, bytes]:
    """Read an archive of `eval.stages`, whose names are short, faster than tarfile does."""
    found, at = {}, 0
    while data[at]:
        name = data[at : at + 100].rstrip(b"\0").decode()
        size, start = int(data[at + 124 : at + 135], 8), at + tarfile.BLOCKSIZE
        found[name] = data[start : start + size]
        at = start - (-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return found


def _archive() -> bytes:
    buffer = io.BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    return buffer.getvalue()
