"""The processes of one container, from outside: started, held to limits, ended.

Nothing here believes what runs inside; whether something runs, what it has written and why it was
killed is what the engine says.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeVar

from docker import DockerClient

from sandbox.cgroup import COUNTERS, Counters, counters_here, told
from sandbox.connection import Wire
from sandbox.keeper import was_woken
from sandbox.orphans import remove_container
from sandbox.sandbox import LIMITS, Limits, SandboxError, TakenOverError
from sandbox.stream import ExecStream, Output, start_exec

T = TypeVar("T")

KILLED = 137
"""The exit code of what was killed."""

# It spares itself and process 1, and fails when it finds no other.
_KILL_ALL = ["sh", "-c", "while kill -9 -1 2> /dev/null; do :; done"]
_KILL_ATTEMPTS = 20
# What the C library, Python, Go and shells say of a file that grows past its limit: neither the
# engine nor the kernel counts that.
_TOO_LARGE = re.compile(
    rb"(?:: |Errno 27\] )File too large|write [^\s:]+: file too large|File size limit exceeded"
)
# In each of them, and found much sooner in what is long.
_PARTS = (b"ile too large", b"size limit exceeded")
# Seconds.
_ASKING = 10.0
_KILLING = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    """Those of the container `name`; all but process 1 are of `user`."""

    client: DockerClient
    wire: Wire
    # Runs a blocking call to the engine in a thread.
    call: Callable[..., asyncio.Future[Any]]
    name: str
    user: str
    limits: Limits
    pid: int
    """Of process 1, on the engine's machine."""
    container_id: str
    sleeps: int | None = None
    """How often process 1 lay down to sleep before the first command."""
    _counted: dict[str, int] = field(default_factory=dict, repr=False)

    @contextlib.asynccontextmanager
    async def start(
        self, argv: Sequence[str], *, cwd: PurePosixPath, env: Mapping[str, str], stdin: bool
    ) -> AsyncIterator[tuple[str, ExecStream]]:
        """Start one; yields its id with the engine, and its input and outputs.

        When the block ends nobody listens to it any more, but it goes on. Raises SandboxError.
        """
        api = self.client.api
        made = await self.call(
            api.exec_create,
            self.name,
            list(argv),
            stdin=stdin,
            user=self.user,
            workdir=str(cwd),
            environment=dict(env),
        )
        most = self.limits.output_bytes
        async with start_exec(self.wire, api.api_version, made["Id"], most) as stream:
            yield made["Id"], stream

    async def state(self, exec_id: str) -> dict[str, Any]:
        """Return the engine's record of one."""
        return dict(await self.call(self.client.api.exec_inspect, exec_id))

    async def held(self, running: Coroutine[Any, Any, T], timeout: float) -> tuple[T | None, str]:
        """Await a command for `timeout` seconds, and no longer than the disk has room.

        Returns what it returns, or None and the limit that it met; it is not ended by that.
        """
        command = asyncio.create_task(running)
        filling = asyncio.create_task(self._until_disk_is_full())
        both = (command, filling)
        try:
            await asyncio.wait(both, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if command.done():
                return command.result(), ""
            if filling.done():
                filling.result()
                return None, "disk"
            return None, "deadline"
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def end_all(self) -> None:
        """End every process but process 1; what is on the disk stays.

        All of them are of one user, and one `kill -9 -1` of that user ends all that there are at
        that moment, however they hid or multiply. Where that does not help, the container is
        removed. (Restarting it would be surer still, but the engine at times removes a container
        that it restarts, when it is to be removed at its end.)
        """
        for _ in range(_KILL_ATTEMPTS):
            # A fork bomb may leave no room even for this: then again, a little later.
            with contextlib.suppress(SandboxError):
                if await self._kill_all():
                    return
            await asyncio.sleep(0.2)
        await self.call(remove_container, self.client, self.name)

    async def limits_met(
        self, exit_code: int | None, killed_for: str, *outputs: Output
    ) -> tuple[str, ...]:
        """Return the limits that a command met which has ended, those of `LIMITS` in that order.

        Raises SandboxError when the container was ended, too.
        """
        met = {killed_for}
        if any(_says_too_large(bytes(output)) for output in outputs):
            met.add("disk")
        counters = await self.call(counters_here, self.pid, self.container_id)
        # Asking inside takes as long as a command: only where something went wrong.
        if counters is None and exit_code != 0:
            counters = await self._counters_inside()
        if counters is not None:
            met |= {name for name, times in counters.items() if times > self._counted.get(name, 0)}
            self._counted.update(counters)
        if exit_code == KILLED and "memory" not in met:
            # The engine hears of the end of a container a little later.
            await asyncio.sleep(0.2)
            state = await self.call(self.client.api.inspect_container, self.name)
            if not state["State"]["Running"]:
                raise SandboxError(f"The sandbox {self.name} was ended from outside.")
        return tuple(name for name in LIMITS if name in met)

    async def check_keeper(self) -> None:
        """Raise TakenOverError if process 1 has done anything since the first command."""
        if await self.call(was_woken, self.pid, self.container_id, self.sleeps):
            raise TakenOverError("Process 1 of the sandbox was taken over from inside.")

    async def _counters_inside(self) -> Counters | None:
        start = self.start(["sh", "-c", COUNTERS], cwd=PurePosixPath("/"), env={}, stdin=False)
        with contextlib.suppress(SandboxError, TimeoutError):
            async with asyncio.timeout(_ASKING), start as (_, stream):
                await stream.talk(b"")
                return told(bytes(stream.stdout).decode(errors="replace").splitlines())
        return None

    async def _kill_all(self) -> bool:
        """Kill every process once; tell whether none is left."""
        # Listened to, though it says nothing: Podman does not tell of others when they end.
        start = self.start(_KILL_ALL, cwd=PurePosixPath("/"), env={}, stdin=False)
        async with start as (exec_id, stream):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILLING):
                    await stream.talk(b"")
        for _ in range(_KILL_ATTEMPTS):
            record = await self.state(exec_id)
            if not record["Running"]:
                return bool(record["ExitCode"] == 0)
            await asyncio.sleep(0.1)
        return False

    async def _until_disk_is_full(self) -> None:
        pause = 1.0
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            if await self.call(self._bytes_written) > self.limits.disk_bytes:
                return
            # The engine walks the whole layer for this: let it rest in between.
            pause = max(1.0, 10 * (time.monotonic() - began))

    def _bytes_written(self) -> int:
        found = self.client.api.containers(filters={"id": self.container_id}, size=True)
        return int(found[0].get("SizeRw", 0)) if found else 0


def _says_too_large(said: bytes) -> bool:
    return any(part in said for part in _PARTS) and _TOO_LARGE.search(said) is not None
