"""The application: its addresses, put together from pages, stream and files of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ksolve.view.folders import Runs
from ksolve.view.guard import Guard
from ksolve.view.pages import Pages, not_found, unreadable
from ksolve.view.rundb import UnreadableError
from ksolve.view.stream import Streams

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASSETS = {
    "style.css": files("ksolve.pages"),
    "chart.css": files("ksolve.pages"),
    "tables.js": files("ksolve.pages"),
    "view.css": files("ksolve.view") / "static",
    "view.js": files("ksolve.view") / "static",
    "icon.svg": files("ksolve.view") / "static",
}
"""Files that pages refer to, by name, and where they lie."""


def application(
    places: Sequence[Path],
    *,
    token: str | None = None,
    only_loopback: bool = True,
    stopping: asyncio.Event | None = None,
) -> ASGIApp:
    """Return the application over the runs in these folders.

    `token` is asked for where one is given; with `only_loopback` the Host header must name this
    machine. Streams end when `stopping` is set.
    """
    runs = Runs(places)
    pages = Pages(runs)
    streams = Streams(stopping or asyncio.Event())

    async def stream(request: Request) -> Response:
        watch = await asyncio.to_thread(runs.watch, request.path_params["run"])
        since = request.headers.get("last-event-id") or request.query_params.get("since", "")
        return streams.answer(watch, since)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        # Counted while somebody still opens the browser; nobody waits for it at the end.
        threading.Thread(target=runs.count, daemon=True).start()
        yield
        runs.close()

    sample = "/run/{run}/issue/{issue}/sample/{arm}/{index}"
    app = Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/run/{run}", pages.run),
            Route("/run/{run}/chart", pages.chart),
            Route("/run/{run}/events", stream),
            Route("/run/{run}/issue/{issue}", pages.issue),
            Route("/run/{run}/issue/{issue}/compare", pages.compare),
            Route(sample, pages.sample),
            Route(f"{sample}/patch", pages.raw_patch),
            Route(f"{sample}/log", pages.raw_log),
            Route(f"{sample}/turn/{{turn}}", pages.raw_turn),
            Route("/static/{name}", _asset),
        ],
        exception_handlers={UnreadableError: unreadable, 404: not_found},
        lifespan=life,
    )
    return Guard(app, token=token, only_loopback=only_loopback)


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        return not_found(request, KeyError(name))
    content = (_ASSETS[name] / name).read_bytes()
    return Response(content, media_type=_KINDS[Path(name).suffix])
