"""The shipped fake of a model: answers from a function or a file, with exact made-up usage.

The same sample draws the same answer, so that a resumed run draws what it would have drawn. Tokens
are words between blanks; a prompt that was answered before counts as cached.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.backend import (
    BackendError,
    BackendUnusableError,
    Book,
    Completion,
    Message,
    Sampling,
    StopReason,
    Tool,
    ToolCall,
    ToolsRefusedError,
    Usage,
    answer_limit,
    no_book,
)
from agent.endpoint.meter import BusyMeter
from agent.thinking import split_thinking

ANSWER_WORDS = 1_024


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """An answer that calls tools."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


Script = Callable[[Sequence[Message], Sampling], str | Said | BackendError]
"""Gives the answer to a prompt, or the error that the endpoint ends in."""


class ScriptedBackend:
    """A Backend whose answers are known beforehand."""

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        in_flight: int = 8,
        context_window: int = 32_768,
        delay: float = 0.0,
        takes_tools: bool = False,
        uses_processor: bool = False,
        hangs_after: int | None = None,
    ) -> None:
        """`delay`: seconds that each answer takes; after `hangs_after` of them there is none."""
        self._hangs_after = hangs_after
        self._uses_processor = uses_processor
        self._takes_tools = takes_tools
        self._script = script
        self._name = name
        self._in_flight = in_flight
        self._context_window = context_window
        self._delay = delay
        self._slots = asyncio.Semaphore(in_flight)
        self._meter = BusyMeter()
        self._answered: set[str] = set()
        self._now_in_flight = 0
        self.calls = 0
        self.hanging = asyncio.Event()
        self.most_in_flight = 0

    @property
    def name(self) -> str:
        """The name it was given."""
        return self._name

    @property
    def in_flight(self) -> int:
        """How many requests are answered at once; more wait for their turn."""
        return self._in_flight

    @property
    def context_window(self) -> int:
        """Tokens, that is words, that prompt and answer may have together."""
        return self._context_window

    @property
    def answer_tokens(self) -> int:
        """Words of an answer for which no limit is asked."""
        return ANSWER_WORDS

    @property
    def uses_processor(self) -> bool:
        """What it was told."""
        return self._uses_processor

    async def __aenter__(self) -> Self:
        """Do nothing."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing."""

    async def count_tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Count the words."""
        texts = [message.content for message in messages]
        texts += [call.arguments for message in messages for call in message.tool_calls]
        texts += [tool.description for tool in tools]
        return sum(len(text.split()) for text in texts)

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        """Give the scripted answer, cut off at `max_tokens` words."""
        if tools and not self._takes_tools:
            raise ToolsRefusedError(f"{self._name} takes no tools.")
        async with self._slots:
            self.calls += 1
            self._now_in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._now_in_flight)
            try:
                completion = await self._answer(messages, sampling, tools)
            except BackendError as error:
                book(error.usage or Usage())
                raise
            finally:
                self._now_in_flight -= 1
        book(completion.usage)
        return completion

    async def _answer(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool]
    ) -> Completion:
        started = time.monotonic()
        if self._hangs_after is not None and self.calls > self._hangs_after:
            self.hanging.set()
            await asyncio.Event().wait()
        with self._meter.request() as share:
            await asyncio.sleep(self._delay)
            answer = self._script(messages, sampling)
        spent = Usage(
            calls=1, seconds=time.monotonic() - started, accelerator_seconds=share.seconds
        )
        if isinstance(answer, BackendError):
            answer.usage = spent
            raise answer
        said = answer if isinstance(answer, Said) else Said(text=answer)
        whole, stop = _cut(said.text, answer_limit(sampling, self))
        parts = split_thinking(whole)
        prompt = "\0".join(message.content for message in messages)
        input_tokens = await self.count_tokens(messages, tools)
        usage = Usage(
            input_tokens=input_tokens,
            cached_tokens=input_tokens if prompt in self._answered else 0,
            output_tokens=len(whole.split()),
        )
        self._answered.add(prompt)
        return Completion(
            text=parts.answer,
            thinking=parts.thinking,
            stop=stop,
            usage=spent + usage,
            tool_calls=said.tool_calls,
            sent={"temperature": sampling.temperature, "seed": sampling.seed},
        )


def _cut(text: str, words: int) -> tuple[str, StopReason]:
    if len(text.split()) <= words:
        return text, "stop"
    rest = text.split(maxsplit=words)[-1]
    return text[: len(text) - len(rest)], "length"


EXAMPLE = '{"match": "a part of the prompt", "answers": ["one answer", "another"]}'
"""A row of an answer file."""


class _Row(BaseModel):
    """One line of an answer file."""

    model_config = ConfigDict(extra="forbid")

    match: str = ""
    # A part of the prompt; "" matches every prompt.
    answers: Annotated[list[str | Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]
    # One that is a list answers a conversation turn by turn, the last one for ever.
    failures: int = Field(default=0, ge=0)
    # Requests that fail before the first is answered.


def script_from_file(path: Path) -> Script:
    """Read a script of JSON lines, such as `{"match": "issue text", "answers": ["...", "..."]}`.

    The first row whose `match` is part of the prompt answers: by the index of the sample modulo its
    number of answers, without a seed round robin. A conversation that an answer which is a list
    began goes on with that list. Raises OSError, and ValueError naming the line.
    """
    rows: list[_Row] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                rows.append(_Row.model_validate_json(line))
            except ValidationError as error:
                raise ValueError(
                    f"{path}, line {number}: {_fault(error)}; write it such as {EXAMPLE}."
                ) from None
    asked: Counter[int] = Counter()

    def script(messages: Sequence[Message], sampling: Sampling) -> str | BackendError:
        prompt = "\n".join(message.content for message in messages)
        for index, row in enumerate(rows):
            if row.match in prompt:
                turn = asked[index]
                asked[index] += 1
                if turn < row.failures:
                    return BackendError(f"{path}: failure {turn + 1} of {row.failures}.")
                turn -= row.failures
                return _answer(row, messages, turn if sampling.seed is None else sampling.index)
        return BackendUnusableError(f"{path} has no row for this prompt.", bad_input=True)

    return script


def _fault(error: ValidationError) -> str:
    first = error.errors()[0]
    where = " in ".join(f"`{part}`" for part in reversed(first["loc"]))
    match first["type"]:
        case "missing":
            return f"the row has no {where}"
        case "extra_forbidden":
            return f"a row has no field {where}"
        case "json_invalid":
            return "the row is not JSON"
        case _:
            return f"{where or 'the row'} cannot be used ({first['msg']})"


def _answer(row: _Row, messages: Sequence[Message], number: int) -> str:
    """Return the next item of the list that the conversation has begun with, else a new answer.

    Lists that begin alike are told apart by the number, which rises by one with every request.
    """
    said = [message.content for message in messages if message.role == "assistant"]
    given = [_given(answer, said) if isinstance(answer, list) else 0 for answer in row.answers]
    most = max(given)
    count = len(given)
    first = number - most
    chosen = min(range(count), key=lambda place: (-given[place], (place - first) % count))
    answer = row.answers[chosen]
    return answer if isinstance(answer, str) else answer[min(most, len(answer) - 1)]


def _given(answers: Sequence[str], said: Sequence[str]) -> int:
    """Return how many of the last things said are the first of these answers."""
    for count in range(len(said), 0, -1):
        expected = (answers[min(i, len(answers) - 1)] for i in range(count))
        if all(map(_is_from, said[-count:], expected)):
            return count
    return 0


def _is_from(said: str, answer: str) -> bool:
    """Whether it is the answer, which may have been cut off."""
    said, answer = said.strip(), answer.strip()
    return said == answer or (said != "" and answer.startswith(said))
