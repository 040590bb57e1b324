"""A sandbox whose commands are started by a program that stays inside: cheap ones for agents.

To start a command through the engine takes some fifty milliseconds of processor. Here one is
started so, `sandbox/inside/resident.py`, and it forks the others. Every command is still a process
of its own, keeps the contract of `Sandbox.exec`, and is held to its limits from outside. Where the
program cannot be started (an image without Python), while it is busy with another command, or when
it could not begin, the command is started by the engine. What is not promised: that the program
says the truth once commands ran that wanted it to lie.

A request is its length, and words that each have theirs in front: folder, standard input, number
of arguments, the arguments, the variables. A record is a letter, its length and its payload:
`r` ready, `b` begun, `o` and `e` output, `x` ended with a status, `n` not started.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from sandbox.processes import KILLED, Processes
from sandbox.sandbox import Change, ExecResult, Sandbox, SandboxError
from sandbox.stream import STDERR, ExecStream, Output

_PROGRAM = Path(__file__).parent / "inside" / "resident.py"
_ARGUMENTS = ["-ESs", "-c", "import sys; exec(eval(sys.stdin.readline()))"]
# Of Python. The program is not among them, so that no `pkill -f` finds its words there.
_PYTHONS = ("python3", "python")
_PATIENCE = 10.0
# Seconds until it must be ready.

_LENGTH = struct.Struct(">I")
_RECORD = struct.Struct(">cI")
_LONGEST = 64 * 1024
# Bytes of a record's payload.
_LOST = b"ksolve: every process in the sandbox was ended, also the one that starts commands\n"


class ResidentSandbox:
    """The sandbox `plain`, with cheaper commands while its block is open."""

    def __init__(self, plain: Sandbox, processes: Processes, workdir: PurePosixPath) -> None:
        self._plain = plain
        self._processes = processes
        self._workdir = workdir
        self._turn = asyncio.Lock()
        self._connection = contextlib.AsyncExitStack()
        self._starter: _Starter | None = None
        self._can_start = True

    async def __aenter__(self) -> Self:
        """Do nothing yet: the first command starts the program."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the program go."""
        self._can_start = False
        await self._let_go()

    async def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        cwd: PurePosixPath | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run a command; see `Sandbox.exec`."""
        result = None
        if not self._turn.locked():
            async with self._turn:
                variables = [f"{name}={value}" for name, value in (env or {}).items()]
                folder = str(self._workdir / (cwd or ""))
                request = _request([folder, stdin, str(len(argv)), *argv, *variables])
                result = await self._run(request, timeout)
        if result is None:
            result = await self._plain.exec(argv, timeout=timeout, stdin=stdin, cwd=cwd, env=env)
        return result

    async def write(self, path: PurePosixPath, data: bytes) -> None:
        """Write a file; see `Sandbox.write`."""
        await self._plain.write(path, data)

    async def read(self, path: PurePosixPath, limit: int) -> bytes:
        """Return up to `limit` bytes of a regular file; see `Sandbox.read`."""
        return await self._plain.read(path, limit)

    async def changes(self) -> dict[PurePosixPath, Change]:
        """Return what differs from the image; see `Sandbox.changes`."""
        return await self._plain.changes()

    def resident(self) -> contextlib.AbstractAsyncContextManager[Sandbox]:
        """Return itself."""
        return contextlib.nullcontext(self)

    async def _run(self, request: bytes, timeout: float) -> ExecResult | None:
        """Have a command run by the program. None when it did not begin."""
        starter = self._starter or await self._start()
        if starter is None:
            return None
        began = time.monotonic()
        told = _Told(self._processes.limits.output_bytes)
        over = None
        try:
            over, killed_for = await self._processes.held(starter.run(request, told), timeout)
        finally:
            if not over:
                await self._let_go()
        if not (told.begun or killed_for):
            return None
        exit_code = None if killed_for else KILLED if told.exit_code is None else told.exit_code
        met = await self._processes.limits_met(exit_code, killed_for, told.stdout, told.stderr)
        if exit_code == KILLED and "memory" in met:
            exit_code, killed_for = None, "memory"
        if not (over or killed_for):
            told.stderr.add(_LOST)
        seconds = time.monotonic() - began
        if killed_for or not over:
            # What the command may still be doing, nobody could tell.
            await self._let_go()
            await self._processes.end_all()
        return ExecResult(
            exit_code=exit_code,
            stdout=bytes(told.stdout),
            stderr=bytes(told.stderr),
            truncated=told.stdout.truncated or told.stderr.truncated,
            timed_out=killed_for == "deadline",
            seconds=seconds,
            killed_for=killed_for,
            limits_met=met,
        )

    async def _start(self) -> _Starter | None:
        """Start the program; where that is not possible once, it is not tried again."""
        for python in _PYTHONS if self._can_start else ():
            # What is wrong, the engine says again when it is to start the command itself.
            with contextlib.suppress(SandboxError, TimeoutError):
                starting = self._processes.start(
                    [python, *_ARGUMENTS], cwd=PurePosixPath("/"), env={}, stdin=True
                )
                _, stream = await self._connection.enter_async_context(starting)
                starter = _Starter(stream)
                async with asyncio.timeout(_PATIENCE):
                    if await starter.is_ready():
                        self._starter = starter
                        return starter
            await self._let_go()
        self._can_start = False
        return None

    async def _let_go(self) -> None:
        self._starter = None
        await self._connection.aclose()


@dataclass(slots=True)
class _Told:
    """What the program has said about a command so far."""

    limit: int
    begun: bool = False
    exit_code: int | None = None
    stdout: Output = field(init=False)
    stderr: Output = field(init=False)

    def __post_init__(self) -> None:
        self.stdout, self.stderr = Output(self.limit), Output(self.limit)


class _Starter:
    """The program inside, as it is seen from here."""

    def __init__(self, stream: ExecStream) -> None:
        self._stream = stream
        self._held = bytearray()

    async def is_ready(self) -> bool:
        """Hand it over, and hear whether it runs."""
        await self._stream.send(f"{_PROGRAM.read_text('ascii')!a}\n".encode())
        return await self._record() == (b"r", b"")

    async def run(self, request: bytes, told: _Told) -> bool:
        """Have a command run; tell whether the program is there for another one."""
        await self._stream.send(request)
        first, _ = await self._record()
        # Where it says nothing at all, it was gone before.
        told.begun = first != b""
        while first == b"b":
            match await self._record():
                case (b"o", payload):
                    told.stdout.add(payload)
                case (b"e", payload):
                    told.stderr.add(payload)
                case (b"x", payload) if len(payload) == _LENGTH.size:
                    (told.exit_code,) = _LENGTH.unpack(payload)
                    return True
                case (b"n", _):
                    told.begun = False
                    return True
                case _:
                    break
        return False

    async def _record(self) -> tuple[bytes, bytes]:
        """Return its next record, an empty one when there is none."""
        head = await self._bytes(_RECORD.size)
        if not head:
            return b"", b""
        kind, length = _RECORD.unpack(head)
        if length > _LONGEST:
            return b"?", b""
        return kind, await self._bytes(length)

    async def _bytes(self, length: int) -> bytes:
        """Return so many, none when there are not as many."""
        while len(self._held) < length:
            output, piece = await self._stream.receive()
            if not piece:
                return b""
            if output != STDERR:
                self._held += piece
        found = bytes(self._held[:length])
        del self._held[:length]
        return found


def _request(words: Sequence[str | bytes]) -> bytes:
    data = [word if isinstance(word, bytes) else _encoded(word) for word in words]
    body = b"".join(_LENGTH.pack(len(word)) + word for word in data)
    return _LENGTH.pack(len(body)) + body


def _encoded(word: str) -> bytes:
    try:
        # Such is a file's name that is no text.
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return word.encode(errors="replace")
