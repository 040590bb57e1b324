"""The backend of a model behind an endpoint: what it accepts is learnt, what it bills is booked.

The SDK's own retries are off; `retry` beside this file decides what is sent again, `faults` what a
failure means, `learning` what a refusal teaches. How requests and answers look is the business of
a `Wire`. The API key is sent to the endpoint and never stored, logged or put into a message.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import tenacity

from agent.backend import (
    BackendError,
    BackendUnusableError,
    Book,
    Completion,
    ContextOverflowError,
    Message,
    Sampling,
    Tool,
    ToolsRefusedError,
    Usage,
    no_book,
)
from agent.endpoint import answers
from agent.endpoint.attempt import Attempt, NotTakenError, Timing
from agent.endpoint.estimate import estimate_prompt
from agent.endpoint.faults import Endpoint, RefusedError, WithheldError, window_told
from agent.endpoint.learning import (
    Lesson,
    NoToolsError,
    RequiredSettingError,
    learnt_from,
    learnt_from_answer,
)
from agent.endpoint.ledger import Ledger
from agent.endpoint.meter import BusyMeter, Share
from agent.endpoint.profile import ModelProfile, profile_from_json, profile_to_json, unavailable
from agent.endpoint.retry import TransientError, retrying
from agent.endpoint.turns import unique_ids
from agent.endpoint.wanted import Taken, Wanted
from agent.endpoint.wire import Answer, Asked, Request, Wire
from agent.price import UNKNOWN, Price

CONNECT_TIMEOUT = 5.0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# Forms in which one request is tried.
_MOST_FORMS = 16


class EndpointBackend:
    """A Backend over HTTP. Where it serves `accelerator`, each request is metered by its share."""

    def __init__(
        self,
        *,
        name: str,
        endpoint: Endpoint,
        wires: Mapping[str, Wire],
        profile: ModelProfile,
        in_flight: int,
        context_window: int | None = None,
        thinks: bool = False,
        accelerator: bool = False,
        is_known: bool = False,
        price: Price = UNKNOWN,
        timing: Timing | None = None,
    ) -> None:
        """`wires` are by the `api` of a profile; `is_known` says that there is nothing to learn.

        `accelerator`: the server is the user's own, so its busy time is what costs. `thinks` says
        that the model is known to, before any answer shows it..
        """
        self._name = name
        self._endpoint = endpoint
        self._wires = wires
        self._profile = profile
        self._in_flight = in_flight
        self._window = context_window
        self._thinks = thinks
        self._accelerator = accelerator
        self._ledger = Ledger(price)
        self._timing = timing or Timing()
        self._meter = BusyMeter()
        self._slots = asyncio.Semaphore(in_flight)
        self._first = asyncio.Lock()
        self._is_known = is_known
        self._taken = Taken()
        self._answered = False
        # Refusals that nothing helped against, by their words.
        self._hopeless: set[str] = set()

    @property
    def name(self) -> str:
        """The model name as the user gave it."""
        return self._name

    @property
    def in_flight(self) -> int:
        """How many requests are sent at once; more wait for their turn."""
        return self._in_flight

    @property
    def context_window(self) -> int:
        """Tokens of prompt and answer: as told or given, else a guess."""
        return answers.context_window(self._window, self._profile, thinks=self._is_thinking)

    @property
    def answer_tokens(self) -> int:
        """Output tokens of an answer for which no limit is asked."""
        window = self.context_window
        return answers.answer_tokens(window, self._profile, thinks=self._is_thinking)

    @property
    def uses_processor(self) -> bool:
        """No: what computes is not known to be here."""
        return False

    @property
    def profile(self) -> ModelProfile:
        """What was learnt about the model."""
        return self._profile

    def memory(self) -> str:
        """Return all that was seen of the model, as text for `recall`."""
        return json.dumps([profile_to_json(self._profile), self._ledger.memory()])

    def recall(self, memory: str) -> None:
        """Go on from what was seen in an earlier session."""
        profile, seen = json.loads(memory)
        self._profile = profile_from_json(profile)
        self._ledger.recall(seen)

    @property
    def _is_thinking(self) -> bool:
        return self._thinks or self._profile.thinks

    async def __aenter__(self) -> Self:
        """Do nothing: the first request tells what there is to know."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing."""

    async def count_tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Estimate high."""
        return estimate_prompt(messages, tools)

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        """Draw one completion. What failed attempts used is in its usage, or in the error's."""
        self._refuse_impossible(sampling, tools)
        spent: list[Usage] = []

        def booked(usage: Usage) -> None:
            spent.append(usage)
            book(usage)

        limit = sampling.max_tokens or self.answer_tokens
        wanted = Wanted(messages=messages, sampling=sampling, tools=tools, book=booked, limit=limit)
        async with self._slots, AsyncExitStack() as alone:
            try:
                # The first request of its shape goes alone, with all its retries, until it is
                # taken: so a refusal is met once.
                if not self._is_known and wanted not in self._taken:
                    await alone.enter_async_context(self._first)
                    if wanted in self._taken:
                        await alone.aclose()
                    self._refuse_impossible(sampling, tools)
                got: tuple[Answer, Request] = await self._retrying()(self._ask, wanted, alone)
                answer, request = got
            except WithheldError:
                return Completion(text="", stop="content_filter", usage=sum(spent, Usage()))
            except BackendError as error:
                final = await self._explained(error, len(spent))
                final.usage = sum(spent, Usage())
                raise final from None
        calls = unique_ids(answer.tool_calls, messages)
        return answer.completion(calls, sum(spent, Usage()), request.settings)

    def _refuse_impossible(self, sampling: Sampling, tools: Sequence[Tool]) -> None:
        """Raise BackendError for what is known not to be had, before anything is sent."""
        if tools and not self._profile.tools:
            raise ToolsRefusedError(f"{self._name}: it takes no tools.")
        takes = self._wires[self._profile.api].takes
        if why := unavailable(sampling, self._profile, takes):
            raise BackendUnusableError(f"{self._name}: {why}.", bad_input=True)

    async def _ask(self, wanted: Wanted, alone: AsyncExitStack) -> tuple[Answer, Request]:
        """Ask in the form that the model is known to take; learn from refusals until one is taken.

        What was learnt counts once a request that heeds it was taken, which closes `alone`.
        """
        known = self._profile
        profile = wanted.profile or known
        limit = wanted.limit
        if self._profile.context_window and "max_tokens" not in wanted.sampling.required:
            limit = min(limit, self._profile.context_window // 4)
        has_repeated = False
        for _ in range(_MOST_FORMS):
            most = min(limit, profile.most_output_tokens or limit)
            asked = Asked(
                messages=wanted.messages, sampling=wanted.sampling, tools=wanted.tools, limit=most
            )
            wire = self._wires[profile.api]
            request = wire.request(asked, profile)
            attempt = Attempt(asked, request, wire, self._endpoint, self._timing)

            async def taken(
                profile: ModelProfile = profile,
                known: ModelProfile = known,
                request: Request = request,
            ) -> None:
                self._taken.add(wanted, request)
                # What another request has learnt meanwhile is not undone.
                if self._profile is known:
                    self._profile = profile
                await alone.aclose()

            try:
                answer = await self._booked(attempt, taken, wanted.book)
            except NotTakenError as refused:
                if profile is known and self._profile is not known:
                    # Another request has learnt it meanwhile.
                    profile = known = self._profile
                elif isinstance(refused.fault, ContextOverflowError):
                    profile, limit = self._shorter(refused, profile, asked)
                else:
                    lesson = await self._learn(refused, attempt, profile, wanted.book)
                    if lesson.is_guess and not has_repeated:
                        # Not every such refusal is about the request: some are a relay's hiccup.
                        has_repeated = True
                    else:
                        profile = lesson.profile
                wanted.profile = profile
                continue
            return answer, request
        raise BackendError(f"{self._name}: no form of the request was taken.")

    async def _is_about_tools(self, asked: Asked, book: Book) -> bool:
        """Whether the endpoint takes the same request without tools."""
        asked = dataclasses.replace(asked, tools=())
        wire = self._wires[self._profile.api]
        request = wire.request(asked, self._profile)
        attempt = Attempt(asked, request, wire, self._endpoint, self._timing)

        try:
            # Nobody may go on by this: what is taken is not what was asked for.
            await self._booked(attempt, AsyncExitStack().aclose, book)
        except NotTakenError:
            return False
        return True

    async def _learn(
        self, refused: NotTakenError, attempt: Attempt, profile: ModelProfile, book: Book
    ) -> Lesson:
        """Return what a refusal teaches. Raises BackendError where that is nothing."""
        refusal, fault = refused.refusal, refused.fault
        asked, request = attempt.asked, attempt.request
        if refusal.said in self._hopeless:
            raise fault
        try:
            lesson = learnt_from(refusal, profile, asked, request, proven=self._taken.fields)
        except RequiredSettingError as error:
            raise BackendUnusableError(f"{self._name}: {error}.", bad_input=True) from None
        except NoToolsError as error:
            if not error.is_named and (
                self._taken.has_tools or not await self._is_about_tools(asked, book)
            ):
                self._hopeless.add(refusal.said)
                raise fault from None
            note = f"Actions are asked for in fenced blocks: {error}."
            # Where nothing was named, what was tried on the way helped nothing either.
            heeded = profile if error.is_named else self._profile
            self._profile = heeded.learnt(note, tools=False)
            raise ToolsRefusedError(f"{self._name}: {error}.") from None
        if lesson is None:
            if isinstance(fault, RefusedError):
                self._hopeless.add(refusal.said)
            raise fault
        return lesson

    def _shorter(
        self, refused: NotTakenError, profile: ModelProfile, asked: Asked
    ) -> tuple[ModelProfile, int]:
        """Learn the window from an overflow, and leave a shorter answer its place in it."""
        told = window_told(refused.refusal.message)
        if told and told < self.context_window:
            note = f"The context window is {told:,} tokens ({refused.refusal.said})."
            self._profile = self._profile.learnt(note, context_window=told)
            profile = profile.learnt(note, context_window=told)
        shorter = min(asked.limit // 2, (told or asked.limit) // 4)
        if not told:
            # What fits cannot be known, so that later answers are as short.
            note = f"Answers have at most {shorter:,} tokens ({refused.refusal.said})."
            profile = profile.learnt(note, most_output_tokens=shorter)
        if "max_tokens" in asked.sampling.required:
            raise ContextOverflowError(
                f"{str(refused.fault)[:-1]}: lower --max-tokens, which is {asked.limit}."
            )
        if shorter < answers.SMALL_ANSWER // 4:
            if not told:
                # The prompt alone is too long, by the endpoint's own count.
                window = estimate_prompt(asked.messages, asked.tools) * 3 // 4
                note = (
                    f"The context window is taken for {window:,} tokens ({refused.refusal.said})."
                )
                self._profile = self._profile.learnt(note, context_window=window)
            raise refused.fault
        return profile, shorter

    async def _booked(
        self, attempt: Attempt, taken: Callable[[], Awaitable[None]], book: Book
    ) -> Answer:
        """Send once, and book the time it took and the tokens that it was or may be billed."""
        used, share = Usage(), Share()
        started, sent = time.monotonic(), dt.datetime.now(dt.UTC)
        try:
            with self._meter.request() as share:
                answer = await attempt.answer(taken)
            is_streamed = bool(attempt.request.body.get("stream"))
            self._profile = learnt_from_answer(answer, self._profile, is_streamed=is_streamed)
            if answer.fault:
                attempt.told = answer if answer.tokens or answer.bill else None
                broken_off = TransientError(f"{self._name}: {answer.fault}", lost=True)
                raise broken_off
            used = self._ledger.answered(answer, attempt.asked, sent)
        except TransientError as error:
            if error.lost and attempt.told is not None:
                used = self._ledger.answered(attempt.told, attempt.asked, sent)
            elif error.lost:
                received = len(attempt.received)
                used = self._ledger.lost(
                    attempt.asked, sent, received=received, told=error.at_least
                )
            raise
        except WithheldError:
            used = self._ledger.withheld(attempt.asked, sent)
            raise
        except asyncio.CancelledError:
            if attempt.is_sent:
                used = self._ledger.lost(attempt.asked, sent, received=len(attempt.received))
            raise
        finally:
            self._answered |= attempt.has_reached
            book(
                dataclasses.replace(
                    used,
                    calls=1,
                    seconds=time.monotonic() - started,
                    accelerator_seconds=share.seconds if self._accelerator else 0.0,
                )
            )
        return answer

    async def _explained(self, error: BackendError, attempts: int = 0) -> BackendError:
        """Turn the last error of a request into the sentence that the user reads."""
        tries = f" in {attempts} attempts" if attempts > 1 else ""
        if isinstance(error, TransientError) and error.unreached:
            return BackendUnusableError(
                f"{error}{tries}: check that it is running and that the address is right."
            )
        if isinstance(error, TransientError):
            return BackendError(f"{error}{tries}.")
        return error

    def _retrying(self, *, briefly: bool = False) -> tenacity.AsyncRetrying:
        def patience(error: TransientError) -> float:
            is_there = (self._answered or not error.unreached) and not briefly
            timing = self._timing
            return timing.patience if is_there else min(timing.reach_patience, timing.patience)

        return retrying(first_wait=self._timing.first_wait, patience=patience)
