"""The contract of a model: messages in, one completion and its exact usage out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Literal, Protocol, Self

Role = Literal["system", "user", "assistant", "tool"]
StopReason = Literal["stop", "length", "content_filter", "other"]


class BackendError(Exception):
    """The endpoint failed after its retries: the system's fault, never the model's answer."""

    usage: Usage | None = None
    # What the failed attempts used and may have been billed for; set by the backend.


class BackendUnusableError(BackendError):
    """No request can succeed (wrong key, unknown model, server that will not start).

    `bad_input` tells what the user can mend in the command from what is down.
    """

    def __init__(self, message: str, *, bad_input: bool = False) -> None:
        super().__init__(message)
        self.bad_input = bad_input


class ContextOverflowError(BackendError):
    """The prompt does not fit into the model's context window."""


class LimitReachedError(BackendError):
    """The next request might pass what one sample may cost, so it was not sent."""


class ToolsRefusedError(BackendError):
    """The endpoint takes no tools with a request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """Something that a model may ask to be done."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    # JSON Schema of its arguments.


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """What a model asks to be done."""

    id: str
    name: str
    arguments: str
    # JSON as the model wrote it, which may be none.


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    # Of the assistant.
    tool_call_id: str = ""
    # Of a tool: the call that this answers.


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How one completion is drawn."""

    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int = 1024
    seed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What was used. Adds up with `+`."""

    input_tokens: int = 0
    cached_tokens: int = 0
    # Part of `input_tokens`, never beside it.
    cache_write_tokens: int = 0
    # Part of `input_tokens` too: put into the provider's cache, which some bill higher.
    output_tokens: int = 0
    reasoning_tokens: int = 0
    # Part of `output_tokens`.
    calls: int = 0
    estimated_calls: int = 0
    # Of `calls`, those whose tokens are our own high estimate, because the provider sent none.
    seconds: float = 0.0
    # Wall time of the calls.
    accelerator_seconds: float = 0.0
    # Share of the local server's busy time; 0 for a remote API.

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            calls=self.calls + other.calls,
            estimated_calls=self.estimated_calls + other.estimated_calls,
            seconds=self.seconds + other.seconds,
            accelerator_seconds=self.accelerator_seconds + other.accelerator_seconds,
        )


USAGE = tuple(field.name for field in fields(Usage))
"""What is counted, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """One answer."""

    text: str
    stop: StopReason
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()


class Backend(Protocol):
    """A model that answers. Entered before the first request, left after the last."""

    @property
    def name(self) -> str:
        """The model name as the user gave it; the key of its samples."""
        ...

    @property
    def in_flight(self) -> int:
        """How many requests may be under way at once."""
        ...

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer may have together. Known once entered."""
        ...

    @property
    def uses_processor(self) -> bool:
        """Whether answers are computed by this machine's processor. Known once entered."""
        ...

    async def __aenter__(self) -> Self:
        """Make ready: start the server, or check nothing. Raises BackendUnusableError."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release what was started."""
        ...

    async def count_tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Tokens of a prompt by the model's own tokenizer, or a safe (high) estimate."""
        ...

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool] = ()
    ) -> Completion:
        """Draw one completion, which may call `tools`. Raises BackendError after retries.

        ToolsRefusedError, a kind of it, where the endpoint takes none.
        """
        ...
