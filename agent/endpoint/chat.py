"""OpenAI's chat completions, as the many compatible endpoints take and answer them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import openai

from agent.backend import Message, StopReason, Tool, ToolCall
from agent.endpoint.profile import ModelProfile
from agent.endpoint.stream import TornAnswerError, chat_body, error_of
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
    sound,
    taken_settings,
    without_thinking,
)

# The form of what is kept of a message to be sent back.
_FORM = "chat"
# Fields of the provider's own on a message or a call: its thinking, and marks that go with it.
_OWN = re.compile(r"reason|think|thought|signature|extra_content|encrypted", re.IGNORECASE)
_THINKING = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
# What is sent in place of a content that says nothing.
_EMPTY: Mapping[str, dict[str, str]] = {
    "absent": {},
    "empty": {"content": ""},
    "text": {"content": "(I call tools.)"},
}
_NAME = re.compile(r"(?:(?:assistant|functions|default_api)[.:])?([A-Za-z0-9_-]+)")


class ChatWire:
    """The wire of chat completions."""

    takes = frozenset({"temperature", "top_p", "max_tokens", "seed", "reasoning_effort"})

    def __init__(self, client: openai.AsyncOpenAI, model: str) -> None:
        self._client = client
        self._model = model

    def request(self, asked: Asked, profile: ModelProfile) -> Request:
        """Put what is asked into the form that the model is known to take."""
        sampling = asked.sampling
        settings = {
            "temperature": asked.temperature(profile),
            # One that changes nothing is not sent: some endpoints refuse it.
            "top_p": None if sampling.top_p == 1.0 else sampling.top_p,
            "seed": sampling.seed,
            profile.limit_field: asked.limit,
            "reasoning_effort": sampling.reasoning_effort,
            **json_object(sampling.extra_body),
        }
        settings = taken_settings(settings, profile)
        body: dict[str, Any] = {
            "model": self._model,
            "messages": chat_messages(asked.messages, profile),
            **settings,
        }
        if profile.stream or profile.names_stream:
            # Said in any case: some servers stream where nothing is said.
            body["stream"] = profile.stream
        if profile.stream and profile.stream_usage:
            body["stream_options"] = {"include_usage": True}
        if asked.tools:
            body["tools"] = chat_tools(asked.tools)
        return Request(body=body, settings=settings)

    def open(self, request: Request) -> AbstractAsyncContextManager[RawAnswer]:
        """Send it. Raises openai.APIError."""
        # The SDK would walk through messages that it is given, which takes longer than to send
        # them; it puts the body in their place.
        opened = self._client.chat.completions.with_streaming_response.create(
            model=self._model, messages=[], extra_body=request.body
        )
        return cast("AbstractAsyncContextManager[RawAnswer]", opened)

    def read(self, data: bytes, headers: Mapping[str, str]) -> Answer:
        """Read an answer. Raises TornAnswerError and RefusedInAnswerError."""
        try:
            body = chat_body(data)
        except TornAnswerError as error:
            error.tokens = read_tokens(error.so_far.get("usage"))
            raise
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        tokens, bill = read_tokens(body.get("usage")), read_bill(body, headers)
        message = choice.get("message") if isinstance(choice, dict) else None
        message = message if isinstance(message, dict) else {}
        if error_of(body):
            has_begun = any(value for name, value in message.items() if name != "role")
            told = Answer(tokens=tokens, bill=bill) if tokens or bill else None
            raise RefusedInAnswerError(body, told=told, has_begun=has_begun)
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            return Answer(tokens=tokens, bill=bill, fault="the answer holds no message")
        text, parts_thought = _text(message.get("content"))
        thinking = parts_thought or _thinking(message)
        answer, thinking, calls_said = without_thinking(text, thinking)
        calls = tuple(_calls(message)) or calls_said
        reason = str(choice.get("finish_reason") or "")
        refusal = message.get("refusal")
        fault = f"the server broke the answer off ({reason})" if reason.lower() in _FAULTS else ""
        stop = stop_of(reason, calls=bool(calls))
        is_empty = not (answer or thinking or calls or refusal or tokens or bill)
        # One that is cut off at its limit may have been thought without a word.
        if is_empty and stop != "length":
            fault = fault or "the answer is empty, and tells no usage"
        return Answer(
            text=answer or (refusal if isinstance(refusal, str) else ""),
            thinking=thinking,
            stop="content_filter" if refusal else stop,
            tool_calls=calls,
            tokens=tokens,
            bill=bill,
            provider_data=json_text(_kept(message)),
            fault=fault,
        )


def chat_messages(messages: Sequence[Message], profile: ModelProfile) -> list[dict[str, Any]]:
    """Return a conversation in the form of chat completions."""
    turns = shaped(messages, profile)
    names = {call.id: call.name for turn in turns for call in turn.tool_calls}
    sent = [_message(turn, profile) for turn in turns]
    if profile.tool_names:
        for turn in sent:
            if turn["role"] == "tool":
                turn["name"] = names.get(turn["tool_call_id"], "unknown")
    return sent


def chat_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Return tools in the form of chat completions."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
        for tool in tools
    ]


def stop_of(reason: str, *, calls: bool = False) -> StopReason:
    """Return why a model stopped, in whatever words a provider says it."""
    lower = reason.lower()
    if any(word in lower for word in ("length", "max_tokens", "max_output", "context_window")):
        return "length"
    if calls or lower in _STOPS:
        return "stop"
    if any(word in lower for word in ("content_filter", "safety", "refusal", "sensitive")):
        return "content_filter"
    return "other"


_STOPS = {
    "stop",
    "eos",
    "eos_token",
    "end",
    "end_turn",
    "stop_sequence",
    "complete",
    "completed",
    "tool_calls",
    "tool_call",
    "tool_use",
    "function_call",
}
_FAULTS = {
    "error",
    "abort",
    "cancelled",
    "timeout",
    "network_error",
    "insufficient_system_resource",
}


def _message(message: Message, profile: ModelProfile) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    if not message.tool_calls:
        return wire
    if not message.content.strip():
        del wire["content"]
        wire |= _EMPTY[profile.empty_content]
    wire["tool_calls"] = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
            **(json_object(call.provider_data) if profile.thinking_back else {}),
        }
        for call in message.tool_calls
    ]
    if profile.thinking_back:
        kept = json_object(message.provider_data).get(_FORM, {})
        # A content in parts has text in it, which strict turns have not beside calls.
        out = {*profile.left_out, *(["content"] if profile.strict_turns else [])}
        wire |= {name: value for name, value in kept.items() if name not in out}
    if profile.thinking_field and not wire.get(profile.thinking_field):
        # Not every family takes an empty one.
        wire[profile.thinking_field] = message.thinking or " "
    return wire


def _kept(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an answer has to go back with it, in the fields in which it came."""
    own = {
        name: value for name, value in message.items() if _OWN.search(name) and value is not None
    }
    content = message.get("content")
    if isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") != "text" for part in content
    ):
        own["content"] = content
    return {_FORM: own} if own else {}


