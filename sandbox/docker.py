"""Sandboxes as containers of a Docker Engine (API 1.41 or newer), each used once.

What isolates: no network, no capability beyond what a root image needs to own its files, no new
privileges, limits on memory, cpu, processes and writing. What is not promised: a kernel of its
own, and a limit on volumes that an image declares.

Every command runs as the image's own user. What keeps the container alive is its process 1, which
no signal from inside can end, so that a command that kills all it may does not end its sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Self, TypeVar

from docker import DockerClient

from sandbox.archive import read_file
from sandbox.connection import THREADS, Engine, connect, engine_errors
from sandbox.container import Containers, Rlimits
from sandbox.layers import container_changes
from sandbox.orphans import labels, remove_container
from sandbox.processes import KILLED, Processes
from sandbox.resident import ResidentSandbox
from sandbox.sandbox import Change, ExecResult, Limits, Sandbox, SandboxError
from sandbox.stream import ExecStream
from tasks.task import Resources

T = TypeVar("T")

# Of the engine's words, those that blame the command or its folder.
_NO_PROGRAM = re.compile(
    rb"not found|denied|no such file|(not|is) a directory|too (many|long)|format|invalid argument"
)
# What the engine writes in the place of a command's output when there is no process.
_NOT_STARTED = re.compile(rb"^OCI runtime exec failed|: unknown\r?\n\Z")

_PATH_MAX = 4096
_WRITE = (
    'mkdir -p -- "$(dirname -- "$1")" || exit; '
    # Neither through a link nor into a pipe that nobody reads.
    'if [ -L "$1" ] || [ ! -f "$1" ] || [ ! -w "$1" ]; then rm -f -- "$1"; fi; '
    'exec cat > "$1"'
)
_WRITE_SECONDS = 60.0


class DockerHost:
    """Opens containers. Used as `async with DockerHost(run_id="...") as host`."""

    def __init__(self, *, run_id: str = "", resources: Resources | None = None) -> None:
        """Open containers for a run, whose `resources` win over what `open` is told."""
        self._labels = labels(run_id)
        self._resources = resources or Resources()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")
        self._opened: Containers | None = None
        # Held while an image of that name is made ready.
        self.image_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        """Connect. Raises SandboxError when the engine does not answer."""
        self._opened = Containers(await self.call(connect), self._labels)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for what is under way in the engine, and leave."""
        await _to_its_end(asyncio.create_task(asyncio.to_thread(self._close)))

    @contextlib.asynccontextmanager
    async def open(self, image: str, limits: Limits) -> AsyncIterator[Sandbox]:
        """Open a sandbox; when the block ends, cancelled or not, its container is gone."""
        name = f"ksolve-{uuid.uuid4().hex[:16]}"
        limits = limits.with_resources(self._resources)
        starting = self.call(self._containers.start, name, image, limits)
        try:
            started = await asyncio.shield(starting)
            processes = Processes(
                client=self.client,
                call=self.call,
                wire=self.engine.wire,
                name=name,
                limits=limits,
                user=started.user,
                pid=started.pid,
                container_id=started.container_id,
                sleeps=started.sleeps,
            )
            yield DockerSandbox(self, processes, started.workdir)
        finally:
            await _to_its_end(asyncio.create_task(self._remove(starting, name)))

    async def image_digest(self, image: str) -> str:
        """Return the content digest of a local image, as `sha256:...`. Raises ImageMissingError."""
        return str((await self.call(self.client.images.get, image)).id)

    @property
    def engine(self) -> Engine:
        """The engine, once entered."""
        return self._containers.engine

    @property
    def rlimits(self) -> Rlimits:
        """How processes are limited by themselves, once a container was opened."""
        return self._containers.rlimits

    @property
    def client(self) -> DockerClient:
        """The engine's client, once entered."""
        return self.engine.client

    @property
    def _containers(self) -> Containers:
        if self._opened is None:
            raise SandboxError("DockerHost is used outside of its `async with` block.")
        return self._opened

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> asyncio.Future[T]:
        """Run a blocking call to the engine in a thread. Its faults are raised as SandboxError."""

        def guarded() -> T:
            with engine_errors():
                return function(*args, **kwargs)

        return asyncio.get_running_loop().run_in_executor(self._threads, guarded)

    async def _remove(self, starting: asyncio.Future[Any], name: str) -> None:
        await asyncio.wait([starting])
        starting.exception()  # was raised where it was awaited, or nobody waits for it any more
        await self.call(remove_container, self.client, name)

    def _close(self) -> None:
        self._threads.shutdown()
        if self._opened is not None:
            self._opened.engine.close()


