"""Server-sent events: what changed in a run, as it changes, until somebody goes away.

A look at the run costs next to nothing while nothing changes; a message holds only what is new to
the page that reads it. A page that was made at another moment is first told everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Iterator
from http import HTTPStatus
from typing import Any

from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ksolve.view import figures
from ksolve.view.rundb import UnreadableError
from ksolve.view.standing import Standing
from ksolve.view.watch import Watch

EVERY = 0.5
"""Seconds between two looks."""

HEARTBEAT = 15.0
"""Seconds of silence after which a line says that the server is still there."""


STREAMS = 64
"""Streams at one time: each is a page that somebody has open, and looks at a run all the time."""

_PAUSE = 10
# Seconds after which one who was refused may ask again.


class Streams:
    """Answers with streams, of which there may be so many at one time."""

    def __init__(self, stopping: asyncio.Event, most: int = STREAMS) -> None:
        self._stopping = stopping
        self._most = most
        self._open = 0

    def answer(self, watch: Watch, moment: str) -> Response:
        """Return a stream of what happens in a run, or a refusal where there are too many."""
        if self._open >= self._most:
            return PlainTextResponse(
                f"{self._most} pages of runs are followed already: close some, or reload this one "
                "to see it as it is now.\n",
                HTTPStatus.SERVICE_UNAVAILABLE,
                {"retry-after": str(_PAUSE)},
            )
        return _Counted(self, events(watch, moment, self._stopping))

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Take the place of one stream."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


class _Counted(StreamingResponse):
    """A stream that has its place until whoever reads it goes away."""

    def __init__(self, streams: Streams, messages: AsyncGenerator[str, None]) -> None:
        super().__init__(messages, media_type="text/event-stream")
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Between the answer and this nobody else has his turn.
        with self._streams.counted():
            await super().__call__(scope, receive, send)


async def events(watch: Watch, moment: str, stopping: asyncio.Event) -> AsyncGenerator[str, None]:
    """Yield what happens in a run since `moment`, which a page was made at.

    Where another run is put in its place, that is said instead, since the page is of another shape.
    """
    yield "retry: 2000\n\n"
    origin = moment.partition(".")[0]
    before: Standing | None = None
    gone = ""
    told = time.monotonic()
    while not stopping.is_set():
        message = ""
        try:
            at = await asyncio.to_thread(watch.now)
        except UnreadableError as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE and str(error) != gone:
                # It may come back: a sweep that is begun anew takes its folder away first.
                gone = str(error)
                message = _event("gone", "", {"said": gone})
        else:
            origin = origin or at.origin
            if at.origin != origin:
                yield _event("other", "", {})
                return
            if before is None and at.moment == moment and not gone:
                before = at
            if at is not before or gone:
                said = await asyncio.to_thread(news, before, at)
                message = _event("standing", at.moment, said)
                before, gone = at, ""
        if not message and time.monotonic() - told > HEARTBEAT:
            message = ": still here\n\n"
        if message:
            yield message
            told = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), EVERY)


def news(before: Standing | None, at: Standing) -> dict[str, Any]:
    """Return what a page must be told: texts, values of bars and cells, by name."""
    texts = dict(figures.facts(at))
    for arm, solver in enumerate(figures.solvers(at)):
        texts |= {f"{name}.{arm}": value for name, value in solver.items()}
    known = figures.cells(before) if before is not None else {}
    cells = {name: value for name, value in figures.cells(at).items() if known.get(name) != value}
    return {
        "state": at.state,
        "texts": texts,
        "values": figures.progress(at),
        "cells": cells,
        "chart": before is None or int(at.judged.sum()) != int(before.judged.sum()),
    }


def _event(name: str, moment: str, data: dict[str, Any]) -> str:
    # JSON has no raw line breaks, which would end a field.
    mark = f"id: {moment}\n" if moment else ""
    return f"event: {name}\n{mark}data: {json.dumps(data)}\n\n"
