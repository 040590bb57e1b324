"""Writes what a sweep draws and judges, many at once where many come at once.

A call returns when what it was given is durable. While one batch is being written the next one
gathers, so a lone sample waits for nobody and a thousand in a row share a few transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from eval.sample import Judged, Sample
from eval.store import Store


class Recorder:
    """The writing side of a store. Used as `async with Recorder(store) as recorder`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Sample | Judged, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Do nothing."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait until all that was given is written, also what nobody waits for any more."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def add(self, record: Sample | Judged) -> None:
        """Keep a sample, or a verdict on one. Raises StoreError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(_add, self._store, [record for record, _ in batch])
            except Exception as error:  # noqa: BLE001 - raised by those who wait for it
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)


def _add(store: Store, records: Sequence[Sample | Judged]) -> None:
    store.add_samples([record for record in records if isinstance(record, Sample)])
    store.add_verdicts([record for record in records if isinstance(record, Judged)])
