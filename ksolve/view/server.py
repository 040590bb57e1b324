"""The life of `ksolve view`: a port that is free, a server on it, an end at once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sys
from collections.abc import Callable, Iterable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from ksolve.errors import InputError
from ksolve.view.stream import STREAMS

PORTS = range(8765, 8785)
"""Where no port is asked for, the first of these that is free."""

CONNECTIONS = 8 * STREAMS
"""At one time; whoever comes beyond them is answered that the service is unavailable. Browsers hold
some that are idle."""

_BACKLOG = 128


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens; raises InputError where there can be none."""
    for candidate in PORTS if port is None else (port,):
        try:
            return _bound(host, candidate)
        except UnicodeError:
            raise InputError(f"{host!r} is no name of a machine: give another --host.") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise InputError(
                f"ksolve view cannot listen on {host}, port {candidate}: {error.strerror or error}."
            ) from None
    if port is None:
        raise InputError(
            f"The ports from {PORTS[0]} to {PORTS[-1]} are all taken: give a free one as --port."
        )
    raise InputError(f"Port {port} is taken: give another --port, or 0 for any that is free.")


def serve(application: Callable[[asyncio.Event], ASGIApp], listening: socket.socket) -> None:
    """Answer requests until Ctrl-C, which ends the open streams and this process too.

    Threads may then be counting a large run or reading a dataset. They have nothing to lose, and
    it would take seconds to wait for them.
    """
    asyncio.run(_serve(application, [listening]))


async def _serve(
    application: Callable[[asyncio.Event], ASGIApp], sockets: Iterable[socket.socket]
) -> None:
    stopping = asyncio.Event()
    config = uvicorn.Config(
        application(stopping),
        access_log=False,  # addresses may hold the token
        log_level="warning",
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        await _Server(config, stopping).serve(sockets=list(sockets))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _Server(uvicorn.Server):
    """Tells streams that the end has come: it would wait for them, and they do not end."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._stopping.set()


def _bound(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
