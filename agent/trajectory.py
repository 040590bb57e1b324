"""What happened in one sample, turn by turn, and the form in which it is kept.

Nothing is left out: what a model was shown shortened stands here whole.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agent.backend import USAGE, Message, Role, ToolCall, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One message, and what it took to come by it."""

    message: Message
    usage: Usage = field(default_factory=Usage)
    # Of the request that an assistant's message answers.
    seconds: float = 0.0
    # That the request took, or the command whose output this is.
    exit_code: int | None = None
    # Of that command; None when there was none, or when it was ended.
    whole: str = ""
    # The observation as it was, where the model was shown less of it.
    source: str = ""
    # Who speaks or acts where that is not plain, such as "reproduction" or "ranking".


def turns_of(messages: Iterable[Message]) -> tuple[Turn, ...]:
    """Return messages as turns that took nothing, such as those of a prompt."""
    return tuple(Turn(message=message) for message in messages)


def to_json(turns: Iterable[Turn]) -> str:
    """Return turns as text; what is as it usually is, is left out."""
    return json.dumps([_row(turn) for turn in turns])


def from_json(text: str) -> tuple[Turn, ...]:
    """Read what `to_json` wrote."""
    return tuple(_turn(row) for row in json.loads(text))


def _row(turn: Turn) -> dict[str, Any]:
    message = turn.message
    row: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        row["tool_calls"] = [dataclasses.asdict(call) for call in message.tool_calls]
    if message.tool_call_id:
        row["tool_call_id"] = message.tool_call_id
    usage = {name: value for name in USAGE if (value := getattr(turn.usage, name))}
    if turn.exit_code is not None:
        row["exit_code"] = turn.exit_code
    rest = {
        "usage": usage,
        "seconds": turn.seconds,
        "whole": turn.whole,
        "source": turn.source,
        "thinking": message.thinking,
        "provider_data": message.provider_data,
        "is_example": message.is_example,
    }
    return row | {name: value for name, value in rest.items() if value}


def _turn(row: dict[str, Any]) -> Turn:
    role: Role = row["role"]
    return Turn(
        message=Message(
            role=role,
            content=row["content"],
            tool_calls=tuple(ToolCall(**call) for call in row.get("tool_calls", ())),
            tool_call_id=row.get("tool_call_id", ""),
            thinking=row.get("thinking", ""),
            provider_data=row.get("provider_data", ""),
            is_example=row.get("is_example", False),
        ),
        usage=Usage(**row.get("usage", {})),
        seconds=row.get("seconds", 0.0),
        exit_code=row.get("exit_code"),
        whole=row.get("whole", ""),
        source=row.get("source", ""),
    )