def _thinking(message: Mapping[str, Any]) -> str:
    """Return the thinking in the first field that has any: relays say it in several."""
    for name in _THINKING:
        value = message.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    details = message.get("reasoning_details") or message.get("thinking_blocks")
    parts = details if isinstance(details, list) else []
    texts = (
        part.get("text") or part.get("summary") or part.get("thinking")
        for part in parts
        if isinstance(part, dict)
    )
    return "\n".join(text for text in texts if isinstance(text, str)).strip()


def _text(content: object) -> tuple[str, str]:
    """Return what a content says and what it thinks, where it comes in parts."""
    if not isinstance(content, list):
        return (content if isinstance(content, str) else ""), ""
    said: list[str] = []
    thought: list[str] = []
    for part in content:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, dict):
            kind = str(part.get("type") or "text")
            (thought if _OWN.search(kind) else said).append(_words(part))
    return "".join(said), "\n".join(filter(None, thought)).strip()


def _words(part: Mapping[str, Any]) -> str:
    """Return the text of a part, which may hold parts itself."""
    for name in ("text", "thinking", "summary", "content"):
        value = part.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "".join(_words(one) for one in value if isinstance(one, dict))
    return ""


def _calls(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls:
        legacy = message.get("function_call")
        calls = [{"function": legacy}] if isinstance(legacy, dict) else []
    for call in calls:
        if not isinstance(call, dict):
            continue
        function = call.get("function")
        function = function if isinstance(function, dict) else call
        own = {name: value for name, value in call.items() if _OWN.search(name) and value}
        identity = call.get("id")
        yield ToolCall(
            id=identity if isinstance(identity, str) else "",
            name=tool_name(function.get("name")),
            arguments=arguments_text(function.get("arguments")),
            provider_data=json_text(own),
        )


def tool_name(name: object) -> str:
    """Return the name of a tool without what some servers leave around it; "" for none."""
    if not isinstance(name, str):
        return ""
    bare = name.partition("<|")[0].strip()
    found = _NAME.match(bare)
    return found[1] if found else bare


def arguments_text(arguments: object) -> str:
    """Return arguments as text of JSON, also where they came as what it says; "" for none."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return sound(json.dumps(arguments))
