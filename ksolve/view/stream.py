"""Server-sent events: what changed in a run, as it changes, until somebody goes away.

A look at the run costs next to nothing while nothing changes; a message holds only what is new to
the page that reads it. A page that was made at another moment is first told everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any

from ksolve.view import figures
from ksolve.view.rundb import UnreadableError
from ksolve.view.standing import Standing
from ksolve.view.watch import Watch

EVERY = 0.5
"""Seconds between two looks."""

HEARTBEAT = 15.0
"""Seconds of silence after which a line says that the server is still there."""


async def events(watch: Watch, moment: str, stopping: asyncio.Event) -> AsyncGenerator[str, None]:
    """Yield what happens in a run since `moment`, which a page was made at."""
    yield "retry: 2000\n\n"
    before: Standing | None = None
    told = time.monotonic()
    while not stopping.is_set():
        try:
            at = await asyncio.to_thread(watch.now)
        except UnreadableError as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                yield _event("gone", "", {"said": str(error)})
                return
        else:
            if before is None and at.moment == moment:
                before = at
            if at is not before:
                said = await asyncio.to_thread(news, before, at)
                yield _event("standing", at.moment, said)
                before, told = at, time.monotonic()
        if time.monotonic() - told > HEARTBEAT:
            yield ": still here\n\n"
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
