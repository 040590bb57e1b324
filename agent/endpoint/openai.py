"""The backend of any OpenAI-compatible endpoint: what it lists, counts, takes and answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

import openai

from agent.backend import BackendError, BackendUnusableError, Message, Tool
from agent.endpoint.attempt import Timing
from agent.endpoint.backend import CONNECT_TIMEOUT, LOOPBACK, EndpointBackend
from agent.endpoint.chat import ChatWire, chat_messages, chat_tools
from agent.endpoint.faults import Endpoint, UnknownModelError, secrets_of
from agent.endpoint.listing import TokenCount, row_of, served_models
from agent.endpoint.profile import ModelProfile
from agent.endpoint.responses import ResponsesWire
from agent.endpoint.retry import TransientError
from agent.price import UNKNOWN, Price

QUESTION_TIMEOUT = 15.0
"""Seconds for what an endpoint answers without a model: its list of models, a token count."""
NO_KEY = "none"
"""What is sent where no key is needed; the SDK insists on one."""
OFFERED = 8
"""Models that a message lists."""


class OpenAIBackend(EndpointBackend):
    """A Backend of chat completions, or of the Responses API where those refuse a model."""

    def __init__(
        self,
        *,
        name: str,
        model: str,
        base_url: str,
        api_key: str | None = None,
        key_variable: str = "the API key's variable",
        headers: Mapping[str, str] | None = None,
        in_flight: int = 16,
        context_window: int | None = None,
        thinks: bool = False,
        accelerator: bool = False,
        is_known: bool = False,
        profile: ModelProfile | None = None,
        price: Price = UNKNOWN,
        timing: Timing | None = None,
    ) -> None:
        """`base_url` may have a query, which goes with every request.

        The rest is as of `EndpointBackend`.
        """
        address = urlsplit(base_url)
        base_url = address._replace(query="", fragment="").geturl()
        query = dict(part.partition("=")[::2] for part in address.query.split("&") if part)
        self._client = _client(base_url, api_key, headers or {}, query)
        super().__init__(
            name=name,
            endpoint=Endpoint(
                name=name,
                base_url=base_url,
                key_variable=key_variable,
                secrets=secrets_of(api_key, headers),
            ),
            wires={
                "chat": ChatWire(self._client, model),
                "responses": ResponsesWire(self._client, model),
            },
            profile=profile or ModelProfile(),
            in_flight=in_flight,
            context_window=context_window,
            thinks=thinks,
            accelerator=accelerator,
            is_known=is_known,
            price=price,
            timing=timing,
        )
        self._model = model
        self._tokenizer = False

    async def __aenter__(self) -> Self:
        """Look for the model in the server's list. Raises BackendUnusableError where none answers.

        A list that lacks it, or cannot be had, proves nothing: the first request does.
        """
        if self._window is None or self._accelerator:
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
        return await super().count_tokens(messages, tools)

    async def list_models(self) -> list[str]:
        """Return the ids of the models that the endpoint lists. Raises BackendError."""
        return [row.id for row in served_models(await self._retrying()(self._list_models))]

    async def _count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        # The tokenizer lives beside the versioned API, not in it.
        url = self._endpoint.base_url.rstrip("/").removesuffix("/v1") + "/tokenize"
        messages_sent = chat_messages(messages, self._profile)
        body: dict[str, object] = {"model": self._model, "messages": messages_sent}
        if tools:
            body["tools"] = chat_tools(tools)
        try:
            async with asyncio.timeout(QUESTION_TIMEOUT):
                counted = await self._client.post(url, body=body, cast_to=object)
        except TimeoutError:
            raise TransientError(f"{self._name}: no count within {QUESTION_TIMEOUT:g} s") from None
        except openai.APIError as error:
            raise self._endpoint.fault(error) from None
        return TokenCount.model_validate(counted).count

    async def _list_models(self) -> bytes:
        try:
            async with asyncio.timeout(QUESTION_TIMEOUT):
                response = await self._client.models.with_raw_response.list()
        except TimeoutError:
            raise TransientError(f"{self._name}: no answer within {QUESTION_TIMEOUT:g} s") from None
        except openai.APIError as error:
            fault = self._endpoint.fault(error)
            self._answered |= not (isinstance(fault, TransientError) and fault.unreached)
            raise fault from None
        self._answered = True
        return response.content

    async def _discover(self) -> None:
        """Learn the context window, and whether there is a tokenizer."""
        try:
            data: bytes = await self._retrying(briefly=True)(self._list_models)
        except TransientError as error:
            if error.unreached:
                raise await self._explained(error) from None
            return
        except BackendError:
            return
        rows = served_models(data)
        row = row_of(self._model, rows)
        if row is None:
            return
        self._tokenizer = row.max_model_len is not None
        windows = [window for window in (row.window, self._window) if window]
        self._window = min(windows, default=None)

    async def _explained(self, error: BackendError, attempts: int = 0) -> BackendError:
        error = await super()._explained(error, attempts)
        if isinstance(error, UnknownModelError) and attempts:
            with contextlib.suppress(BackendError):
                if rows := served_models(await self._list_models()):
                    names = [row.id for row in rows]
                    more = f" and {len(names) - OFFERED} more" if len(names) > OFFERED else ""
                    offered = ", ".join(names[:OFFERED]) + more
                    return UnknownModelError(f"{str(error)[:-1]}: it offers {offered}.")
        return error


def _client(
    base_url: str, api_key: str | None, headers: Mapping[str, str], query: Mapping[str, str]
) -> openai.AsyncOpenAI:
    host = urlsplit(base_url).hostname or ""
    client = openai.AsyncOpenAI(
        api_key=api_key or NO_KEY,
        base_url=base_url,
        max_retries=0,
        default_headers=headers,
        default_query=query,
        # Only connecting is timed here: how long an answer may take is the backend's business.
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
