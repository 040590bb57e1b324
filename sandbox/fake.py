"""A sandbox without a machine behind it, for tests of what uses sandboxes.

Files live in a dict and commands are answered by a function. Closing, limits on output and
deadlines are kept as a real sandbox keeps them; nothing is ever run.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import PurePosixPath

from sandbox.sandbox import Change, ExecResult, ImageMissingError, Limits, Sandbox, SandboxError

Files = Mapping[PurePosixPath, bytes]

_WORKDIR = PurePosixPath("/testbed")


class FakeHost:
    """Opens sandboxes whose commands are answered by `answer(argv, stdin, sandbox)`.

    `answer` may read and change `sandbox.files`, and raise SandboxError; the `seconds` of its
    result are held against the deadline. `images` are the images there are, with their files;
    None stands for every image, and empty.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[str], bytes, FakeSandbox], ExecResult],
        images: Mapping[str, Files] | None = None,
    ) -> None:
        self.answer = answer
        self.images = images
        self.opened = 0
        self.closed = 0

    @asynccontextmanager
    async def open(self, image: str, limits: Limits) -> AsyncIterator[Sandbox]:
        """Open a sandbox with a copy of the image's files."""
        sandbox = FakeSandbox(self, image, limits, self.files_of(image))
        self.opened += 1
        try:
            yield sandbox
        finally:
            sandbox.is_open = False
            self.closed += 1

    async def image_digest(self, image: str) -> str:
        """Return a digest of the image's name and files."""
        files = sorted(self.files_of(image).items())
        return f"sha256:{hashlib.sha256(repr((image, files)).encode()).hexdigest()}"

    def files_of(self, image: str) -> Files:
        """Return the files of an image. Raises ImageMissingError."""
        if self.images is None:
            return {}
        if image not in self.images:
            raise ImageMissingError(f"The image {image} is not among those of the fake host.")
        return self.images[image]


class FakeSandbox:
    """One open fake. `files` are keyed by absolute path."""

    def __init__(self, host: FakeHost, image: str, limits: Limits, files: Files) -> None:
        self.image = image
        self.limits = limits
        self.files = dict(files)
        self.is_open = True
        self._host = host

    async def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        cwd: PurePosixPath | None = None,  # noqa: ARG002 - part of the contract; the answer knows
        env: Mapping[str, str] | None = None,  # noqa: ARG002 - likewise
    ) -> ExecResult:
        """Ask the host's `answer`, and hold its result against the limits."""
        await self._take_turn()
        result = self._host.answer(argv, stdin, self)
        most = self.limits.output_bytes
        if result.seconds > timeout:
            result = dataclasses.replace(
                result, exit_code=None, timed_out=True, killed_for="deadline", seconds=timeout
            )
        if max(len(result.stdout), len(result.stderr)) > most:
            result = dataclasses.replace(
                result, stdout=result.stdout[:most], stderr=result.stderr[:most], truncated=True
            )
        return result

    async def write(self, path: PurePosixPath, data: bytes) -> None:
        """Keep a file; a relative path starts at /testbed."""
        await self._take_turn()
        full = _WORKDIR / path
        for parent in full.parents:
            if parent in self.files:
                raise SandboxError(f"Cannot write {full} in the sandbox: {parent} is a file.")
        if any(full in known.parents for known in self.files):
            raise SandboxError(f"Cannot write {full} in the sandbox: it is a folder.")
        self.files[full] = data

    async def read(self, path: PurePosixPath, limit: int) -> bytes:
        """Return the first `limit` bytes of a file."""
        await self._take_turn()
        full = _WORKDIR / path
        if full not in self.files:
            raise FileNotFoundError(f"There is no file {full} in the sandbox.")
        return self.files[full][:limit]

    async def changes(self) -> dict[PurePosixPath, Change]:
        """Compare the files with the image's; folders are not among them."""
        await self._take_turn()
        image = self._host.files_of(self.image)
        found: dict[PurePosixPath, Change] = {}
        for path in sorted({*image, *self.files}):
            if path not in self.files:
                found[path] = "deleted"
            elif image.get(path) != self.files[path]:
                found[path] = "modified" if path in image else "added"
        return found

    def resident(self) -> AbstractAsyncContextManager[Sandbox]:
        """Return itself: nothing could be cheaper."""
        return nullcontext(self)

    async def _take_turn(self) -> None:
        await asyncio.sleep(0)
        if not self.is_open:
            raise SandboxError("The sandbox is gone: its block has ended.")


def did(
    exit_code: int = 0, stdout: bytes = b"", stderr: bytes = b"", seconds: float = 0.0
) -> ExecResult:
    """Return the result of a command that ran to its end."""
    return ExecResult(
        exit_code=exit_code,
        stdout=stdout,
        stderr=stderr,
        truncated=False,
        timed_out=False,
        seconds=seconds,
    )
