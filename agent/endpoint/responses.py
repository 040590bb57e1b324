"""OpenAI's Responses API, for models that chat completions refuse.

Nothing is stored at the provider: a reasoning item comes encrypted, and goes back with the calls
that followed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import openai

from agent.backend import Message, StopReason, Tool, ToolCall
from agent.endpoint.chat import arguments_text, tool_name
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

# The form of what is kept of a message to be sent back.
_FORM = "responses"
_ENDS = {"response.completed", "response.incomplete", "response.failed", "response.done"}


class ResponsesWire:
    """The wire of the Responses API."""

    takes = frozenset({"temperature", "top_p", "max_tokens", "reasoning_effort"})

    def __init__(self, client: openai.AsyncOpenAI, model: str) -> None:
        self._client = client
        self._model = model

    def request(self, asked: Asked, profile: ModelProfile) -> Request:
        """Put what is asked into the form that the model is known to take."""
        sampling = asked.sampling
        effort = sampling.reasoning_effort
        settings = {
            "temperature": asked.temperature(profile),
            "top_p": None if sampling.top_p == 1.0 else sampling.top_p,
            "max_output_tokens": None if profile.limit_field in profile.left_out else asked.limit,
            "reasoning": None if effort is None else {"effort": effort},
            **json_object(sampling.extra_body),
        }
        settings = taken_settings(settings, profile)
        body: dict[str, Any] = {
            "model": self._model,
            "input": list(_items(shaped(asked.messages, profile), profile)),
            "store": False,
            "stream": profile.stream,
            **settings,
        }
        if profile.thinking_back:
            body["include"] = ["reasoning.encrypted_content"]
        if asked.tools:
            body["tools"] = [_tool(tool) for tool in asked.tools]
        return Request(body=body, settings={"api": "responses", **settings})

    def open(self, request: Request) -> AbstractAsyncContextManager[RawAnswer]:
        """Send it. Raises openai.APIError."""
        opened = self._client.responses.with_streaming_response.create(
            extra_body=dict(request.body)
        )
        return cast("AbstractAsyncContextManager[RawAnswer]", opened)

    def read(self, data: bytes, headers: Mapping[str, str]) -> Answer:
        """Read an answer. Raises TornAnswerError and RefusedInAnswerError."""
        body = whole_body(data) or _streamed(data)
        if body.get("error"):
            tokens = read_tokens(body.get("usage"))
            told = Answer(tokens=tokens, bill=read_bill(body, headers)) if tokens else None
            raise RefusedInAnswerError(body, told=told, has_begun=bool(body.get("output")))
        items = [item for item in body.get("output") or () if isinstance(item, dict)]
        if not items and not body.get("status"):
            raise TornAnswerError("the answer is not a response")
        parts = [part for item in items for part in _parts(item, "message", "content")]
        refusal = any(part.get("type") == "refusal" for part in parts)
        text = "".join(str(part.get("text") or part.get("refusal") or "") for part in parts)
        thought = "\n".join(
            str(part.get("text") or "")
            for item in items
            for name in ("summary", "content")
            for part in _parts(item, "reasoning", name)
        )
        answer, thinking, _ = without_thinking(text, thought.strip())
        calls = tuple(
            ToolCall(
                id=str(item.get("call_id") or item.get("id") or ""),
                name=tool_name(item.get("name")),
                arguments=arguments_text(item.get("arguments")),
            )
            for item in items
            if item.get("type") == "function_call"
        )
        kept = [
            {name: value for name, value in item.items() if name not in {"id", "status"}}
            for item in items
            if item.get("type") == "reasoning" and item.get("encrypted_content")
        ]
        stop: StopReason = "stop" if body.get("status") == "completed" or calls else "other"
        why = body.get("incomplete_details")
        if isinstance(why, dict):
            is_long = why.get("reason") == "max_output_tokens"
            stop = "length" if is_long else "content_filter"
        return Answer(
            text=answer,
            thinking=thinking,
            stop="content_filter" if refusal else stop,
            tool_calls=calls,
            tokens=read_tokens(body.get("usage")),
            bill=read_bill(body, headers),
            provider_data=json_text({_FORM: kept} if kept else {}),
        )


def _streamed(data: bytes) -> dict[str, Any]:
    """Return the response of a stream, whose items are whole when they are done."""
    done: dict[int, dict[str, Any]] = {}
    text = ""
    ended: dict[str, Any] = {}
    for event in events_of(data):
        kind = event.get("type")
        if kind == "response.output_item.done" and isinstance(event.get("item"), dict):
            done[int(event.get("output_index") or len(done))] = event["item"]
        elif kind == "response.output_text.delta":
            text += str(event.get("delta") or "")
        elif kind in _ENDS and isinstance(event.get("response"), dict):
            ended = event["response"]
        elif kind == "error" or event.get("error"):
            return {"error": event.get("error") or event, "output": [*done.values()] or text}
    if not done and not text and not ended:
        raise TornAnswerError("the answer is not a response")
    if not ended:
        raise TornAnswerError("the answer breaks off before its end")
    output = [done[number] for number in sorted(done)] or ended.get("output") or []
    return {"status": "completed", **ended, "output": output}


def _items(messages: Sequence[Message], profile: ModelProfile) -> Iterator[dict[str, Any]]:
    for message in messages:
        if message.role == "tool":
            yield {
                "type": "function_call_output",
                "call_id": message.tool_call_id,
                "output": message.content,
            }
            continue
        if message.tool_calls and profile.thinking_back:
            yield from json_object(message.provider_data).get(_FORM, [])
        if message.content or not message.tool_calls:
            yield {"role": message.role, "content": message.content}
        for call in message.tool_calls:
            yield {
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
            }


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        "strict": False,
    }


def _parts(item: Mapping[str, Any], kind: str, name: str) -> list[dict[str, Any]]:
    parts = item.get(name) if item.get("type") == kind else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
