"""What every request has to pass and every answer to carry.

Only reading is possible. On loopback the Host header must name this machine, so that no page of
another site can read the answers through a name of its own (DNS rebinding). Elsewhere, or where
one is set, a token is asked for, once: it moves from the address into a cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SHORTEST_TOKEN = 16
"""Characters of a token that somebody chooses."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere and nothing inline: text taken for markup would still not run."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "private, no-cache",
}


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, token: str | None, only_loopback: bool) -> None:
        self._app = app
        self._token = token
        self._only_loopback = only_loopback
        # Cookies do not tell ports apart: two views on one machine must not take each other's.
        self._cookie = f"ksolve_view_{secrets.token_hex(4)}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that must not pass."""
        headers = Headers(scope=scope)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse(
                "ksolve view shows runs and changes nothing.\n",
                HTTPStatus.METHOD_NOT_ALLOWED,
                {"allow": "GET, HEAD"},
            )
        if self._only_loopback and not is_loopback(host_of(headers.get("host", ""))):
            return PlainTextResponse(
                "This address is not one of this machine: open the one that `ksolve view` "
                "printed.\n",
                HTTPStatus.MISDIRECTED_REQUEST,
            )
        return None if self._token is None else self._unknown(scope, headers, self._token)

    def _unknown(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        """Return the answer to a visitor who has no token, or brings it in the address."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in pairs if name == "token"]
        if given and _same(given[-1], token):
            rest = urlencode([pair for pair in pairs if pair[0] != "token"])
            # One slash: two would lead to another machine.
            path = "/" + quote(scope["path"].lstrip("/"), safe="/")
            answer = RedirectResponse(path + (f"?{rest}" if rest else ""), HTTPStatus.SEE_OTHER)
            # Its digest: a token may hold what a cookie cannot.
            answer.set_cookie(
                self._cookie, _digest(token), httponly=True, samesite="strict", path="/"
            )
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        if _same(bearer, token) or _same(cookie, _digest(token)):
            return None
        return PlainTextResponse(
            "Open the whole address that `ksolve view` printed: it holds the token.\n",
            HTTPStatus.UNAUTHORIZED,
            {"www-authenticate": "Bearer"},
        )


def host_of(header: str) -> str:
    """Return the host of a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if ":" in header else header


def is_loopback(host: str) -> bool:
    """Whether a name or an address can only mean this machine."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _same(given: str, token: str) -> bool:
    """Compare in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), token.encode())
