"""The byte stream of one command in a container: standard input out, both outputs in.

The engine hands over the raw connection of `POST /exec/<id>/start` ("hijacking"), which carries
output as frames of an 8-byte header (kind, three zeros, length) and a payload. It is read here
with asyncio rather than through the docker package, whose buffered socket can swallow the first
frames and would need a thread for as long as the command runs.
Source: Docker Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Iterator

from sandbox.connection import Wire
from sandbox.sandbox import HostDownError, SandboxError
from sandbox.tls import open_tls

_HEADER = struct.Struct(">BxxxL")
STDERR = 2
_PIECE = 64 * 1024
_PATIENCE = 120.0
# Seconds until the engine must have answered.


class Output:
    """What was written to one output: when it is too long, its beginning and its end.

    Never more than `limit` bytes are returned, nor many more held.
    """

    def __init__(self, limit: int) -> None:
        self.truncated = False
        self._head = bytearray()
        self._tail = bytearray()
        self._head_room = limit - limit // 2
        self._tail_room = limit // 2

    def add(self, piece: bytes) -> None:
        """Take what came next."""
        room = self._head_room - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:]
        if len(self._tail) > self._tail_room:
            self.truncated = True
            # Not at every piece: moving the end to the front takes its time.
            if len(self._tail) > 2 * self._tail_room:
                self._trim()

    def __bytes__(self) -> bytes:
        if len(self._tail) > self._tail_room:
            self._trim()
        return bytes(self._head + self._tail)

    def _trim(self) -> None:
        del self._tail[: len(self._tail) - self._tail_room]


class ExecStream:
    """What one command has written so far, the middle of what is longer than `limit` left out."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int
    ) -> None:
        self.stdout = Output(limit)
        self.stderr = Output(limit)
        self.received = 0
        # Bytes read, kept or not.
        self._reader = reader
        self._writer = writer
        self._kind = self._left = 0
        # Of the frame that is being read: its output, and its bytes to come.

    @property
    def truncated(self) -> bool:
        """Whether something was left out."""
        return self.stdout.truncated or self.stderr.truncated

    async def talk(self, stdin: bytes) -> None:
        """Send `stdin` and close it, and read until the other side closes both outputs."""
        feeding = asyncio.create_task(self._feed(stdin))
        try:
            while True:
                kind, piece = await self.receive()
                if not piece:
                    return
                self.received += len(piece)
                (self.stderr if kind == STDERR else self.stdout).add(piece)
        finally:
            feeding.cancel()

    async def send(self, data: bytes) -> None:
        """Send some of the input, for who does not `talk`; it may find nobody who reads it."""
        with contextlib.suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def receive(self) -> tuple[int, bytes]:
        """Return on which output something came, and what; nothing when both are closed."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while not self._left:
                header = await self._reader.readexactly(_HEADER.size)
                self._kind, self._left = _HEADER.unpack(header)
            piece = await self._reader.read(min(self._left, _PIECE))
            self._left -= len(piece)
            return self._kind, piece
        return 0, b""

    async def _feed(self, stdin: bytes) -> None:
        await self.send(stdin)
        # A command may end without reading its input.
        with contextlib.suppress(OSError):
            self._writer.write_eof()


@contextlib.asynccontextmanager
async def start_exec(
    wire: Wire, api_version: str, exec_id: str, limit: int
) -> AsyncIterator[ExecStream]:
    """Start a command made by `exec_create`. Raises SandboxError."""
    with _connection_errors(wire):
        reader, writer = await _connect(wire)
    try:
        with _connection_errors(wire):
            await _upgrade(reader, writer, f"/v{api_version}/exec/{exec_id}/start")
        yield ExecStream(reader, writer, limit)
    finally:
        # Not `close`, which would first send input that nobody reads any more.
        writer.transport.abort()


@contextlib.contextmanager
def _connection_errors(wire: Wire) -> Iterator[None]:
    try:
        yield
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise HostDownError(
            f"The engine at {wire.name} broke off the connection: run `ksolve doctor`."
        ) from error


async def _connect(wire: Wire) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if wire.path:
        return await asyncio.open_unix_connection(wire.path)
    if wire.tls is not None:
        return await open_tls(wire.host, wire.port, wire.tls)
    return await asyncio.open_connection(wire.host, wire.port)


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    body = b'{"Detach": false, "Tty": false}'
    head = (
        f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    )
    writer.write(head.encode() + body)
    async with asyncio.timeout(_PATIENCE):
        answer = await reader.readuntil(b"\r\n\r\n")
        if int(answer.split(maxsplit=2)[1]) not in (101, 200):
            why = (await reader.read(_PIECE)).decode(errors="replace").strip()
            raise SandboxError(f"The engine did not start a command: {why}")
