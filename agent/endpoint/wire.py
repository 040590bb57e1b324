"""The contract of a provider's form of requests and answers, and what all forms share."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from agent.backend import Completion, Message, Sampling, StopReason, Tool, ToolCall, Usage
from agent.endpoint.profile import ModelProfile
from agent.endpoint.usage import Tokens
from agent.thinking import split_thinking


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One completion that is wanted, before it has the form of a provider."""

    messages: Sequence[Message]
    sampling: Sampling
    tools: Sequence[Tool]
    limit: int
    """Output tokens that the answer may have."""

    def temperature(self, profile: ModelProfile) -> float:
        """Return the temperature, which not every model takes as low as it is wanted."""
        wanted = self.sampling.temperature
        is_required = "temperature" in self.sampling.required
        return wanted if is_required else max(wanted, profile.least_temperature)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request as it is sent."""

    body: Mapping[str, Any]
    settings: Mapping[str, Any]
    """What of the body are settings, by the names of the provider."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer, whatever form it came in."""

    text: str = ""
    thinking: str = ""
    stop: StopReason = "other"
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: Tokens | None = None
    bill: float | None = None
    """US dollars, where the provider tells them."""
    provider_data: str = ""
    fault: str = ""
    """What makes this no answer of the model's, "" when it is one."""

    def completion(
        self, calls: tuple[ToolCall, ...], usage: Usage, sent: Mapping[str, Any]
    ) -> Completion:
        """Return it as a completion, with ids of its own for its calls."""
        return Completion(
            text=self.text,
            stop=self.stop,
            usage=usage,
            tool_calls=calls,
            thinking=self.thinking,
            provider_data=self.provider_data,
            sent=dict(sent),
        )


class RefusedInAnswerError(Exception):
    """An error of the endpoint that came under status 200."""

    def __init__(
        self, body: object, *, told: Answer | None = None, has_begun: bool = False
    ) -> None:
        super().__init__("the endpoint answered with an error")
        self.body = body
        self.told = told
        """What was used and billed, where that is told with it."""
        self.has_begun = has_begun
        """Whether a part of an answer came before it, which may be billed."""


class RawAnswer(Protocol):
    """The answer to a request while it comes in."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of HTTP."""
        ...

    def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Read what comes in, as it comes."""
        ...


class Wire(Protocol):
    """One form of requests and answers."""

    takes: frozenset[str]
    """Settings of a `Sampling` that this form has a place for."""

    def request(self, asked: Asked, profile: ModelProfile) -> Request:
        """Put what is asked into the form that a model is known to take."""
        ...

    def open(self, request: Request) -> AbstractAsyncContextManager[RawAnswer]:
        """Send it. Raises the errors of the SDK, whose names all SDKs of its make share."""
        ...

    def read(self, data: bytes, headers: Mapping[str, str]) -> Answer:
        """Read an answer. Raises TornAnswerError and RefusedInAnswerError."""
        ...


def taken_settings(settings: Mapping[str, Any], profile: ModelProfile) -> dict[str, Any]:
    """Return the settings that are wanted and that a model is not known to refuse."""
    return {
        name: value
        for name, value in settings.items()
        if value is not None and name not in profile.left_out
    }


def sound(text: str) -> str:
    """Replace halves of surrogate pairs, from the name of a file, say: none can be sent."""
    return text.encode(errors="replace").decode()


def without_thinking(text: str, thinking: str) -> tuple[str, str, tuple[ToolCall, ...]]:
    """Take the thinking out of a text; return the answer, all thinking, and calls in the text."""
    said = split_thinking(text)
    calls = tuple(ToolCall(id="", name=name, arguments=arguments) for name, arguments in said.calls)
    return said.answer, "\n\n".join(filter(None, [thinking, said.thinking])), calls


def json_text(value: object) -> str:
    """Return a JSON object as text, "" for an empty one."""
    return json.dumps(value, ensure_ascii=False) if value else ""


def json_object(text: str) -> dict[str, Any]:
    """Return what `json_text` wrote."""
    value: dict[str, Any] = json.loads(text) if text else {}
    return value
