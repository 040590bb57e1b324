"""What a persona is: a provider that refuses, answers and keeps books as a real one does."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tests.agent.answers import Json, Used, events_reply, pieces, response
from tests.agent.loopback import Asked, Reply
from tests.agent.solver import Heard, Said, answer_to, heard, words


@dataclass(kw_only=True)
class Books:
    """What a provider would bill, and how much of it its answers told."""

    prompt: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    bill: float = 0.0
    answers: int = 0
    untold: int = 0
    # Answers whose usage was not told.
    unpriced: int = 0


@dataclass(frozen=True, kw_only=True)
class Delta:
    """One chunk of a stream: what it adds, and why the answer ends."""

    delta: Mapping[str, Any]
    finish: str | None = None


class Persona:
    """A plain endpoint of chat completions, which refuses nothing but what makes no sense."""

    name: ClassVar[str] = "plain"
    model: ClassVar[str] = "solver-1"
    models: ClassVar[Sequence[Json] | None] = None
    """What it lists."""
    query: ClassVar[str] = ""
    """Part of its address."""
    sdk: ClassVar[str] = "openai"
    """Whose SDK asks it: of `openai` or `anthropic`."""
    refuses_setting: ClassVar[str] = ""
    """A setting which a user may ask for, and which it refuses."""
    effort: ClassVar[str | None] = None
    """That a user asks for."""
    idle: ClassVar[float] = 5.0
    """Seconds for which it may be silent."""
    takes_tools: ClassVar[bool] = True
    speaks: ClassVar[bool] = False
    """Whether it calls tools in its text only."""
    thought_in: ClassVar[str] = ""
    """The field that holds the thinking; "" where it is not shown."""
    turns: ClassVar[frozenset[str]] = frozenset()
    """What has to be learnt of it about turns: fields of a profile."""
    faults: ClassVar[int] = 0
    """Of its errors, those that are no refusals."""
    takes_top_p: ClassVar[bool] = False
    """Whether a user may ask for it where it excludes the temperature."""
    shows_thinking: ClassVar[bool] = False
    """Outside of a field of its own."""
    says_what: ClassVar[bool] = True
    """Whether its refusals say what they are about."""
    tells_usage: ClassVar[bool] = True
    tells_bill: ClassVar[bool] = False
    price: ClassVar[tuple[float, float]] = (1e-6, 4e-6)
    """US dollars a token in and out."""

    def __init__(self) -> None:
        self.books = Books()
        self.refusals: list[str] = []
        # The requests that were taken, and their bodies.
        self.taken: list[Json] = []
        self.asked: list[Asked] = []
        # Of calls, as they were given out.
        self.ids: list[str] = []
        self.memory: dict[str, bool] = {}
        # What was thought before a call, by its id.
        self.thought: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Reply:
        refused = self.refusal(asked.body, asked) or self.disorder(asked.body)
        if refused is not None:
            self.refusals.append(text_of(refused))
            return refused
        said = answer_to(heard(asked.body), takes_tools=bool(asked.body.get("tools")))
        self.taken.append(asked.body)
        self.asked.append(asked)
        used = self.used(asked.body, said)
        self.book(asked.body, used)
        return self.reply(asked.body, said, used)

    @property
    def repeated(self) -> dict[str, int]:
        """Refusals that were met too often: what says nothing may be asked once again."""
        met = Counter(re.sub(r"\d+", "N", refusal) for refusal in self.refusals)
        most = 1 if self.says_what else 2
        return {refusal: times for refusal, times in met.items() if times > most}

    @property
    def named_again(self) -> set[str]:
        """Settings that more than one refusal names."""
        times: Counter[str] = Counter()
        for refusal in self.refusals:
            times.update(set(re.findall(r"seed|stream_options|temperature|top_?[pP]", refusal)))
        return {name for name, number in times.items() if number > 1}

    def takes(self, more: Json) -> bool:
        """Whether the last request would have been taken with this in it, too."""
        body = {**self.taken[-1], **more}
        return self.refusal(body, replace(self.asked[-1], body=body)) is None

    # What it takes.

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        """Refuse what this provider refuses."""
        return None

    def disorder(self, body: Json) -> Reply | None:
        """Refuse a conversation that no provider takes."""
        pending: list[str] = []
        seen: set[str] = set()
        for number, turn in enumerate(heard(body)):
            if turn.role == "tool":
                if turn.answers not in pending:
                    return bad(
                        "Invalid parameter: messages with role 'tool' must be a response to a "
                        "preceeding message with 'tool_calls'.",
                        f"messages.[{number}].role",
                    )
                pending.remove(turn.answers)
                continue
            if pending:
                return bad(
                    "An assistant message with 'tool_calls' must be followed by tool messages "
                    "responding to each 'tool_call_id'. The following tool_call_ids did not have "
                    f"response messages: {', '.join(pending)}",
                    "messages",
                )
            if doubled := seen.intersection(turn.calls):
                return bad(f"Duplicate value for 'tool_call_id' of {doubled} in messages")
            if not turn.text.strip() and not turn.calls:
                return bad(f"messages.{number}: all messages must have non-empty content")
            pending = [*turn.calls]
            seen.update(turn.calls)
        return bad("The last message must not have calls") if pending else None

    # What it bills.

    def used(self, body: Json, said: Said) -> Used:
        prompt = words(body.get("messages") or body.get("input")) + words(body.get("tools", ""))
        return Used(
            prompt=prompt + 11,
            cached=prompt // 3,
            written=0,
            answer=words(said.text) + words(list(said.calls)) + 1,
            thinking=3 * words(said.thinking) + 2 if self.thinks else 0,
        )

    @property
    def thinks(self) -> bool:
        return bool(self.thought_in)

    def book(self, body: Json, used: Used) -> None:
        books = self.books
        books.answers += 1
        books.prompt += used.prompt
        books.cached += used.cached
        books.written += used.written
        books.output += used.output
        books.bill += self.bill(used)
        books.untold += not self.is_told(body)
        books.unpriced += not (self.tells_bill and self.is_priced(body))

    def bill(self, used: Used) -> float:
        return round(used.prompt * self.price[0] + used.output * self.price[1], 10)

    def is_told(self, body: Json) -> bool:
        """Whether an answer to this request tells what it used."""
        if "input" in body:
            return True
        options = body.get("stream_options") or {}
        return self.tells_usage and (not body.get("stream") or bool(options.get("include_usage")))

    def is_priced(self, body: Json) -> bool:
        """The same of its price, where the provider tells it at all."""
        return self.is_told(body)

    def usage(self, used: Used) -> Json:
        told: Json = {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.output,
            "total_tokens": used.prompt + used.output,
            "prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0},
        }
        if self.thinks:
            told["completion_tokens_details"] = {"reasoning_tokens": used.thinking}
        return told

    # How it answers.

    def new_id(self, name: str, number: int) -> str:
        """Return an id for the call of a tool, the `number`th of its answer."""
        return f"call_{len(self.ids):06x}{number}"

    def calls(self, said: Said) -> list[Json]:
        made = []
        for number, (name, arguments) in enumerate(said.calls):
            identity = self.new_id(name, number)
            self.ids.append(identity)
            if said.thinking:
                self.thought[identity] = said.thinking
            function = {"name": name, "arguments": json.dumps(arguments)}
            made.append({"id": identity, "type": "function", "function": function})
        return made

    def message(self, said: Said) -> Json:
        """Return the message of an answer that comes whole."""
        message: Json = {"role": "assistant", "content": said.text or None}
        if self.thought_in:
            message[self.thought_in] = said.thinking
        if said.calls:
            message["tool_calls"] = self.calls(said)
        return message

    def finish(self, said: Said) -> str:
        return "tool_calls" if said.calls else "stop"

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        if "input" in body:
            return response(body, said, used, self.calls(said))
        message = self.message(said)
        if body.get("stream"):
            return self.streamed(body, said, message, used)
        return Reply(body=self.whole(said, message, used))

    def whole(self, said: Said, message: Json, used: Used) -> Json:
        answer: Json = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish(said)}],
        }
        return answer | ({"usage": self.usage(used)} if self.tells_usage else {})

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        events = [self.event(chunk) for chunk in self.chunks(body, said, message, used)]
        return events_reply([*events, "data: [DONE]\n\n"])

    def event(self, chunk: Json) -> str:
        return f"data: {json.dumps(chunk)}\n\n"

    def chunks(self, body: Json, said: Said, message: Json, used: Used) -> Iterator[Json]:
        for one in self.deltas(said, message):
            yield self.chunk(one.delta, one.finish)
        yield from self.last_chunks(body, said, used)

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": self.model,
            "choices": [choice],
        }

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        """Return the chunks with the end and the usage."""
        yield self.chunk({}, self.finish(said))
        if self.is_told(body):
            yield self.chunk({}) | {"choices": [], "usage": self.usage(used)}

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield Delta(delta={"role": "assistant", "content": ""})
        if self.thought_in:
            for piece in pieces(said.thinking):
                yield Delta(delta={self.thought_in: piece})
        for piece in pieces(message.get("content") or ""):
            yield Delta(delta={"content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for index, call in enumerate(calls):
            function = call["function"]
            begun = call | {"index": index, "function": function | {"arguments": ""}}
            yield Delta(delta={"tool_calls": [begun]})
            for piece in pieces(function["arguments"]):
                part = {"index": index, "function": {"arguments": piece}}
                yield Delta(delta={"tool_calls": [part]})


def text_of(reply: Reply) -> str:
    body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    return (b"".join(reply.pieces) or body).decode()


def bad(
    message: str,
    param: str | None = None,
    code: str | None = None,
    *,
    status: int = 400,
    kind: str = "invalid_request_error",
) -> Reply:
    """Refuse in OpenAI's form."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Reply(status=status, body={"error": error})


def unsupported(name: str, instead: str = "") -> Reply:
    message = f"Unsupported parameter: '{name}' is not supported with this model.{instead}"
    return bad(message, name, "unsupported_parameter")


def only_default(name: str, value: object, default: object) -> Reply:
    message = (
        f"Unsupported value: '{name}' does not support {json.dumps(value)} with this model. "
        f"Only the default ({json.dumps(default)}) value is supported."
    )
    return bad(message, name, "unsupported_value")


def turns_of(body: Json, role: str) -> list[tuple[int, Heard]]:
    return [(n, turn) for n, turn in enumerate(heard(body)) if turn.role == role]


def flat(message: str, *, status: int = 400) -> Reply:
    """Refuse in the old form of vLLM."""
    body = {"object": "error", "message": message, "type": "BadRequestError", "param": None}
    return Reply(status=status, body=body | {"code": status})
