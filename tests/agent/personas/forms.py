"""Forms of answers and faults that no provider has to itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from tests.agent.answers import Json, Used, events_reply, pieces
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Delta, Persona, bad, flat
from tests.agent.solver import Said, heard

ENDS = "Größe\u2028 und\x85 so \u2029 weiter\x1c."
"""With ends of lines to some readers, which are none in JSON."""


class Slow(Persona):
    """Thinks for longer than a connection may be silent, a word at a time."""

    name = "slow"
    thought_in = "reasoning_content"
    idle = 1.0

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        return replace(super().streamed(body, said, message, used), pause=0.04)


class KeepAlive(Persona):
    """Says for a while only that it is there."""

    name = "keep-alive"
    idle = 1.0

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        plain = super().streamed(body, said, message, used)
        waiting = [b": keep-alive\n\n"] * 12
        return replace(plain, pieces=[*waiting, b"".join(plain.pieces)], pause=0.1)


class Unasked(Persona):
    """Refuses a stream, and streams nevertheless, as what it calls JSON."""

    name = "unasked"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            return bad("Streaming is not supported for this model.")
        return None

    def is_told(self, body: Json) -> bool:
        return True

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        plain = self.streamed(body, said, self.message(said), used)
        return replace(plain, headers={"Content-Type": "application/json"})


class Whole(Persona):
    """Answers whole where a stream is asked for, with the end of a stream behind it."""

    name = "whole"
    thought_in = "reasoning"

    def is_told(self, body: Json) -> bool:
        return True

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        answer = json.dumps(self.whole(said, message, used))
        return events_reply([f"\n\n{answer}", "\n\ndata: [DONE]\n\n"])


class Harmony(Persona):
    """Leaves what its model writes as it is: channels, and calls in one of them."""

    name = "harmony"
    shows_thinking = True
    model = "gpt-oss-20b"

    @property
    def thinks(self) -> bool:
        return True

    def message(self, said: Said) -> Json:
        self.calls(said)
        parts = [f"<|channel|>analysis<|message|>{said.thinking}<|end|>"] if said.thinking else []
        parts += [
            f"<|start|>assistant<|channel|>commentary to=functions.{name} <|constrain|>json"
            f"<|message|>{json.dumps(arguments)}<|call|>"
            for name, arguments in said.calls
        ]
        if said.text:
            parts.append(f"<|start|>assistant<|channel|>final<|message|>{said.text}<|return|>")
        return {"role": "assistant", "content": "".join(parts)}

    def finish(self, said: Said) -> str:
        return "stop"


class Tagged(Persona):
    """Thinks in its text, between marks."""

    name = "think-tags"
    shows_thinking = True
    model = "qwen3-thinking"

    def __init__(self, marks: tuple[str, str] = ("<think>\n", "\n</think>\n\n")) -> None:
        super().__init__()
        self.marks = marks

    @property
    def thinks(self) -> bool:
        return True

    def message(self, said: Said) -> Json:
        opening, closing = self.marks
        thought = f"{opening}{said.thinking}{closing}" if said.thinking else ""
        return super().message(said) | {"content": thought + said.text}


class Unopened(Tagged):
    """The first mark was part of the prompt."""

    name = "think-unopened"

    def __init__(self) -> None:
        super().__init__(("", "\n</think>\n\n"))


class Bracketed(Tagged):
    """As raw Magistral writes them."""

    name = "think-brackets"

    def __init__(self) -> None:
        super().__init__(("[THINK]", "[/THINK]"))


class LooseCalls(Persona):
    """Calls without ids, or with one for all; arguments that are objects, or JSON in JSON."""

    name = "loose-calls"

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for number, call in enumerate(made):
            arguments = json.loads(call["function"]["arguments"])
            call["id"] = None if len(made) > 1 else "call_1"
            call["function"]["arguments"] = (
                arguments if number else json.dumps(call["function"]["arguments"])
            )
        return made

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for index, call in enumerate(calls):
            yield Delta(delta={"tool_calls": [call | {"index": index}]})


class NamelessCall(Persona):
    """Calls a tool that has no name beside others."""

    name = "nameless-call"

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        if len(made) > 1:
            made[1]["function"]["name"] = None
            made[1]["function"]["arguments"] = "[]"
        return made

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for index, call in enumerate(calls):
            yield Delta(delta={"tool_calls": [call | {"index": index}]})


class SameIds(Persona):
    """One id for all calls of all answers."""

    name = "same-ids"

    def new_id(self, name: str, number: int) -> str:
        return "call_0"


class Hiccup(Persona):
    """Something on the way fails once, and says nothing."""

    name = "hiccup"
    faults = 1

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if self.memory:
            return None
        self.memory["failed"] = True
        return Reply(status=400, body={"error": {"message": "Bad Request", "code": 400}})


class Austere(Persona):
    """Takes nothing but messages, and refuses the rest one by one."""

    name = "austere"
    refused: ClassVar[Sequence[str]] = (
        "seed",
        "stream_options",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
    )

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            return bad("stream: streaming is not available for this model")
        for name in self.refused:
            if name in body:
                return bad(f"{name} is not accepted by this model")
        if body["messages"][0]["role"] == "system":
            return bad("messages: the system role is not allowed")
        return None


class Blank(Persona):
    """Takes no content beside calls that is an empty text, in the words of Bedrock."""

    name = "blank"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            if message.get("content") == "":
                return self.said(number)
        return None

    def said(self, number: int) -> Reply:
        said = (
            f"The text field in the ContentBlock object at messages.{number}.content.0 is blank. "
            "Add text to the text field, and try again."
        )
        return Reply(status=400, body={"message": said})


class BlankClaude(Blank):
    """The same in the words of Anthropic."""

    name = "blank-claude"

    def said(self, number: int) -> Reply:
        return bad("messages: text content blocks must be non-empty")


class BlankXai(Blank):
    """The same in the words of xAI."""

    name = "blank-xai"

    def said(self, number: int) -> Reply:
        said = "Each message must have at least one content element."
        code = "Client specified an invalid argument"
        return Reply(status=400, body={"code": code, "error": said})


class NullContent(Persona):
    """Takes no message without a content that is a text."""

    name = "null-content"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            if not isinstance(message.get("content"), str):
                return flat(f"messages.{number}.content: Input should be a valid string")
        return None


class NullArguments(Persona):
    """Has no arguments where a tool needs none, and ends in words of its own."""

    name = "null-arguments"

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for call in made:
            if call["function"]["arguments"] == "{}":
                call["function"]["arguments"] = "null"
        return made

    def finish(self, said: Said) -> str:
        return "TOOL_CALL" if said.calls else "COMPLETE"


class Prefixed(Persona):
    """Puts a space of names before each tool, and it and the number into the id."""

    name = "prefixed"

    def new_id(self, name: str, number: int) -> str:
        return f"functions.{name}:{len(self.ids)}"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        """Refuse what it did not name so itself: it reads the tool out of the id."""
        for turn in heard(body):
            for identity in turn.calls:
                if identity not in self.ids and not identity.startswith("example"):
                    return bad(f"tool call id {identity} is not known")
        return None

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for number, call in enumerate(made):
            call["function"]["name"] = ("functions.", "default_api:")[number % 2] + call[
                "function"
            ]["name"]
        return made


class Repeating(Persona):
    """Says id and name of a call again with every fragment of it."""

    name = "repeating"

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for index, call in enumerate(calls):
            for piece in pieces(call["function"]["arguments"]):
                function = call["function"] | {"arguments": piece}
                yield Delta(delta={"tool_calls": [call | {"index": index, "function": function}]})


class Unnumbered(Persona):
    """Leaves the index of fragments out."""

    name = "unnumbered"

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for one in super().call_deltas(calls):
            [part] = one.delta["tool_calls"]
            del part["index"]
            yield Delta(delta={"tool_calls": [part]})


class Legacy(Persona):
    """Calls a function, as it was before there were tools."""

    name = "legacy"

    def message(self, said: Said) -> Json:
        message = super().message(said)
        calls = message.pop("tool_calls", None)
        return message | ({"function_call": calls[0]["function"]} if calls else {})

    def finish(self, said: Said) -> str:
        return "function_call" if said.calls else "stop"

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield from super().deltas(said, message)
        if called := message.get("function_call"):
            yield Delta(delta={"function_call": called | {"arguments": ""}})
            for piece in pieces(called["arguments"]):
                yield Delta(delta={"function_call": {"arguments": piece}})


class Bare(Persona):
    """Sends what it has as it is: other ends of lines, no blanks, characters that are no ASCII."""

    name = "bare"
    thought_in = "reasoning"

    def message(self, said: Said) -> Json:
        return super().message(replace(said, thinking=self._thought(said)))

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        return super().deltas(replace(said, thinking=self._thought(said)), message)

    def _thought(self, said: Said) -> str:
        return f"{ENDS}\n{said.thinking}"

    def event(self, chunk: Json) -> str:
        return f"data:{json.dumps(chunk, ensure_ascii=False)}\r\n\r\n"


class Spoken(Persona):
    """Takes tools and writes its calls into its text, which nobody reads there."""

    name = "spoken"
    speaks = True

    def message(self, said: Said) -> Json:
        calls = [{"name": name, "arguments": arguments} for name, arguments in said.calls]
        spoken = "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)
        return {"role": "assistant", "content": said.text + spoken}

    def finish(self, said: Said) -> str:
        return "stop"
