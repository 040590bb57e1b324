"""The contract of a model: messages in, one completion and its exact usage out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from agent.seeds import request_seed

Role = Literal["system", "user", "assistant", "tool"]
StopReason = Literal["stop", "length", "content_filter", "other"]


class BackendError(Exception):
    """The endpoint failed after its retries: the system's fault, never the model's answer."""

    usage: Usage | None = None
    """What the failed attempts used and may have been billed for; set by the backend."""


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
    """The endpoint takes no tools with a request, or none in a conversation like this one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """Something that a model may ask to be done."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of its arguments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """What a model asks to be done."""

    id: str
    name: str
    arguments: str
    """JSON as the model wrote it, which may be none."""
    provider_data: str = ""
    """JSON object of the provider's own fields, which are sent back with the call; "" for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    """Of the assistant."""
    tool_call_id: str = ""
    """Of a tool: the call that this answers."""
    thinking: str = ""
    """Of the assistant: what it thought before it answered, where the provider shows that."""
    provider_data: str = ""
    """JSON object of the provider's own fields (its form of the thinking, signatures), which are
    sent back with a message that calls tools; "" for none."""
    is_example: bool = False
    """Part of a worked example, which no model wrote: it may be left out where it is refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """The settings of one completion, as they are wanted.

    What the endpoint does not take is left out or adapted, unless it is `required`.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int | None = None
    """Output tokens, thinking included; None for as many as suit the model."""
    seed: int | None = None
    index: int = 0
    """Index of the sample, plus the number of the request within it: by this a scripted model
    chooses its answer. Endpoints are not told."""
    reasoning_effort: str | None = None
    """A word of the provider's, such as "low"; None leaves it to the provider."""
    extra_body: str = ""
    """JSON object of further fields for the request; "" for none."""
    required: tuple[str, ...] = ()
    """Names of the settings that the user asked for: where they are refused, that is an error."""

    def of_request(self, number: int) -> Sampling:
        """The settings of one of the many requests of a sample, counted from 0."""
        seed = None if self.seed is None else request_seed(self.seed, number)
        return replace(self, seed=seed, index=self.index + number)

    def instead(self, **wanted: Any) -> Sampling:
        """Return other settings of the caller's own choice, which no user asked for."""
        left = tuple(name for name in self.required if name not in wanted)
        return replace(self, **wanted, required=left)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What was used. Adds up with `+`."""

    input_tokens: int = 0
    cached_tokens: int = 0
    """Part of `input_tokens`, never beside it."""
    cache_write_tokens: int = 0
    """Part of `input_tokens` too: put into the provider's cache, which some bill higher."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """Part of `output_tokens`."""
    calls: int = 0
    estimated_calls: int = 0
    """Of `calls`, those whose tokens are our own high estimate, because the provider sent none."""
    billed_calls: int = 0
    """Of `calls`, those whose price the provider told itself."""
    unbilled_calls: int = 0
    """Of `calls`, those that used tokens, and whose price the list has to tell."""
    billed: float = 0.0
    """US dollars that the provider says it bills for the `billed_calls`, or an estimate of that."""
    billed_at_list: float = 0.0
    """US dollars that the same calls cost by the price list; 0 where that is unknown."""
    seconds: float = 0.0
    """Wall time of the calls."""
    accelerator_seconds: float = 0.0
    """Share of the local server's busy time; 0 for a remote API."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in USAGE})


USAGE = tuple(field.name for field in fields(Usage))
"""What is counted, by name."""


Book = Callable[[Usage], None]
"""Told what each attempt of a request used, when the attempt is over, however it ended."""


def no_book(_: Usage) -> None:
    """Book nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """One answer."""

    text: str
    """What the model says, without its thinking."""
    stop: StopReason
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()
    thinking: str = ""
    provider_data: str = ""
    """As of a `Message`."""
    sent: Mapping[str, Any] = field(default_factory=dict)
    """The settings that really were in the request, by the names of the provider."""

    @property
    def message(self) -> Message:
        """The answer as the next turn of the conversation."""
        return Message(
            role="assistant",
            content=self.text,
            tool_calls=self.tool_calls,
            thinking=self.thinking,
            provider_data=self.provider_data,
        )


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
    def answer_tokens(self) -> int:
        """Output tokens of an answer where the sampling names no limit.

        Grows for a model that turns out to think.
        """
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
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        """Draw one completion, which may call `tools`. Raises BackendError after retries.

        ToolsRefusedError, a kind of it, where the endpoint takes none. `book` is told what every
        attempt used, also one that is cancelled.
        """
        ...


def answer_limit(sampling: Sampling, backend: Backend) -> int:
    """Output tokens that an answer may have."""
    return sampling.max_tokens or backend.answer_tokens
