"""The contract of a sandbox: an isolated place with a file system where commands run.

Two kinds of trouble are kept apart. A command that fails is an `ExecResult`, whatever it did.
A `SandboxError` means that the sandbox itself did not work, which says nothing about the command.
Every provider passes the one suite in `tests/sandbox/contract.py`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, Protocol, Self

from tasks.task import Resources

Change = Literal["modified", "added", "deleted"]
MIB = 1024 * 1024

LIMITS = ("deadline", "disk", "memory", "processes")
"""The limits that a command can meet."""


class SandboxError(Exception):
    """The sandbox is at fault, not what ran in it. The message is one sentence for a person."""


class HostDownError(SandboxError):
    """What opens sandboxes does not answer; it may come back, as a restarted daemon does."""


class TakenOverError(SandboxError):
    """Something inside woke what keeps the sandbox, so that nothing inside can be believed."""


class ImageMissingError(SandboxError):
    """The image is neither here, nor to be pulled, nor to be built."""


class ImageUnfitError(SandboxError):
    """The image is here, and lacks what a verification needs: a program, or the repository."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one sandbox may use."""

    memory_bytes: int = 2048 * MIB
    cpus: float = 1.0
    pids: int = 256
    disk_bytes: int = 2048 * MIB
    """Written above the image, in all; a process that goes on writing is ended."""
    output_bytes: int = 16 * MIB
    """Kept of each of stdout and stderr of one command; the middle of what is longer is dropped."""
    network: bool = False
    capabilities: tuple[str, ...] = ()
    """Of root inside, beyond what it needs to handle files of any owner; without `CAP_`."""
    lifetime: float = 3600.0
    """Seconds after which the sandbox ends by itself, even if ksolve is gone."""

    def with_resources(self, resources: Resources) -> Self:
        """Return the same with what a task or a run says of them."""
        said = {name: value for name, value in dataclasses.asdict(resources).items() if value}
        # The one that may be said to be none.
        if resources.network is not None:
            said["network"] = resources.network
        return dataclasses.replace(self, **said)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what can change how a command ends; "" for the usual limits."""
        usual, own = dataclasses.asdict(type(self)()), dataclasses.asdict(self)
        said = {name: own[name] for name in own if own[name] != usual[name] and name != "lifetime"}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest() if said else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecResult:
    """What one command did."""

    exit_code: int | None
    """None when it was ended by its deadline or a limit."""
    stdout: bytes
    stderr: bytes
    truncated: bool
    """Output went past `Limits.output_bytes` and its middle was dropped."""
    timed_out: bool
    seconds: float
    killed_for: str = ""
    """The limit that ended it ("deadline", "disk", "memory"), "" when none did."""
    limits_met: tuple[str, ...] = ()
    """Every limit that was met while it ran ("deadline", "disk", "memory", "processes"), in that
    order, whether or not it ended for it: a test that could not start a process may go on."""


class Sandbox(Protocol):
    """One open sandbox."""

    async def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        cwd: PurePosixPath | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run a command to its end, or to its deadline (seconds), which ends every process inside.

        After a deadline the sandbox is still usable. Raises SandboxError.
        """
        ...

    async def write(self, path: PurePosixPath, data: bytes) -> None:
        """Write a file as the sandbox's user, making its parent folders. Raises SandboxError."""
        ...

    async def read(self, path: PurePosixPath, limit: int) -> bytes:
        """Return up to `limit` bytes of a regular file.

        Raises FileNotFoundError when there is none, SandboxError for faults of the sandbox.
        """
        ...

    async def changes(self) -> dict[PurePosixPath, Change]:
        """Return what differs from the image, by absolute path; folders on the way are among it.

        Seen from outside, so that nothing inside can hide it. Raises SandboxError, and
        TakenOverError where it is seen from outside that process 1 was taken over.
        """
        ...

    def resident(self) -> AbstractAsyncContextManager[Sandbox]:
        """Return the same sandbox, whose commands may be started by a process that stays inside.

        That is much cheaper, and every command can deceive or end that process. So it is for
        what nobody has to believe: a command's word about what it did itself.
        """
        ...


class SandboxHost(Protocol):
    """Opens sandboxes; each is fresh from its image and is removed when the block ends."""

    def open(self, image: str, limits: Limits) -> AbstractAsyncContextManager[Sandbox]:
        """Open one. Raises ImageMissingError or SandboxError on entry."""
        ...

    async def image_digest(self, image: str) -> str:
        """Return the content digest of a local image, as `sha256:...`. Raises ImageMissingError."""
        ...
