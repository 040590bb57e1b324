"""Anthropic's Messages API, through its own SDK: cached prompts, thinking with its signatures.

The compatibility layer of the same provider has neither, so that an agent would pay for its whole
conversation at every step. Cache breakpoints stand behind the tools, the system message and the
last message, so that each step reads what the one before it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from agent.backend import Message, Tool, ToolCall
from agent.endpoint.attempt import Timing
from agent.endpoint.backend import CONNECT_TIMEOUT, LOOPBACK, EndpointBackend
from agent.endpoint.chat import arguments_text, stop_of
from agent.endpoint.faults import Endpoint, secrets_of
from agent.endpoint.profile import ModelProfile
from agent.endpoint.stream import TornAnswerError, events_of, whole_body
from agent.endpoint.turns import shaped
from agent.endpoint.usage import read_bill, read_tokens
from agent.endpoint.wire import (
    Answer,
    Asked,
    RawAnswer,
    RefusedInAnswerError,
    Request,
    json_object,
    json_text,
    taken_settings,
    without_thinking,
)
from agent.price import UNKNOWN, Price

if TYPE_CHECKING:
    import anthropic

# The form of what is kept of a message to be sent back.
_FORM = "anthropic"
_CACHED = {"cache_control": {"type": "ephemeral"}}
# Tokens of thinking for an effort, of models that take a budget in place of an effort.
_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 24_576, "xhigh": 49_152}
_LEAST_BUDGET = 1_024


class AnthropicWire:
    """The wire of the Messages API."""

    takes = frozenset({"temperature", "top_p", "max_tokens", "reasoning_effort"})

    def __init__(self, client: anthropic.AsyncAnthropic, model: str) -> None:
        self._client = client
        self._model = model

    def request(self, asked: Asked, profile: ModelProfile) -> Request:
        """Put what is asked into the form that the model is known to take."""
        sampling = asked.sampling
        settings = {
            "temperature": asked.temperature(profile),
            "top_p": None if sampling.top_p == 1.0 else sampling.top_p,
            "max_tokens": asked.limit,
            **_thinking(sampling.reasoning_effort, asked.limit, profile),
            **json_object(sampling.extra_body),
        }
        # The limit is a part of every request of this API.
        settings = {**taken_settings(settings, profile), "max_tokens": asked.limit}
        turns = shaped(asked.messages, profile)
        system = "\n\n".join(turn.content for turn in turns if turn.role == "system")
        body: dict[str, Any] = {
            "model": self._model,
            "messages": _messages(turns, profile),
            "stream": profile.stream,
            **settings,
        }
        if system:
            body["system"] = [{"type": "text", "text": system, **_CACHED}]
        if asked.tools:
            body["tools"] = [_tool(tool) for tool in asked.tools]
        return Request(body=body, settings=settings)

    def open(self, request: Request) -> AbstractAsyncContextManager[RawAnswer]:
        """Send it. Raises anthropic.APIError."""
        # The SDK puts the body in the place of the messages, which it would walk through.
        opened = self._client.messages.with_streaming_response.create(
            model=self._model,
            messages=[],
            max_tokens=request.body["max_tokens"],
            extra_body=request.body,
        )
        return cast("AbstractAsyncContextManager[RawAnswer]", opened)

    def read(self, data: bytes, headers: Mapping[str, str]) -> Answer:
        """Read an answer. Raises TornAnswerError and RefusedInAnswerError."""
        body = whole_body(data) or _streamed(data)
        if body.get("type") == "error" or body.get("error"):
            raise RefusedInAnswerError(body, has_begun=bool(body.get("usage")))
        blocks = [block for block in body.get("content") or () if isinstance(block, dict)]
        if "stop_reason" not in body:
            raise TornAnswerError("the answer is not a message")
        text = "".join(str(block.get("text") or "") for block in blocks)
        thought = "\n".join(str(block["thinking"]) for block in blocks if block.get("thinking"))
        answer, thinking, _ = without_thinking(text, thought.strip())
        calls = tuple(
            ToolCall(
                id=str(block.get("id") or ""),
                name=str(block.get("name") or ""),
                arguments=arguments_text(block.get("input") or {}),
            )
            for block in blocks
            if block.get("type") == "tool_use"
        )
        kept = [b for b in blocks if b.get("type") in {"thinking", "redacted_thinking"}]
        return Answer(
            text=answer,
            thinking=thinking,
            stop=stop_of(str(body.get("stop_reason") or ""), calls=bool(calls)),
            tool_calls=calls,
            tokens=read_tokens(body.get("usage")),
            bill=read_bill(body, headers),
            provider_data=json_text({_FORM: kept} if kept else {}),
        )


def _thinking(effort: str | None, limit: int, profile: ModelProfile) -> dict[str, Any]:
    """Return how thinking is asked for: by an effort, or by a budget where that is refused."""
    if effort is None:
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if "output_config" not in profile.left_out:
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}
    budget = max(min(_BUDGETS.get(effort, _LEAST_BUDGET), limit // 2), _LEAST_BUDGET)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _messages(turns: Sequence[Message], profile: ModelProfile) -> list[dict[str, Any]]:
    """Return the turns as messages of user and assistant in turn, which hold blocks."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "system":
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = list(_blocks(turn, profile))
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    if messages and (last := messages[-1]["content"]):
        last[-1] = {**last[-1], **_CACHED}
    return messages


