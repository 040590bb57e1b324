"""Answers in the forms of the Responses API and of the Messages API, whole and as event streams."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.agent.loopback import Reply
from tests.agent.solver import Said

Json = dict[str, Any]
SIGNATURE = "EqQBCgIYAhIM"


@dataclass(frozen=True, kw_only=True)
class Used:
    """What one answer used."""

    prompt: int
    # All of it, also what was read from a cache or written to it.
    cached: int
    written: int
    answer: int
    # Output tokens without the thinking.
    thinking: int

    @property
    def output(self) -> int:
        return self.answer + self.thinking


def pieces(text: str, size: int = 17) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def events_reply(events: Sequence[str], *, pause: float = 0.0) -> Reply:
    return Reply(
        headers={"Content-Type": "text/event-stream"},
        pieces=[event.encode() for event in events],
        pause=pause,
    )


def response(body: Json, said: Said, used: Used, calls: Sequence[Json]) -> Reply:
    """Answer as the Responses API does."""
    items: list[Json] = []
    if said.thinking:
        summary = [{"type": "summary_text", "text": said.thinking}]
        items.append(
            {"id": "rs_1", "type": "reasoning", "encrypted_content": "gAAAA", "summary": summary}
        )
    if said.text:
        part = {"type": "output_text", "text": said.text, "annotations": []}
        about = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
        items.append(about | {"content": [part]})
    for call in calls:
        about = {"id": f"fc_{call['id']}", "type": "function_call", "status": "completed"}
        items.append(about | {"call_id": call["id"], **call["function"]})
    answer: Json = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": body.get("model"),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": items,
        "usage": {
            "input_tokens": used.prompt,
            "input_tokens_details": {"cached_tokens": used.cached},
            "output_tokens": used.output,
            "output_tokens_details": {"reasoning_tokens": used.thinking},
            "total_tokens": used.prompt + used.output,
        },
    }
    return events_reply([*_response_events(answer)]) if body.get("stream") else Reply(body=answer)


def _response_events(answer: Json) -> Iterator[str]:
    begun = answer | {"status": "in_progress", "output": [], "usage": None}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for place, item in enumerate(answer["output"]):
        match item["type"]:
            case "reasoning":
                early, text = (
                    {"encrypted_content": "gAA", "summary": []},
                    item["summary"][0]["text"],
                )
                kind = "response.reasoning_summary_text.delta"
            case "message":
                early, text = {"content": []}, item["content"][0]["text"]
                kind = "response.output_text.delta"
            case _:
                early, text = {"arguments": ""}, item["arguments"]
                kind = "response.function_call_arguments.delta"
        deltas = [{"type": kind, "delta": piece} for piece in pieces(text)]
        begin = {"type": "response.output_item.added", "item": item | early}
        end = {"type": "response.output_item.done", "item": item}
        events += [one | {"output_index": place} for one in (begin, *deltas, end)]
    events.append({"type": "response.completed", "response": answer})
    for number, one in enumerate(events):
        yield f"event: {one['type']}\ndata: {json.dumps(one | {'sequence_number': number})}\n\n"


def claude(body: Json, said: Said, used: Used, calls: Sequence[Json]) -> Reply:
    """Answer as the Messages API does."""
    blocks: list[Json] = []
    if said.thinking and body.get("thinking", {}).get("type") in {"adaptive", "enabled"}:
        blocks.append({"type": "thinking", "thinking": said.thinking, "signature": SIGNATURE})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for call in calls:
        arguments = json.loads(call["function"]["arguments"])
        name = call["function"]["name"]
        blocks.append({"type": "tool_use", "id": call["id"], "name": name, "input": arguments})
    told = {
        "input_tokens": used.prompt - used.cached - used.written,
        "cache_read_input_tokens": used.cached,
        "cache_creation_input_tokens": used.written,
        "cache_creation": {"ephemeral_5m_input_tokens": used.written},
        "output_tokens": used.output,
        "output_tokens_details": {"thinking_tokens": used.thinking},
    }
    answer: Json = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": told,
    }
    return events_reply([*_claude_events(answer)]) if body.get("stream") else Reply(body=answer)


def _claude_events(answer: Json) -> Iterator[str]:
    begun = {"content": [], "stop_reason": None, "usage": answer["usage"] | {"output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": answer | begun}, {"type": "ping"}]
    for index, block in enumerate(answer["content"]):
        match block["type"]:
            case "thinking":
                early: Json = {"thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": piece}
                    for piece in pieces(block["thinking"])
                ] + [{"type": "signature_delta", "signature": block["signature"]}]
            case "text":
                early = {"text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
            case _:
                early = {"input": {}}
                deltas = [
                    {"type": "input_json_delta", "partial_json": piece}
                    for piece in ["", *pieces(json.dumps(block["input"]))]
                ]
        begin = {"type": "content_block_start", "content_block": block | early}
        middle = [{"type": "content_block_delta", "delta": delta} for delta in deltas]
        events += [
            one | {"index": index} for one in (begin, *middle, {"type": "content_block_stop"})
        ]
    stop = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": answer["usage"]})
    events.append({"type": "message_stop"})
    for one in events:
        yield f"event: {one['type']}\ndata: {json.dumps(one)}\n\n"
