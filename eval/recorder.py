"""What a sweep asks of its store, many at once where many ask at once.

While one call of the store is under way the next one gathers, so a lone sample waits for nobody
and a thousand in a row share a few transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from eval.sample import Judged, Sample, SampleKey
from eval.store import Store
from eval.verdict import Verdict

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Recorder:
    """The store of a run. Used as `async with Recorder(store) as recorder`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._adding = _Gathered(self._add)
        self._fetching = _Gathered(self._fetch)
        self._looking_up = _Gathered(self._look_up)

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
        for gathered in (self._adding, self._fetching, self._looking_up):
            await gathered.finish()

    async def add(self, record: Sample | Judged) -> None:
        """Keep a sample, or a verdict on one; it is durable on return. Raises StoreError."""
        await self._adding.ask(record)

    async def patch(self, key: SampleKey) -> str:
        """Return the patch of a sample, as the strategy gave it. Raises StoreError."""
        return await self._fetching.ask(key)

    async def verdict(self, verdict_key: str) -> Verdict | None:
        """Return the verdict kept under a key, without its log. Raises StoreError."""
        return await self._looking_up.ask(verdict_key)

    def _add(self, records: Sequence[Sample | Judged]) -> Sequence[None]:
        self._store.add_samples([record for record in records if isinstance(record, Sample)])
        self._store.add_verdicts([record for record in records if isinstance(record, Judged)])
        return [None] * len(records)

    def _fetch(self, keys: Sequence[SampleKey]) -> Sequence[str]:
        found = self._store.patches(keys)
        return [found[key] for key in keys]

    def _look_up(self, keys: Sequence[str]) -> Sequence[Verdict | None]:
        known = self._store.verdicts(keys)
        return [known.get(key) for key in keys]


class _Gathered(Generic[Asked, Answer]):
    """Answers many with one call, made in a thread, one call at a time."""

    def __init__(self, call: Callable[[Sequence[Asked]], Sequence[Answer]]) -> None:
        """Answer with `call`, which gives an answer for each that asked, in their order."""
        self._call = call
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._calling: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Answer:
        """Wait for an answer, or for the error of the call that was to give it."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._answer())
        return await answer

    async def finish(self) -> None:
        """Wait until all is answered."""
        if self._calling is not None:
            await asyncio.wait([self._calling])

    async def _answer(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                answers = await asyncio.to_thread(self._call, [asked for asked, _ in batch])
            except Exception as error:  # noqa: BLE001 - raised by those who wait for it
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for (_, waiting), answer in zip(batch, answers, strict=True):
                    if not waiting.done():
                        waiting.set_result(answer)
