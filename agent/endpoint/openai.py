"""A model behind any OpenAI-compatible endpoint: one request a sample, its usage, its faults.

The SDK's own retries are off; `retry` beside this file decides what is sent again and `faults` what
a failure means. The API key is sent to the endpoint and never stored, logged or put into a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

import openai
import tenacity
from pydantic import ValidationError

from agent.backend import (
    BackendError,
    BackendUnusableError,
    Completion,
    Message,
    Sampling,
    Tool,
    Usage,
)
from agent.endpoint.answer import Answer, ServedModels, TokenCount, Tokens
from agent.endpoint.estimate import estimate_prompt, estimate_tokens
from agent.endpoint.faults import Endpoint, UnknownModelError, WithheldError
from agent.endpoint.meter import BusyMeter, Share
from agent.endpoint.request import COMMON, Dialect, wire_messages, wire_tools
from agent.endpoint.retry import TransientError, retrying

DEFAULT_CONTEXT_WINDOW = 32_768
CONNECT_TIMEOUT = 5.0
QUESTION_TIMEOUT = 15.0
# Seconds for what an endpoint answers without a model: its list of models, a token count.
NO_KEY = "none"
# What is sent where no key is needed; the SDK insists on one.
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
OFFERED = 8
# Models that a message lists.


class OpenAIBackend:
    """A Backend over HTTP. Where it serves `accelerator`, each request is metered by its share."""

    def __init__(
        self,
        *,
        name: str,
        model: str,
        base_url: str,
        api_key: str | None = None,
        key_variable: str = "the API key's variable",
        in_flight: int = 16,
        context_window: int | None = None,
        accelerator: bool = False,
        dialect: Dialect = COMMON,
        request_timeout: float = 600.0,
        patience: float = 300.0,
        reach_patience: float = 15.0,
        first_wait: float = 1.0,
    ) -> None:
        """`accelerator`: the server is the user's own, so its busy time is what costs.

        `request_timeout` is seconds for one attempt; `patience` seconds after the first failure of
        a request within which it may be sent again, `reach_patience` the same while the endpoint
        has never answered; `first_wait` is the first wait in seconds, doubled from then on.
        """
        self._name = name
        self._model = model
        self._in_flight = in_flight
        self._context_window = context_window
        self._accelerator = accelerator
        self._dialect = dialect
        self._request_timeout = request_timeout
        self._patience = patience
        self._reach_patience = reach_patience
        self._first_wait = first_wait
        self._endpoint = Endpoint(
            name=name, base_url=base_url, key_variable=key_variable, secret=api_key or ""
        )
        self._meter = BusyMeter()
        self._slots = asyncio.Semaphore(in_flight)
        self._answered = False
        self._tokenizer = False
        self._client = _client(base_url, api_key)

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
        """Tokens of prompt and answer: as the server lists it, else as given, else a guess."""
        return self._context_window or DEFAULT_CONTEXT_WINDOW

    @property
    def uses_processor(self) -> bool:
        """No: what computes is not known to be here."""
        return False

    async def __aenter__(self) -> Self:
        """Ask the server what it serves, where that is needed. Raises BackendUnusableError."""
        if self._accelerator or self._context_window is None:
            try:
                await self._discover()
            except BaseException:
                await self._client.close()
                raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._client.close()

    async def count_tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Count by the server's own tokenizer (vLLM), else estimate high. Raises BackendError.

        A tokenizer that is out of reach for a while is a failure, and no reason to estimate: the
        count decides what a prompt holds, which must not change with the weather.
        """
        if self._tokenizer:
            try:
                return cast("int", await self._retrying()(self._count, messages, tools))
            except (UnknownModelError, ValueError):
                self._tokenizer = False  # It looked like vLLM, but it is not.
            except (TransientError, BackendUnusableError) as error:
                raise await self._explained(error) from None
            except BackendError:
                pass  # It does not take this prompt.
        return estimate_prompt(messages, tools)

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool] = ()
    ) -> Completion:
        """Draw one completion. What failed attempts used is in its usage, or in the error's."""
        if sampling.temperature > self._dialect.highest_temperature:
            # Sent all the same, it would silently be lowered, and the record would be wrong.
            raise BackendUnusableError(
                f"{self._name}: temperature {sampling.temperature:g} is above the highest that "
                f"this endpoint takes: choose at most {self._dialect.highest_temperature:g}.",
                bad_input=True,
            )
        spent: list[Usage] = []
        async with self._slots:
            try:
                answer: Answer = await self._retrying()(
                    self._attempt, messages, sampling, tools, spent
                )
            except WithheldError:
                return Completion(text="", stop="content_filter", usage=sum(spent, Usage()))
            except BackendError as error:
                final = await self._explained(error, len(spent))
                final.usage = sum(spent, Usage())
                raise final from None
        return Completion(
            text=answer.text,
            stop=answer.stop,
            usage=sum(spent, Usage()),
            tool_calls=answer.tool_calls,
        )

    async def _attempt(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool],
        spent: list[Usage],
    ) -> Answer:
        """Send once, and book the time it took and the tokens that it was or may be billed."""
        tokens = Usage()
        share = Share()
        started = time.monotonic()
        try:
            with self._meter.request() as share:
                answer = await self._ask(messages, sampling, tools)
            tokens = _tokens(answer, messages, sampling, tools)
        except TransientError as error:
            if error.lost:
                tokens = error.usage or _estimated(messages, tools, sampling.max_tokens)
            raise
        except WithheldError:
            tokens = _estimated(messages, tools, 0)
            raise
        finally:
            spent.append(
                dataclasses.replace(
                    tokens,
                    calls=1,
                    seconds=time.monotonic() - started,
                    accelerator_seconds=share.seconds if self._accelerator else 0.0,
                )
            )
        return answer

    async def _ask(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool]
    ) -> Answer:
        limit = {self._dialect.limit_field: sampling.max_tokens}
        with_seed = self._dialect.seed and sampling.seed is not None
        try:
            async with asyncio.timeout(self._request_timeout):
                response = await self._client.chat.completions.with_raw_response.create(
                    model=self._model,
                    messages=wire_messages(messages),
                    temperature=sampling.temperature,
                    # Left out when it changes nothing: some endpoints refuse it.
                    top_p=openai.omit if sampling.top_p == 1.0 else sampling.top_p,
                    seed=sampling.seed if with_seed else openai.omit,
                    max_tokens=limit.get("max_tokens", openai.omit),
                    max_completion_tokens=limit.get("max_completion_tokens", openai.omit),
                    tools=wire_tools(tools) if tools else openai.omit,
                )
        except TimeoutError:
            raise TransientError(
                f"{self._name}: no answer within {self._request_timeout:g} s", lost=True
            ) from None
        except openai.APIError as error:
            raise self._fault(error, tools=bool(tools)) from None
        self._answered = True
        try:
            answer = Answer.model_validate_json(response.content)
        except ValidationError:
            raise TransientError(
                f"{self._name}: the answer is not a chat completion", lost=True
            ) from None
        if answer.error is not None:
            raise self._endpoint.hidden_refusal(answer.error.code, answer.error.message or "")
        if answer.fault:
            lost = TransientError(f"{self._name}: {answer.fault}", lost=True)
            lost.usage = _metered(answer.usage) if answer.usage else None
            raise lost
        return answer

    async def _count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        # The tokenizer lives beside the versioned API, not in it.
        url = self._endpoint.base_url.rstrip("/").removesuffix("/v1") + "/tokenize"
        body: dict[str, object] = {"model": self._model, "messages": wire_messages(messages)}
        if tools:
            body["tools"] = wire_tools(tools)
        try:
            async with asyncio.timeout(QUESTION_TIMEOUT):
                counted = await self._client.post(url, body=body, cast_to=object)
        except TimeoutError:
            raise TransientError(f"{self._name}: no count within {QUESTION_TIMEOUT:g} s") from None
        except openai.APIError as error:
            raise self._fault(error) from None
        return TokenCount.model_validate(counted).count

    async def _list_models(self) -> ServedModels:
        try:
            async with asyncio.timeout(QUESTION_TIMEOUT):
                response = await self._client.models.with_raw_response.list()
        except TimeoutError:
            raise TransientError(f"{self._name}: no answer within {QUESTION_TIMEOUT:g} s") from None
        except openai.APIError as error:
            raise self._fault(error) from None
        self._answered = True
        try:
            return ServedModels.model_validate_json(response.content)
        except ValidationError:
            return ServedModels(data=[])

    async def _discover(self) -> None:
        """Learn the context window, whether there is a tokenizer, and that the model is served."""
        try:
            served: ServedModels = await self._retrying()(self._list_models)
        except (TransientError, BackendUnusableError) as error:
            if isinstance(error, UnknownModelError):
                return  # It keeps no list, which is no reason to stop.
            raise await self._explained(error) from None
        except BackendError:
            return
        row = next((row for row in served.data if row.id == self._model), None)
        if row is None:
            if self._accelerator and served.data:
                raise UnknownModelError(
                    f"{self._name}: the server at {self._endpoint.base_url} does not serve "
                    f"{self._model!r}, but {_offered(served)}."
                )
            return
        self._tokenizer = row.max_model_len is not None
        windows = [window for window in (row.window, self._context_window) if window]
        self._context_window = min(windows, default=None)

    async def _explained(self, error: BackendError, attempts: int = 0) -> BackendError:
        """Turn the last error of a request into the sentence that the user reads."""
        tries = f" in {attempts} attempts" if attempts > 1 else ""
        if isinstance(error, TransientError) and error.unreached:
            return BackendUnusableError(
                f"{error}{tries}: check that it is running and that the address is right."
            )
        if isinstance(error, TransientError):
            return BackendError(f"{error}{tries}.")
        if isinstance(error, UnknownModelError) and attempts:
            with contextlib.suppress(BackendError):
                if (served := await self._list_models()).data:
                    return UnknownModelError(f"{str(error)[:-1]}: it offers {_offered(served)}.")
        return error

    def _fault(self, error: openai.APIError, *, tools: bool = False) -> BackendError:
        fault = self._endpoint.fault(error, tools=tools)
        self._answered |= not (isinstance(fault, TransientError) and fault.unreached)
        return fault

    def _retrying(self) -> tenacity.AsyncRetrying:
        def patience(error: TransientError) -> float:
            is_there = self._answered or not error.unreached
            return self._patience if is_there else min(self._reach_patience, self._patience)

        return retrying(first_wait=self._first_wait, patience=patience)


