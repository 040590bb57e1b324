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
import math
import re
import resource
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from docker import DockerClient
from docker.errors import APIError
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit

from sandbox.archive import read_file
from sandbox.connection import THREADS, Engine, connect, engine_errors
from sandbox.layers import container_changes
from sandbox.orphans import labels, remove_container
from sandbox.processes import KILLED, Processes
from sandbox.resident import ResidentSandbox
from sandbox.sandbox import Change, ExecResult, Limits, Sandbox, SandboxError
from sandbox.stream import ExecStream
from tasks.task import Resources

T = TypeVar("T")

Rlimits = Literal["usual", "not raised", "none"]
"""How processes are limited by themselves (setrlimit), beside the limits on all of a container: on
the size of a file and of a core; likewise, with every other limit as this process has it, since
Podman else raises some, which not every machine lets it do; not at all."""

# Process 1 ignores the end of its children, so the kernel itself clears away orphans: nothing has
# to run for that, and nothing can be killed. dash does not pass this on, bash does.
_KEEP = 'exec "$(command -v bash || command -v sh)" -c \'trap "" CHLD; exec sleep "$0"\' "$0"'
# Nobody's, so that a command cannot trace it either. For root, see `_ROOT_CAPABILITIES`.
_KEEPER = "65533:65533"

# What root in an image needs to handle files of any owner (pip, git, tar). Under
# no-new-privileges a command only has them if process 1 has: that is then root, too.
_ROOT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
# With more of them a command may become another user, whose processes have to be ended, too.
_TO_END_ALL = "KILL"

# Where a container's own name leads while it has no network, as in Debian. Docker itself gives it
# an address of the network else. It is not 127.0.0.1, whose name stays localhost.
_OWN_ADDRESS = "127.0.1.1"
_OWN_NAME = 12

# Of the engine's words, those that blame the command or its folder.
_NO_PROGRAM = re.compile(
    rb"not found|denied|no such file|(not|is) a directory|too (many|long)|format|invalid argument"
)
# What the engine writes in the place of a command's output when there is no process.
_NOT_STARTED = re.compile(rb"^OCI runtime exec failed|: unknown\r?\n\Z")
# What Podman raises unless it is told, and what it has itself at most (it lowers the second).
_NOT_RAISED = {"nofile": 1 << 20, "nproc": 1 << 15}
# What an engine says where it may not limit what a process may do by itself (setrlimit).
_NO_RLIMITS = re.compile("(?i)rlimit")

_PATH_MAX = 4096
_WRITE = (
    'mkdir -p -- "$(dirname -- "$1")" || exit; '
    # Neither through a link nor into a pipe that nobody reads.
    'if [ -L "$1" ] || [ ! -f "$1" ] || [ ! -w "$1" ]; then rm -f -- "$1"; fi; '
    'exec cat > "$1"'
)
_WRITE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Started:
    """A container that runs; the user and the working directory are its image's."""

    user: str
    workdir: PurePosixPath
    pid: int
    container_id: str


class DockerHost:
    """Opens containers. Used as `async with DockerHost(run_id="...") as host`."""

    def __init__(self, *, run_id: str = "", resources: Resources | None = None) -> None:
        """Open containers for a run, whose `resources` win over what `open` is told."""
        self._labels = labels(run_id)
        self._resources = resources or Resources()
        # What is still to be tried, the best first: the first works once a container was started.
        self._rlimits: tuple[Rlimits, ...] = ("usual", "not raised", "none")
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")
        self._engine: Engine | None = None
        # Held while an image of that name is made ready.
        self.image_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        """Connect. Raises SandboxError when the engine does not answer."""
        self._engine = await self.call(connect)
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
        starting = self.call(self._start, name, image, limits)
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
        if self._engine is None:
            raise SandboxError("DockerHost is used outside of its `async with` block.")
        return self._engine

    @property
    def rlimits(self) -> Rlimits:
        """How processes are limited by themselves, once a container was opened."""
        return self._rlimits[0]

    @property
    def client(self) -> DockerClient:
        """The engine's client, once entered."""
        return self.engine.client

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> asyncio.Future[T]:
        """Run a blocking call to the engine in a thread. Its faults are raised as SandboxError."""

        def guarded() -> T:
            with engine_errors():
                return function(*args, **kwargs)

        return asyncio.get_running_loop().run_in_executor(self._threads, guarded)

    def _start(self, name: str, image: str, limits: Limits) -> _Started:
        config = self.client.images.get(image).attrs["Config"]
        user = config.get("User") or "0"
        container = self._started(user, name, image, limits)
        container.reload()
        return _Started(
            user=user,
            workdir=PurePosixPath(config.get("WorkingDir") or "/"),
            pid=int(container.attrs["State"]["Pid"]),
            container_id=str(container.id),
        )

    def _started(self, user: str, name: str, image: str, limits: Limits) -> Container:
        """Start a container with the best limits on processes that the engine can set."""
        kind = self._rlimits[0]
        try:
            return self._start_with(kind, user, name, image, limits)
        except APIError as error:
            if kind == "none" or not _NO_RLIMITS.search(str(error)):
                raise
        remove_container(self.client, name)
        # Another thread may have found it out meanwhile.
        if self._rlimits[0] == kind:
            self._rlimits = self._rlimits[1:]
        return self._started(user, name, image, limits)

    def _start_with(
        self, rlimits: Rlimits, user: str, name: str, image: str, limits: Limits
    ) -> Container:
        is_root = user.partition(":")[0] in ("0", "root")
        own_name = name[-_OWN_NAME:]
        more = (_TO_END_ALL, *limits.capabilities) if limits.capabilities else ()
        container = self.client.containers.create(
            image,
            name=name,
            labels=self._labels,
            # Ends by itself and is then removed, even if ksolve was killed.
            entrypoint=["sh", "-c", _KEEP, str(math.ceil(limits.lifetime))],
            auto_remove=True,
            user="0" if is_root else _KEEPER,
            working_dir="/",
            hostname=own_name,
            extra_hosts={} if limits.network else {own_name: _OWN_ADDRESS},
            network_mode="bridge" if limits.network else "none",
            mem_limit=limits.memory_bytes,
            memswap_limit=limits.memory_bytes,
            nano_cpus=round(min(limits.cpus, self.engine.cpus) * 1e9),
            pids_limit=limits.pids,
            cap_drop=["ALL"],
            cap_add=sorted({*_ROOT_CAPABILITIES, *more}) if is_root else [],
            security_opt=["no-new-privileges"],
            ulimits=_ulimits(rlimits, limits),
            # Else what is written to the keeper's output would fill the host's disk.
            log_config=LogConfig(type="none"),
            healthcheck={"test": ["NONE"]},
        )
        container.start()
        return container

    async def _remove(self, starting: asyncio.Future[Any], name: str) -> None:
        await asyncio.wait([starting])
        starting.exception()  # was raised where it was awaited, or nobody waits for it any more
        await self.call(remove_container, self.client, name)

    def _close(self) -> None:
        self._threads.shutdown()
        if self._engine is not None:
            self._engine.close()


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
        return await self.host.call(container_changes, self.host.client, self.name)

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


def _ulimits(kind: Rlimits, limits: Limits) -> list[Ulimit] | None:
    if kind == "none":
        # With a list, even an empty one, Podman sets limits of its own.
        return None
    said = {"fsize": limits.disk_bytes, "core": 0}
    if kind == "not raised":
        for name, most in _NOT_RAISED.items():
            _, own = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
            said[name] = most if own == resource.RLIM_INFINITY else min(own, most)
    return [Ulimit(name=name, soft=value, hard=value) for name, value in said.items()]


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
