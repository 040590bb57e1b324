"""Conversations in the shape that a model's family accepts.

Ids are unique, nothing is empty, and what a model's profile says it does not take (system messages,
turns it never took, text beside calls) is said in another way. What was said is never lost, except
for worked examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from agent.backend import Message, ToolCall
from agent.endpoint.profile import ModelProfile
from agent.endpoint.wire import sound

_NOTHING = "(nothing)"
_GO_ON = "I go on."


def shaped(messages: Sequence[Message], profile: ModelProfile) -> list[Message]:
    """Return the turns of a conversation as a model takes them."""
    turns = [replace(one, content=sound(one.content)) for one in messages]
    if not profile.examples:
        turns = _without_examples(turns)
    if not profile.system_role:
        turns = _system_as_user(turns)
    if profile.strict_turns:
        turns = _strict(turns)
    return [
        one
        if one.content.strip() or one.tool_calls or one.provider_data
        else replace(one, content=_NOTHING)
        for one in turns
    ]


def unique_ids(calls: Iterable[ToolCall], before: Sequence[Message]) -> tuple[ToolCall, ...]:
    """Return calls whose ids differ from each other and from those of a conversation.

    The provider's own ids stay, since some families read them; where one is missing or taken,
    the new one is of nine letters and digits, which every family takes.
    """
    taken = {call.id for message in before for call in message.tool_calls}
    number = sum(len(message.tool_calls) for message in before)
    unique = []
    for call in calls:
        name = call.id
        while not name or name in taken:
            name = _nine(number)
            number += 1
        taken.add(name)
        unique.append(replace(call, id=name))
    return tuple(unique)


def _nine(number: int) -> str:
    return f"call{number:05d}"


def _without_examples(turns: Sequence[Message]) -> list[Message]:
    return [one for one in turns if not one.is_example]


def _system_as_user(turns: Sequence[Message]) -> list[Message]:
    """Let the first message of the user open with what the system would have said."""
    said = "\n\n".join(one.content for one in turns if one.role == "system")
    rest = [one for one in turns if one.role != "system"]
    if not said:
        return rest
    if rest and rest[0].role == "user":
        return [replace(rest[0], content=f"{said}\n\n{rest[0].content}"), *rest[1:]]
    return [Message(role="user", content=said), *rest]


def _strict(turns: Sequence[Message]) -> list[Message]:
    ids: dict[str, str] = {}
    for call in (call for one in turns for call in one.tool_calls):
        ids.setdefault(call.id, _nine(len(ids)))
    shaped: list[Message] = []
    for one in turns:
        turn = _with_ids(one, ids)
        if turn.tool_calls:
            turn = replace(turn, content="")
        last = shaped[-1] if shaped else None
        if last and last.role == turn.role and turn.role in {"user", "system"}:
            shaped[-1] = replace(last, content=f"{last.content}\n\n{turn.content}")
            continue
        if last and last.role == "tool" and turn.role == "user":
            shaped.append(Message(role="assistant", content=_GO_ON))
        shaped.append(turn)
    return shaped


def _with_ids(message: Message, ids: Mapping[str, str]) -> Message:
    return replace(
        message,
        tool_calls=tuple(replace(call, id=ids[call.id]) for call in message.tool_calls),
        tool_call_id=ids.get(message.tool_call_id, message.tool_call_id),
    )