@dataclass(frozen=True, slots=True)
class DockerSandbox:
    """One open container."""

    host: DockerHost
    processes: Processes
    workdir: PurePosixPath

    @property
    def name(self) -> str:
        """The container's."""
        return self.processes.name

    async def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        cwd: PurePosixPath | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run a command; see `Sandbox.exec`.

        A process that it leaves in the background lives on until a deadline or the end.
        """
        if max(len(argv[0]), len(str(cwd))) > _PATH_MAX:
            # runc 1.1 repeats it in an error that is too long for its pipe, and hangs for ever.
            return _refused("the name of the program or of its folder is too long")
        run = functools.partial(self._run, argv, timeout=timeout, stdin=stdin, cwd=cwd, env=env)
        result = await run()
        if result is None:
            # What earlier commands left behind may have used up the processes or the memory.
            await self.processes.end_all()
            result = await run()
        if result is None:
            raise SandboxError(f"The Docker Engine could not start a process in {self.name}.")
        return result

    async def write(self, path: PurePosixPath, data: bytes) -> None:
        """Write a file as the image's user; a link or a pipe in its place is replaced."""
        full = str(self.workdir / path)
        argv = ["sh", "-c", _WRITE, "sh", full]
        result = await self.exec(argv, stdin=data, timeout=_WRITE_SECONDS)
        if result.exit_code != 0:
            why = result.killed_for or " ".join(result.stderr.decode(errors="replace").split())
            raise SandboxError(f"Cannot write {full} in the sandbox: {why or result.exit_code}.")

    async def read(self, path: PurePosixPath, limit: int) -> bytes:
        """Return up to `limit` bytes of a regular file; links are not followed."""
        full = str(self.workdir / path)
        return await self.host.call(read_file, self.host.client, self.name, full, limit)

    async def changes(self) -> dict[PurePosixPath, Change]:
        """Return what differs from the image; see `Sandbox.changes`."""
        found = await self.host.call(container_changes, self.host.client, self.name)
        await self.processes.check_keeper()
        return found

    def resident(self) -> ResidentSandbox:
        """Return the same sandbox with cheaper commands; see `Sandbox.resident`."""
        return ResidentSandbox(self, self.processes, self.workdir)

    async def _run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes,
        cwd: PurePosixPath | None,
        env: Mapping[str, str] | None,
    ) -> ExecResult | None:
        """Run a command once. None when the engine could not even start it."""
        began = time.monotonic()
        exit_code: int | None = None
        async with self.processes.start(
            argv, cwd=self.workdir / (cwd or ""), env=env or {}, stdin=bool(stdin)
        ) as (exec_id, stream):
            ending = self._until_ended(exec_id, stream, stdin)
            ended, killed_for = await self.processes.held(ending, timeout)
        if ended is not None:
            if ended["Pid"] == 0 and _NOT_STARTED.search(bytes(stream.stdout)):
                if not _NO_PROGRAM.search(bytes(stream.stdout)):
                    return None
                stream.stdout, stream.stderr = stream.stderr, stream.stdout
            exit_code = int(ended["ExitCode"])
        seconds = time.monotonic() - began
        if killed_for:
            await self.processes.end_all()
        met = await self.processes.limits_met(exit_code, killed_for, stream.stdout, stream.stderr)
        if exit_code == KILLED and "memory" in met:
            exit_code, killed_for = None, "memory"
            await self.processes.end_all()
        return ExecResult(
            exit_code=exit_code,
            stdout=bytes(stream.stdout),
            stderr=bytes(stream.stderr),
            truncated=stream.truncated,
            timed_out=killed_for == "deadline",
            seconds=seconds,
            killed_for=killed_for,
            limits_met=met,
        )

    async def _until_ended(self, exec_id: str, stream: ExecStream, stdin: bytes) -> dict[str, Any]:
        """Wait for a command; return the engine's record of it.

        The stream alone does not tell: a process in the background can hold it open after the
        command, and a command can close it and go on.
        """
        talking = asyncio.create_task(stream.talk(stdin))
        pause = 0.05
        try:
            while True:
                await asyncio.wait([talking], timeout=pause)
                record = await self.processes.state(exec_id)
                if not record["Running"]:
                    await _drain(talking, stream)
                    return record
                if talking.done():
                    await asyncio.sleep(pause)
                pause = min(1.0, pause * 1.5)
        finally:
            talking.cancel()


def _refused(why: str) -> ExecResult:
    """Return what a shell would say of a command that cannot be started."""
    return ExecResult(
        exit_code=126,
        stdout=b"",
        stderr=f"ksolve: {why}\n".encode(),
        truncated=False,
        timed_out=False,
        seconds=0.0,
    )


async def _drain(talking: asyncio.Task[None], stream: ExecStream) -> None:
    """Take what a finished command has written and is still on its way."""
    for _ in range(20):
        before = stream.received
        await asyncio.wait([talking], timeout=0.2)
        if talking.done() or stream.received == before:
            return


async def _to_its_end(task: asyncio.Task[None]) -> None:
    """Wait for a task that must not be left half done, even if the waiting one is cancelled."""
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
