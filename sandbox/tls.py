"""TLS streams of asyncio of which one side can be closed, as an engine wants it for a command.

asyncio's own cannot (`StreamWriter.can_write_eof`): they close both sides at once. Here the
closing message is sent alone, after which the other side may go on (RFC 8446, section 6.1).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

_PIECE = 64 * 1024


class _Tls(asyncio.StreamReaderProtocol):
    """The far end of a connection: takes what comes encrypted, and hands it on in the clear."""

    def __init__(
        self, reader: asyncio.StreamReader, context: ssl.SSLContext, server_name: str
    ) -> None:
        super().__init__(reader)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._plain = reader
        self._wire: asyncio.Transport | None = None
        self.shaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        self._advance()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.shaken.done():
            self.shaken.set_exception(exc or ConnectionResetError("the connection was closed"))
        super().connection_lost(exc)

    def send(self, data: bytes) -> None:
        """Send something."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        self._flush()

    def send_end(self) -> None:
        """Say that nothing more is sent."""
        # All that came was read before: else what is left would be taken for a fault here.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def _advance(self) -> None:
        try:
            if not self.shaken.done():
                self._tls.do_handshake()
                self.shaken.set_result(None)
            while piece := self._tls.read(_PIECE):
                self._plain.feed_data(piece)
            self._plain.feed_eof()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            if not self.shaken.done():
                self.shaken.set_exception(error)
            self._plain.feed_eof()
        self._flush()

    def _flush(self) -> None:
        if self._wire is not None and self._outgoing.pending:
            self._wire.write(self._outgoing.read())


class TlsWriter(asyncio.StreamWriter):
    """Writes through TLS, and can close its own side alone."""

    def __init__(
        self,
        transport: asyncio.Transport,
        protocol: _Tls,
        reader: asyncio.StreamReader,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(transport, protocol, reader, loop)
        self._tls = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send something."""
        self._tls.send(bytes(data))

    def write_eof(self) -> None:
        """Say that nothing more is sent; what comes is read all the same."""
        self._tls.send_end()

    def can_write_eof(self) -> bool:
        """Return True."""
        return True


async def open_tls(
    host: str, port: int, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, TlsWriter]:
    """Connect. Raises OSError, of which ssl.SSLError is one."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    transport, protocol = await loop.create_connection(
        lambda: _Tls(reader, context, host), host, port
    )
    try:
        await protocol.shaken
    except BaseException:
        transport.abort()
        raise
    return reader, TlsWriter(transport, protocol, reader, loop)