def _blocks(turn: Message, profile: ModelProfile) -> Iterator[dict[str, Any]]:
    if turn.role == "tool":
        yield {
            "type": "tool_result",
            "tool_use_id": turn.tool_call_id,
            "content": turn.content,
        }
        return
    if turn.tool_calls and profile.thinking_back:
        yield from json_object(turn.provider_data).get(_FORM, [])
    if turn.content.strip():
        yield {"type": "text", "text": turn.content}
    for call in turn.tool_calls:
        yield {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": json.loads(call.arguments or "{}"),
        }


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": dict(tool.parameters),
    }


def _streamed(data: bytes) -> dict[str, Any]:
    """Return the message of a stream, put together from its events."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    is_ended = False
    for event in events_of(data):
        index, delta = int(event.get("index") or 0), event.get("delta") or {}
        match event.get("type"):
            case "message_start":
                message = dict(event.get("message") or {})
            case "content_block_start":
                blocks[index] = dict(event.get("content_block") or {})
            case "content_block_delta":
                _add_delta(delta, blocks.setdefault(index, {}), inputs, index)
            case "message_delta":
                usage = {**message.get("usage", {}), **event.get("usage", {})}
                message = {**message, **delta, "usage": usage}
                is_ended = True
            case "error":
                return {"error": event.get("error") or event, "usage": message.get("usage")}
    if not message:
        raise TornAnswerError("the answer is not a message")
    if not is_ended:
        error = TornAnswerError("the answer breaks off before its end")
        error.tokens = read_tokens(message.get("usage"))
        raise error
    content = [_whole(blocks[index], inputs.get(index)) for index in sorted(blocks)]
    return {**message, "content": content}


def _whole(block: dict[str, Any], text: str | None) -> dict[str, Any]:
    """Give a block the input that came in pieces; one that is no JSON stays a text."""
    if text is None:
        return block
    try:
        return {**block, "input": json.loads(text or "{}")}
    except ValueError:
        return {**block, "input": text}


def _add_delta(
    delta: Mapping[str, Any], block: dict[str, Any], inputs: dict[int, str], index: int
) -> None:
    for name in ("text", "thinking", "signature"):
        if isinstance(delta.get(name), str):
            block[name] = str(block.get(name) or "") + delta[name]
    if isinstance(delta.get("partial_json"), str):
        inputs[index] = inputs.get(index, "") + delta["partial_json"]


class AnthropicBackend(EndpointBackend):
    """A Backend of the Messages API."""

    def __init__(
        self,
        *,
        name: str,
        model: str,
        base_url: str,
        api_key: str | None = None,
        key_variable: str = "ANTHROPIC_API_KEY",
        headers: Mapping[str, str] | None = None,
        in_flight: int = 16,
        context_window: int | None = None,
        thinks: bool = False,
        profile: ModelProfile | None = None,
        price: Price = UNKNOWN,
        timing: Timing | None = None,
    ) -> None:
        """As of `EndpointBackend`; the extra `ksolve[anthropic]` has to be installed."""
        import anthropic

        # The SDK adds the version of the API to the address itself.
        address = base_url.rstrip("/").removesuffix("/v1")
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key or "none",
            auth_token=None,
            base_url=address,
            max_retries=0,
            default_headers=headers or {},
            timeout=anthropic.Timeout(None, connect=CONNECT_TIMEOUT),
            http_client=anthropic.DefaultAsyncHttpxClient(
                trust_env=urlsplit(address).hostname not in LOOPBACK, follow_redirects=False
            ),
        )
        super().__init__(
            name=name,
            endpoint=Endpoint(
                name=name,
                base_url=address,
                key_variable=key_variable,
                secrets=secrets_of(api_key, headers),
            ),
            wires={"chat": AnthropicWire(self._client, model)},
            profile=profile or ModelProfile(),
            in_flight=in_flight,
            context_window=context_window,
            thinks=thinks,
            price=price,
            timing=timing,
        )

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._client.close()
