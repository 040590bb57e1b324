"""The body of a chat completion, as the many compatible endpoints really send it."""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from agent.backend import StopReason, ToolCall


class _InputDetails(BaseModel):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(BaseModel):
    reasoning_tokens: int | None = None


class Tokens(BaseModel):
    """The `usage` of an answer."""

    prompt_tokens: int = Field(gt=0)
    # No prompt is empty: where a proxy says 0, it does not know.
    completion_tokens: int = Field(ge=0)
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    # How DeepSeek says it.

    @property
    def cached(self) -> int:
        """Input tokens read from the cache; never more than there are."""
        details = self.prompt_tokens_details or _InputDetails()
        cached = details.cached_tokens or self.prompt_cache_hit_tokens or 0
        return min(max(cached, 0), self.prompt_tokens)

    @property
    def cache_written(self) -> int:
        """Input tokens written to the cache; never those that were read from it."""
        details = self.prompt_tokens_details or _InputDetails()
        return min(max(details.cache_write_tokens or 0, 0), self.prompt_tokens - self.cached)

    @property
    def reasoning(self) -> int:
        """Output tokens that were thought and not said."""
        details = self.completion_tokens_details or _OutputDetails()
        return min(max(details.reasoning_tokens or 0, 0), self.completion_tokens)


class _Function(BaseModel):
    name: str = ""
    arguments: str | dict[str, Any] | None = None
    # Text of JSON; some endpoints send what it says.


class _Call(BaseModel):
    id: str | None = None
    function: _Function


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = Field(
        default=None, validation_alias=AliasChoices("reasoning_content", "reasoning")
    )
    tool_calls: list[_Call] | None = None

    @field_validator("reasoning", mode="before")
    @classmethod
    def _told(cls, value: object) -> str | None:
        return value if isinstance(value, str) else None

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, value: object) -> object:
        # Mistral's models that think send parts, of which the thoughts are no text.
        if not isinstance(value, list):
            return value
        parts = [part for part in value if isinstance(part, dict)]
        return "".join(str(part.get("text") or "") for part in parts)


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Error(BaseModel):
    message: str | None = None
    code: int | str | None = None


class Answer(BaseModel):
    """One chat completion with one choice, or an error that came under status 200."""

    choices: list[_Choice] = []
    usage: Tokens | None = None
    error: _Error | None = None

    @field_validator("choices", mode="before")
    @classmethod
    def _some(cls, value: object) -> object:
        return [] if value is None else value

    @field_validator("error", mode="before")
    @classmethod
    def _worded(cls, value: object) -> object:
        return {"message": value} if isinstance(value, str) else value

    @field_validator("usage", mode="wrap")
    @classmethod
    def _usable(cls, value: object, parse: ValidatorFunctionWrapHandler) -> Tokens | None:
        # A usage that cannot be read is no usage, and no reason to lose the answer.
        try:
            return cast("Tokens | None", parse(value))
        except ValidationError:
            return None

    @property
    def text(self) -> str:
        """What the model said; a refusal is what it said too."""
        message = self.choices[0].message
        return message.content or message.refusal or ""

    @property
    def thoughts(self) -> str:
        """What the model thought before it spoke, where the endpoint tells."""
        return self.choices[0].message.reasoning or ""

    @property
    def fault(self) -> str:
        """What makes this no answer of the model's, "" when it is one."""
        if not self.choices:
            return "the answer holds no choice"
        reason = self.choices[0].finish_reason
        return f"the server broke the answer off ({reason})" if reason in _FAULTS else ""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """What the model asks to be done."""
        return tuple(
            ToolCall(
                id=call.id or f"call_{number}",
                name=call.function.name,
                arguments=_text(call.function.arguments),
            )
            for number, call in enumerate(self.choices[0].message.tool_calls or ())
        )

    @property
    def stop(self) -> StopReason:
        """Why the model stopped."""
        choice = self.choices[0]
        if choice.message.refusal:
            return "content_filter"
        return _STOPS.get(choice.finish_reason or "", "other")


def _text(arguments: str | dict[str, Any] | None) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {})


_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "tool_calls": "stop",
    "length": "length",
    "content_filter": "content_filter",
}
_FAULTS = {"error", "abort", "insufficient_system_resource"}
# Of OpenRouter, of vLLM and SGLang, of DeepSeek.


class ServedModel(BaseModel):
    """One row of an endpoint's list of models; the window's name differs by server."""

    id: str
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None

    @property
    def window(self) -> int | None:
        """Tokens that prompt and answer may have together, None when the server does not say."""
        return self.max_model_len or self.context_length or self.context_window


class ServedModels(BaseModel):
    """An endpoint's list of models."""

    data: list[ServedModel]


class TokenCount(BaseModel):
    """The answer of vLLM's tokenizer endpoint."""

    count: int = Field(ge=0)
