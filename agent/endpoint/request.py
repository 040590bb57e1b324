"""What is sent to an endpoint: messages and tools in the form of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agent.backend import Message, Tool

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How an endpoint departs from the common form of a request."""

    limit_field: str = "max_tokens"
    # "max_tokens" or "max_completion_tokens".
    seed: bool = True
    # Whether it takes one; some refuse it.
    highest_temperature: float = 2.0


COMMON = Dialect()


def wire_messages(messages: Sequence[Message]) -> list[ChatCompletionMessageParam]:
    """Return a conversation as endpoints take it."""
    return cast("list[ChatCompletionMessageParam]", [_wire_message(one) for one in messages])


def _wire_message(message: Message) -> dict[str, object]:
    # Half of a surrogate pair, from the name of a file, say, is no text that can be sent.
    content = message.content.encode(errors="replace").decode()
    wire: dict[str, object] = {"role": message.role, "content": content}
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return wire


def wire_tools(tools: Sequence[Tool]) -> list[ChatCompletionToolParam]:
    """Return tools as endpoints take them."""
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