def _client(base_url: str, api_key: str | None) -> openai.AsyncOpenAI:
    host = urlsplit(base_url).hostname or ""
    client = openai.AsyncOpenAI(
        api_key=api_key or NO_KEY,
        base_url=base_url,
        max_retries=0,
        # Only connecting is timed here; `asyncio.timeout` bounds the whole of an attempt, also
        # where the endpoint keeps the connection alive with blanks.
        timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT),
        # A proxy of the environment must not stand between us and our own machine, and nobody
        # is sent the prompt but whom the user named.
        http_client=openai.DefaultAsyncHttpxClient(
            trust_env=host not in LOOPBACK, follow_redirects=False
        ),
    )
    if host != "api.openai.com":
        # The SDK reads them from the environment and would tell them to every other provider.
        client.organization = client.project = None
    return client


def _tokens(
    answer: Answer, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool]
) -> Usage:
    if answer.usage is None:
        calls = (call.arguments for call in answer.tool_calls)
        said = sum(map(estimate_tokens, [answer.thoughts, answer.text, *calls]))
        output = sampling.max_tokens if answer.stop == "length" else said
        return _estimated(messages, tools, min(output, sampling.max_tokens))
    return _metered(answer.usage)


def _metered(usage: Tokens) -> Usage:
    return Usage(
        input_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached,
        cache_write_tokens=usage.cache_written,
        output_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning,
    )


def _estimated(messages: Sequence[Message], tools: Sequence[Tool], output_tokens: int) -> Usage:
    """Unknown is never zero: what the provider does not tell is estimated high, and marked."""
    return Usage(
        input_tokens=estimate_prompt(messages, tools),
        output_tokens=output_tokens,
        estimated_calls=1,
    )


def _offered(served: ServedModels) -> str:
    names = [row.id for row in served.data]
    more = f" and {len(names) - OFFERED} more" if len(names) > OFFERED else ""
    return ", ".join(names[:OFFERED]) + more
