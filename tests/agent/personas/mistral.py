"""Mistral's API and the models that it serves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from tests.agent.answers import Json, Used, pieces
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Delta, Persona
from tests.agent.solver import Heard, Said, heard


class Mistral(Persona):
    """Names every field that it does not know; ids of nine; no user right after a tool."""

    name = "mistral"
    turns = frozenset({"strict_turns"})
    model = "mistral-large-latest"
    refuses_setting = "seed"
    unknown: ClassVar[Sequence[str]] = ("seed", "stream_options", "max_completion_tokens")

    def new_id(self, name: str, number: int) -> str:
        return f"gSIM{len(self.ids):05d}"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        extra = [["body", one] for one in self.unknown if one in body]
        known = {"role", "content", "tool_calls", "tool_call_id"}
        for number, message in enumerate(body["messages"]):
            place = ["body", "messages", number, message["role"]]
            extra += [[*place, key] for key in message if key not in known]
        if extra:
            detail = [
                {
                    "type": "extra_forbidden",
                    "loc": place,
                    "msg": "Extra inputs are not permitted",
                    "input": 7,
                }
                for place in extra
            ]
            return self.said({"detail": detail}, "invalid_request_error", None, status=422)
        return self._order(heard(body))

    def said(self, message: object, kind: str, code: str | None, *, status: int = 400) -> Reply:
        body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
        return Reply(status=status, body=body)

    def _order(self, turns: Sequence[Heard]) -> Reply | None:
        before = ""
        for turn in turns:
            for identity in [*turn.calls, turn.answers]:
                if identity and not re.fullmatch("[a-zA-Z0-9]{9}", identity):
                    said = (
                        f"Tool call id was {identity} but must be a-z, A-Z, 0-9, with a length of "
                        "9."
                    )
                    return self.said(said, "invalid_function_call", "3280")
            if before == "tool" and turn.role == "user":
                said = "Unexpected role 'user' after role 'tool'"
                return self.said(said, "invalid_request_message_order", "3230")
            if turn.calls and turn.text:
                said = "Assistant message must have either content or tool_calls, but not both."
                return self.said(said, "invalid_request_error", None)
            before = turn.role
        return None

    def is_told(self, body: Json) -> bool:
        return True

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        """Return whole calls, without an index and a type, in the chunk that ends the answer."""
        if calls:
            bare = [{"id": call["id"], "function": call["function"]} for call in calls]
            yield Delta(delta={"tool_calls": bare, "content": ""}, finish="tool_calls")

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        yield self.chunk({"content": ""}, self.finish(said)) | {"usage": self.usage(used)}


class Magistral(Mistral):
    """Thinks in parts of the content."""

    name = "magistral"
    shows_thinking = True
    model = "magistral-medium-latest"

    @property
    def thinks(self) -> bool:
        return True

    def usage(self, used: Used) -> Json:
        told = super().usage(used)
        del told["completion_tokens_details"]
        return told

    def message(self, said: Said) -> Json:
        message = super().message(said)
        thought = [{"type": "text", "text": said.thinking}]
        parts: list[Json] = [{"type": "thinking", "thinking": thought, "closed": True}]
        message["content"] = parts + ([{"type": "text", "text": said.text}] if said.text else [])
        return message

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield Delta(delta={"role": "assistant", "content": ""})
        for piece in pieces(said.thinking):
            thought = [{"type": "text", "text": piece}]
            yield Delta(delta={"content": [{"type": "thinking", "thinking": thought}]})
        for piece in pieces(said.text):
            yield Delta(delta={"content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))


class StrictRelay(Mistral):
    """Names what it thinks as others do, and refuses to be told it again."""

    name = "strict-relay"
    turns = frozenset({"strict_turns", "thinking_back"})
    thought_in = "reasoning_content"

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield from Persona.deltas(self, said, message)
