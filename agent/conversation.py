"""What a model is sent in a long conversation, and how it is kept within the context window.

Messages are only added, so that the prefix cache serves all but the last; when the window is full,
old observations are condensed at once by so much that it is long until the next time. What was
condensed stands whole in the trajectory.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

from agent.backend import Backend, Completion, ContextOverflowError, Message, Tool, ToolCall
from agent.endpoint.estimate import estimate_prompt
from agent.prompts import MARGIN
from agent.workspace import cut

_GOAL = 0.6
# Of the room: what is left of a conversation that had to be condensed.
_STEPS = ((4, 600, False), (2, 300, False), (2, 200, True), (0, 150, True))
# How many of the last messages are spared, characters that are left of an older one, and whether
# what the model said itself is condensed, too.


class Conversation:
    """The messages so far. `room` is how many tokens they may have."""

    def __init__(
        self, backend: Backend, tools: Sequence[Tool], prompt: Sequence[Message], answer_tokens: int
    ) -> None:
        self.messages: list[Message] = list(prompt)
        self.room = backend.context_window - answer_tokens - MARGIN
        self._backend = backend
        self._tools = tools
        self._fixed = len(self.messages)
        self._known_tokens = 0
        # What the first `_known` messages came to, by what a request was billed.
        self._known = 0

    @property
    def tokens(self) -> int:
        """How many they are; what has not been billed yet is estimated high."""
        tools = () if self._known else self._tools
        return self._known_tokens + estimate_prompt(self.messages[self._known :], tools)

    def add(self, messages: Iterable[Message]) -> None:
        """Go on."""
        self.messages += messages

    def answered(self, message: Message, completion: Completion) -> None:
        """Go on by an answer, whose usage tells how many tokens there are."""
        self.messages.append(message)
        usage = completion.usage
        if usage.calls == 1 and not usage.estimated_calls:
            self._known_tokens = usage.input_tokens + usage.output_tokens
            self._known = len(self.messages)

    def overflowed(self) -> None:
        """Learn that the endpoint found it too long, whatever was counted."""
        self.room = min(self.room, self.tokens) * 3 // 4
        self._known = self._known_tokens = 0

    async def fit(self) -> None:
        """Condense what is old if there is no room. Raises ContextOverflowError, BackendError."""
        if self.tokens <= self.room:
            return
        tokens = await self._count()
        for spared, characters, own in _STEPS:
            if tokens <= self.room:
                return
            self._condense(tokens, spared, characters, own=own)
            tokens = await self._count()
        if tokens > self.room:
            raise ContextOverflowError(
                f"The conversation does not fit into the {self._backend.context_window} tokens of "
                f"{self._backend.name}, however it is condensed."
            )

    async def _count(self) -> int:
        tokens = await self._backend.count_tokens(self.messages, self._tools)
        self._known_tokens, self._known = tokens, len(self.messages)
        return tokens

    def _condense(self, tokens: int, spared: int, characters: int, *, own: bool) -> None:
        """Shorten from the oldest on, until about `_GOAL` of the room is taken."""
        length = sum(map(_length, self.messages))
        goal = length * self.room * _GOAL / max(tokens, 1)
        for number in range(self._fixed, len(self.messages) - spared):
            if length <= goal:
                return
            message = self.messages[number]
            if own or message.role != "assistant":
                self.messages[number] = _condensed(message, characters)
                length -= _length(message) - _length(self.messages[number])


def _length(message: Message) -> int:
    return len(message.content) + sum(len(call.arguments) for call in message.tool_calls)


def _condensed(message: Message, characters: int) -> Message:
    return dataclasses.replace(
        message,
        content=_short(message.content, characters),
        tool_calls=tuple(_short_call(call, characters) for call in message.tool_calls),
    )


def _short(text: str, characters: int) -> str:
    short = cut(text, characters)
    return short if len(short) < len(text) else text


def _short_call(call: ToolCall, characters: int) -> ToolCall:
    arguments = {
        name: _short(value, characters) if isinstance(value, str) else value
        for name, value in json.loads(call.arguments).items()
    }
    return dataclasses.replace(call, arguments=json.dumps(arguments))
