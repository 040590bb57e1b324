"""A real HTTP server on loopback that answers like an OpenAI-compatible endpoint, as told.

It runs in threads of its own, so that synchronous tests and other processes can ask it too.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

WORDS = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}


def completion(
    text: str | None = "done",
    *,
    finish: str | None = "stop",
    usage: Mapping[str, Any] | None = WORDS,
    **message: Any,
) -> dict[str, Any]:
    """Return the body of an answer; `usage=None` leaves the usage out."""
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": text, **message}, "finish_reason": finish}],
    }
    return body if usage is None else body | {"usage": usage}


def error(message: str, code: str | int | None = None) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"error": {"message": message, "type": "some_error", "param": None, "code": code}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What the server does with one request."""

    status: int = 200
    body: Any = field(default_factory=completion)
    # Bytes are sent as they are, anything else as JSON.
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    reset: bool = False
    # The connection is torn down instead of answered.
    cut: bool = False
    # The connection ends in the middle of the body.
    endless: bytes | None = None
    # Sent for ever in place of the body, a chunk at a time; b"" for headers and then silence.
    pieces: Sequence[bytes] = ()
    # Sent one after the other in place of the body, with a pause before each. What is `endless`
    # comes behind them, and what is `cut` lacks its end.
    pause: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]
    body: Any
    at: float

    @property
    def page(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Endpoint:
    """The server: `replies` are given in turn to completions, then `otherwise` for ever."""

    def __init__(
        self,
        *replies: Reply,
        otherwise: Reply | Callable[[Asked], Reply] = Reply(),
        models: list[dict[str, Any]] | None = None,
        listing: Sequence[Reply] = (),
        tokenize: Callable[[Any], Reply] | None = None,
        paths: Collection[str] = ("/v1/chat/completions",),
        port: int = 0,
    ) -> None:
        """`listing` is given in turn to requests for the models, before `models` is.

        `paths` are where completions are asked for.
        """
        self.replies = deque(replies)
        self.otherwise = otherwise
        self.models = models
        self.listing = deque(listing)
        self.tokenize = tokenize
        self.paths = frozenset(paths)
        self.asked: list[Asked] = []
        self.got_one = threading.Event()
        # Set when a request for a completion has come in.
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()

        serve = self._serve

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else an answer waits for the client's system to say that it has the head.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                serve(self)

            def do_POST(self) -> None:
                serve(self)

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The base URL that a client is given."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def completions(self) -> list[Asked]:
        """The requests for completions."""
        return [asked for asked in self.asked if asked.page in self.paths]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        if self._closing.is_set():
            handler.close_connection = True  # Kept alive longer than the server.
            return
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        asked = Asked(
            path=handler.path,
            headers={key.lower(): value for key, value in handler.headers.items()},
            body=json.loads(raw) if raw else None,
            at=time.monotonic(),
        )
        with self._lock:
            self.asked.append(asked)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            reply = self._reply(asked)
        try:
            self._closing.wait(reply.delay)
            self._send(handler, reply)
        except OSError:
            handler.close_connection = True  # The client hung up.
        finally:
            with self._lock:
                self.in_flight -= 1

    def _reply(self, asked: Asked) -> Reply:
        if asked.page in self.paths:
            self.got_one.set()
            if self.replies:
                return self.replies.popleft()
            return self.otherwise if isinstance(self.otherwise, Reply) else self.otherwise(asked)
        if asked.page == "/v1/models" and self.listing:
            return self.listing.popleft()
        if asked.page == "/v1/models" and self.models is not None:
            return Reply(body={"object": "list", "data": self.models})
        if asked.path == "/tokenize" and self.tokenize:
            return self.tokenize(asked.body)
        return Reply(status=404, body=error("no such page"))

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.reset:
            # With a linger of zero, closing sends a reset and no orderly end.
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
            handler.close_connection = True
            return
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        handler.send_response(reply.status)
        headers = {"Content-Type": "application/json", **reply.headers}
        for key, value in headers.items():
            handler.send_header(key, value)
        if reply.endless is not None and not reply.pieces:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            self._send_for_ever(handler, reply.endless)
            return
        if reply.pieces:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            self._send_pieces(handler, reply)
            return
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if reply.cut else body)
        handler.close_connection = handler.close_connection or reply.cut

    def _send_pieces(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        frames = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in filter(None, reply.pieces)]
        for frame in frames if reply.pause else [b"".join(frames)]:
            if self._closing.wait(reply.pause):
                handler.close_connection = True
                return
            handler.wfile.write(frame)
        if reply.endless is not None:
            self._send_for_ever(handler, reply.endless)
        elif reply.cut:
            handler.close_connection = True
        else:
            handler.wfile.write(b"0\r\n\r\n")

    def _send_for_ever(self, handler: BaseHTTPRequestHandler, chunk: bytes) -> None:
        handler.close_connection = True
        while not self._closing.wait(0.01):
            if chunk:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
