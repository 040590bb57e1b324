"""Providers as their users meet them: what each refuses, in its words, and how it answers.

A persona is what a loopback `Endpoint` answers with. It checks the conversation as its provider
does, keeps books of what it would bill, and lets one and the same solver answer in its form.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

from tests.agent.answers import SIGNATURE, Json, Used, claude, events_reply, pieces, response
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
    # Answers whose price was not told.


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
    # What it lists.
    query: ClassVar[str] = ""
    # Part of its address.
    sdk: ClassVar[str] = "openai"
    # Whose SDK asks it: of `openai` or `anthropic`.
    refuses_setting: ClassVar[str] = ""
    # A setting which a user may ask for, and which it refuses.
    effort: ClassVar[str | None] = None
    # That a user asks for.
    idle: ClassVar[float] = 5.0
    # Seconds for which it may be silent.
    takes_tools: ClassVar[bool] = True
    speaks: ClassVar[bool] = False
    # Whether it calls tools in its text only.
    thought_in: ClassVar[str] = ""
    # The field that holds the thinking; "" where it is not shown.
    turns: ClassVar[frozenset[str]] = frozenset()
    # What has to be learnt of it about turns: fields of a profile.
    faults: ClassVar[int] = 0
    # Of its errors, those that are no refusals.
    takes_top_p: ClassVar[bool] = False
    # Whether a user may ask for it where it excludes the temperature.
    shows_thinking: ClassVar[bool] = False
    # Outside of a field of its own.
    says_what: ClassVar[bool] = True
    # Whether its refusals say what they are about.
    tells_usage: ClassVar[bool] = True
    tells_bill: ClassVar[bool] = False
    price: ClassVar[tuple[float, float]] = (1e-6, 4e-6)
    # US dollars a token in and out.

    def __init__(self) -> None:
        self.books = Books()
        self.refusals: list[str] = []
        self.taken: list[Json] = []
        self.asked: list[Asked] = []
        # The requests that were taken, and their bodies.
        self.ids: list[str] = []
        # Of calls, as they were given out.
        self.memory: dict[str, bool] = {}
        self.thought: dict[str, str] = {}
        # What was thought before a call, by its id.

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


# OpenAI and Azure.


class Gpt5(Persona):
    """A reasoning model of OpenAI's: typed refusals, one a time; thinking is not shown."""

    name = "gpt-5"
    model = "gpt-5-mini"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        return gpt5(body)


def gpt5(body: Json) -> Reply | None:
    if "max_tokens" in body:
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    if body.get("temperature", 1) != 1:
        return only_default("temperature", body["temperature"], 1)
    if "top_p" in body:
        return unsupported("top_p")
    return None


class O1Mini(Gpt5):
    """An early reasoning model: no system message, no stream, no tools."""

    name = "o1-mini"
    model = "o1-mini"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            return only_default("stream", True, False)
        for number, message in enumerate(body["messages"]):
            if message["role"] in {"system", "developer"}:
                place = f"messages[{number}].role"
                said = (
                    f"Unsupported value: '{place}' does not support '{message['role']}' with this "
                    "model."
                )
                return bad(said, place, "unsupported_value")
        if "tools" in body:
            return unsupported("tools")
        return super().refusal(body, asked)


class Unverified(Gpt5):
    """The same for an organisation that has not shown who it is: no stream."""

    name = "unverified"
    model = "o3"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            said = (
                "Your organization must be verified to stream this model. Please go to: "
                "https://platform.openai.com/settings/organization/general and click on Verify "
                "Organization. If you just verified, it can take up to 15 minutes for access to "
                "propagate."
            )
            return bad(said, "stream", "unsupported_value")
        return super().refusal(body, asked)


class ResponsesOnly(Persona):
    """A model that is only on the Responses API."""

    name = "responses-only"
    shows_thinking = True
    model = "gpt-5-codex"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if asked.page.endswith("/chat/completions"):
            said = "This model is only supported in v1/responses and not in v1/chat/completions."
            return bad(said, "model", status=404)
        for name in ("temperature", "top_p"):
            if name in body:
                return unsupported(name)
        for name in ("seed", "stream_options", "messages", "max_tokens", "reasoning_effort"):
            if name in body:
                return bad(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        return self._unlike(body["input"])

    def _unlike(self, items: Sequence[Json]) -> Reply | None:
        """Refuse calls of its own that come without the reasoning which came with them."""
        before: Json = {}
        for item in items:
            kind = item.get("type", "message")
            if kind == "reasoning" and item.get("encrypted_content") != "gAAAA":
                said = (
                    f"Item with id '{item.get('id')}' not found. Items are not persisted when "
                    "`store` is set to false."
                )
                return bad(said, "input", status=404)
            lone = before.get("role") == "user" or before.get("type") == "function_call_output"
            if kind == "function_call" and item["call_id"] in self.thought and lone:
                said = (
                    "Item 'fc_1' of type 'function_call' was provided without its required "
                    "'reasoning' item: 'rs_1'."
                )
                return bad(said, "input")
            before = item
        return None


class ToolsOnResponses(ResponsesOnly):
    """A model that chats, but takes tools on the Responses API only."""

    name = "tools-on-responses"
    shows_thinking = False
    model = "gpt-5.4"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if not asked.page.endswith("/chat/completions"):
            return super().refusal(body, asked)
        if "tools" in body:
            said = (
                "Function tools with reasoning_effort are not supported for gpt-5.4 in "
                "/v1/chat/completions. Please use /v1/responses instead."
            )
            return bad(said, "reasoning_effort")
        return gpt5(body)


# Google, Mistral, DeepSeek, Moonshot.


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


class Gemini(Persona):
    """Unknown names in a list; thinking only in the total; signatures that have to come back."""

    name = "gemini"
    turns = frozenset({"examples"})
    model = "gemini-3-flash"
    refuses_setting = "seed"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        unknown = [one for one in ("seed", "frequency_penalty") if one in body]
        if unknown:
            said = [
                f'Invalid JSON payload received. Unknown name "{one}": Cannot find field.'
                for one in unknown
            ]
            violations = [{"description": one} for one in said]
            details = [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": violations,
                }
            ]
            return self.said("\n".join(said), details=details)
        for number, message in enumerate(body["messages"]):
            for call in message.get("tool_calls", [])[:1]:
                google = call.get("extra_content", {}).get("google", {})
                if google.get("thought_signature") != f"sig-{call['id']}" and not self._is_first(
                    google, message
                ):
                    return self.said(
                        "Function call is missing a thought_signature in functionCall parts. This "
                        "is required for tools to work correctly, and missing thought_signature "
                        "may lead to degraded model performance. Additional data, function call "
                        f"`default_api:{call['function']['name']}` , position {number}. Please "
                        "refer to https://ai.google.dev/gemini-api/docs/thought-signatures for "
                        "more details."
                    )
        return None

    def _is_first(self, google: Json, message: Json) -> bool:
        return str(google.get("thought_signature", "")).startswith("sig-")

    def said(self, message: str, **more: Any) -> Reply:
        error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT", **more}
        return Reply(status=400, body=[{"error": error}])

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for call in made[:1]:
            call["extra_content"] = {"google": {"thought_signature": f"sig-{call['id']}"}}
        return [call | {"id": ""} for call in made]

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.answer,
            "total_tokens": used.prompt + used.output,
        }

    def used(self, body: Json, said: Said) -> Used:
        used = super().used(body, said)
        return Used(
            prompt=used.prompt,
            cached=0,
            written=0,
            answer=used.answer,
            thinking=used.thinking,
        )

    def finish(self, said: Said) -> str:
        return "stop"

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for call in calls:
            yield Delta(delta={"tool_calls": [call | {"index": None}]})


class DeepSeek(Persona):
    """Wants its thinking back with every call, also where it is empty; few tokens of answer."""

    name = "deepseek"
    turns = frozenset({"examples"})
    model = "deepseek-reasoner"
    thought_in = "reasoning_content"
    most: ClassVar[int] = 8_192

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("max_tokens", 1) > self.most:
            said = f"Invalid max_tokens value, the valid range of max_tokens is [1, {self.most}]"
            return bad(said, code="invalid_request_error")
        for message in body["messages"]:
            if message.get("tool_calls") and "reasoning_content" not in message:
                said = (
                    "The `reasoning_content` in the thinking mode must be passed back to the API."
                )
                return bad(said, code="invalid_request_error")
        return None

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        """Think nothing before a second call: that has to come back as nothing."""
        is_second = any("sed" in str(arguments) for _, arguments in said.calls)
        return super().reply(body, replace(said, thinking="") if is_second else said, used)

    def usage(self, used: Used) -> Json:
        return super().usage(used) | {
            "prompt_cache_hit_tokens": used.cached,
            "prompt_cache_miss_tokens": used.prompt - used.cached,
        }

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        usage = {"usage": self.usage(used)} if self.is_told(body) else {}
        yield self.chunk({"content": "", "reasoning_content": None}, self.finish(said)) | usage


class DeepSeekR1(Persona):
    """Refuses its thinking back, turns that do not alternate, and tools."""

    name = "deepseek-r1"
    model = "deepseek-r1"
    thought_in = "reasoning_content"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            said = "deepseek-reasoner does not support Function Calling"
            return bad(said, code="invalid_request_error")
        before = ""
        for number, message in enumerate(body["messages"]):
            if message["role"] == before:
                said = (
                    "deepseek-reasoner does not support successive user or assistant messages "
                    f"(messages[{number - 1}] and messages[{number}] in your input). You should "
                    "interleave the user/assistant messages in the message sequence."
                )
                return bad(said, code="invalid_request_error")
            before = message["role"]
            if "reasoning_content" in message:
                said = f"messages[{number}]: reasoning_content is not allowed in the input"
                return bad(said, code="invalid_request_error")
        return None


class Kimi(Persona):
    """One temperature only; thinking back with calls, never empty; ids that it reads itself."""

    name = "kimi"
    turns = frozenset({"examples"})
    model = "kimi-k2-thinking"
    thought_in = "reasoning_content"
    refuses_setting = "temperature"

    def new_id(self, name: str, number: int) -> str:
        return f"functions.{name}:{number}"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("temperature", 1) != 1:
            return self.said("invalid temperature: only 1 is allowed for this model")
        for number, message in enumerate(body["messages"]):
            if not message.get("content") and not message.get("tool_calls"):
                return self.said(
                    f"Invalid request: the message at position {number} with role "
                    f"'{message['role']}' must not be empty"
                )
            if message.get("tool_calls") and not message.get("reasoning_content"):
                return self.said(
                    "thinking is enabled but reasoning_content is missing in assistant tool call "
                    f"message at index {number}"
                )
        return None

    def said(self, message: str) -> Reply:
        error = {"message": message, "type": "invalid_request_error"}
        return Reply(status=400, body={"error": error})

    def usage(self, used: Used) -> Json:
        told = super().usage(used) | {"cached_tokens": used.cached}
        del told["prompt_tokens_details"]
        return told

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        last = self.chunk({}, self.finish(said))
        if self.is_told(body):
            last["choices"][0]["usage"] = self.usage(used)
        yield last


class Zai(Persona):
    """Names nothing of what it refuses."""

    name = "z.ai"
    says_what = False
    faults = 1
    model = "glm-4.6"
    thought_in = "reasoning_content"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "seed" in body:
            said = "Invalid API parameter, please check the documentation."
            return Reply(status=400, body={"error": {"code": "1210", "message": said}})
        return None

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        yield self.chunk({"content": ""}, self.finish(said)) | {"usage": self.usage(used)}

    def is_told(self, body: Json) -> bool:
        return True


class Zhipu(Persona):
    """Takes no temperature of 0 or 1, and says so in Chinese."""

    name = "zhipu"
    model = "glm-4-plus"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if not 0 < body.get("temperature", 0.5) < 1:
            error = {"code": "1214", "message": "temperature参数非法。请检查文档。"}
            return Reply(status=400, body={"error": error})
        return None


class DashScope(Persona):
    """Only streams; goes on with a call under an empty id."""

    name = "dashscope"
    model = "qwq-plus"
    thought_in = "reasoning_content"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if not body.get("stream"):
            return self.said(
                "This model only support stream mode, please enable the stream parameter to "
                "access the model. "
            )
        return None

    def said(self, message: str) -> Reply:
        error = {
            "code": "invalid_parameter_error",
            "param": None,
            "message": message,
            "type": "invalid_request_error",
        }
        return Reply(status=400, body={"error": error, "id": "chatcmpl-1", "request_id": "1"})

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> Json:
        return super().chunk(delta, finish) | {"usage": None}

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for index, call in enumerate(calls):
            function = call["function"]
            begun = call | {"index": index, "function": function | {"arguments": ""}}
            yield Delta(delta={"content": None, "tool_calls": [begun]})
            for piece in [*pieces(function["arguments"]), ""]:
                part = {"index": index, "id": "", "type": "function"}
                yield Delta(delta={"tool_calls": [part | {"function": {"arguments": piece}}]})


class DashScopeLate(DashScope):
    """Refuses in the stream, under status 200."""

    name = "dashscope-late"
    model = "qwen-max"
    thought_in = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("max_tokens", 1) > 2_048:
            said = (
                "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 2048]"
            )
            refused = self.said(said)
            return events_reply([f"data: {json.dumps(refused.body)}\n\n"])
        return super().refusal(body, asked)


class MiniMax(Persona):
    """Refuses under status 200 and names nothing; thinks in its text."""

    name = "minimax"
    shows_thinking = True
    says_what = False
    faults = 1
    model = "MiniMax-M2"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "seed" in body:
            base = {
                "status_code": 2013,
                "status_msg": "invalid params, invalid chat setting (2013)",
            }
            return Reply(body={"id": "1", "choices": None, "usage": None, "base_resp": base})
        return None

    def message(self, said: Said) -> Json:
        message = super().message(said)
        message["content"] = f"<think>\n{said.thinking}\n</think>\n\n{said.text}"
        return message

    def usage(self, used: Used) -> Json:
        return super().usage(used) | {"total_characters": 0}

    def whole(self, said: Said, message: Json, used: Used) -> Json:
        base = {"status_code": 0, "status_msg": ""}
        return super().whole(said, message, used) | {"base_resp": base, "input_sensitive": False}


# xAI, Groq, Cerebras, Fireworks.


class Xai(Persona):
    """An error that is a text; thinking beside the completion; a bill in ticks."""

    name = "xai"
    model = "grok-4"
    tells_bill = True
    refuses_setting = "reasoning_effort"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        code = "Client specified an invalid argument"
        if "seed" in body:
            said = "Argument not supported on this model: seed"
            return Reply(status=400, body={"code": code, "error": said})
        if "top_p" in body:
            said = "Argument not supported on this model: topP"
            return Reply(status=400, body={"code": code, "error": said})
        if "reasoning_effort" in body:
            said = "Model grok-4 does not support parameter reasoningEffort."
            return Reply(status=400, body={"code": "invalid-argument", "error": said})
        return None

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.answer,
            "total_tokens": used.prompt + used.output,
            "prompt_tokens_details": {"text_tokens": used.prompt, "cached_tokens": used.cached},
            "completion_tokens_details": {"reasoning_tokens": used.thinking},
            "num_sources_used": 0,
            "cost_in_usd_ticks": round(self.bill(used) * 1e10),
        }


class Groq(Persona):
    """Thinks in a field that it refuses back; names of tools with marks on them."""

    name = "groq"
    turns = frozenset({"thinking_back"})
    model = "openai/gpt-oss-120b"
    thought_in = "reasoning"
    refuses_setting = "reasoning_effort"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "reasoning_effort" in body:
            return self.said("`reasoning_effort` is not supported with this model")
        for number, message in enumerate(body["messages"]):
            for key in set(message) - {"role", "content", "tool_calls", "tool_call_id", "name"}:
                place = f"'messages.{number}'"
                return self.said(
                    f"{place} : for 'role:assistant' the following must be satisfied[({place} : "
                    f"property '{key}' is unsupported)]"
                )
        return None

    def said(self, message: str, **more: Any) -> Reply:
        error = {"message": message, "type": "invalid_request_error", **more}
        return Reply(status=400, body={"error": error})

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for call in made:
            call["function"]["name"] += "<|channel|>commentary"
        return made

    def message(self, said: Said) -> Json:
        message = super().message(said)
        return (
            message if message["content"] else {k: v for k, v in message.items() if k != "content"}
        )

    def is_told(self, body: Json) -> bool:
        return True

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        last = self.chunk({}, self.finish(said))
        yield last | {"x_groq": {"id": "req_1", "usage": self.usage(used) | {"total_time": 0.5}}}


class GroqFailed(Groq):
    """Fails once to read a call of its model's: no refusal, and worth another try."""

    name = "groq-failed"
    faults = 1

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if refused := super().refusal(body, asked):
            return refused
        if "tools" in body and not self.memory:
            self.memory["failed"] = True
            # The model has written something.
            self.book(body, self.used(body, Said()))
            self.books.untold += 1
            said = "Failed to call a function. Please adjust your prompt."
            return self.said(said, code="tool_use_failed", failed_generation="<tool>{")
        return None


class Cerebras(Persona):
    """Its error stands alone and names all fields at once."""

    name = "cerebras"
    turns = frozenset({"thinking_back"})
    model = "gpt-oss-120b"
    thought_in = "reasoning"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        places = [f"body.{one}" for one in ("seed", "top_p") if one in body]
        for number, message in enumerate(body["messages"]):
            if "reasoning" in message:
                places.append(f"messages.{number}.assistant.reasoning")
        if not places:
            return None
        said = "\n".join(f"{one}: property '{one}' is unsupported" for one in places)
        error = {"message": said, "type": "invalid_request_error", "param": "validation_error"}
        return Reply(status=400, body=error | {"code": "wrong_api_format"})


class Fireworks(Persona):
    """Counts its faults, and takes long answers only in streams."""

    name = "fireworks"
    model = "accounts/fireworks/models/qwen3-coder"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        extra = [one for one in ("seed", "stream_options") if one in body]
        if extra:
            faults = [
                f"Extra inputs are not permitted, field: '{one}', value: {body[one]}"
                for one in extra
            ]
            count = (
                "1 request validation error" if len(faults) == 1 else "2 request validation errors"
            )
            said = f"{count}: {'; '.join(faults)}"
            kind = "invalid_request_error"
            error = {"object": "error", "type": kind, "code": kind, "message": said}
            return Reply(status=400, body={"error": error})
        if body.get("max_tokens", 0) > 4_096 and not body.get("stream"):
            said = "Requests with max_tokens > 4096 must have stream=true"
            return bad(said, "max_tokens", "BAD_REQUEST", kind="error")
        return None

    def is_told(self, body: Json) -> bool:
        return True


# Anthropic.


class ClaudeBoth(Persona):
    """Anthropic's compatible endpoint for a model that takes one of two samplers."""

    name = "claude-both"
    takes_top_p = True
    model = "claude-opus-4-1"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "temperature" in body and "top_p" in body:
            return self.said(
                "`temperature` and `top_p` cannot both be specified for this model. Please use "
                "only one."
            )
        return None

    def said(self, message: str) -> Reply:
        kind = "invalid_request_error"
        error = {"code": kind, "message": message, "type": kind, "param": None}
        return Reply(status=400, body={"error": error})

    def usage(self, used: Used) -> Json:
        return super().usage(used) | {"prompt_tokens_details": None}

    def used(self, body: Json, said: Said) -> Used:
        return replace(super().used(body, said), cached=0)

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        """Number calls as the blocks that they are; the text was the first."""
        for one in super().call_deltas(calls):
            [part] = one.delta["tool_calls"]
            yield Delta(delta={"tool_calls": [part | {"index": part["index"] + 1}]})


class ClaudeDeprecated(ClaudeBoth):
    """The same for a model that takes neither, and says so one after the other."""

    name = "claude-deprecated"
    model = "claude-opus-4-7"
    takes_top_p = False
    refuses_setting = "temperature"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for name in ("temperature", "top_p"):
            if name in body:
                return self.said(f"`{name}` is deprecated for this model.")
        return None


class Claude(Persona):
    """Anthropic's own API: an effort, thinking with signatures, a cache written and read."""

    name = "claude"
    shows_thinking = True
    model = "claude-opus-4-7"
    sdk = "anthropic"
    effort = "low"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for name in ("temperature", "top_p"):
            if name in body:
                return self.said(f"`{name}` is deprecated for this model.")
        if body.get("thinking", {}).get("type") == "enabled":
            return self.said(
                '"thinking.type.enabled" is not supported for this model. Use '
                '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
            )
        return self._unlike(body)

    def _unlike(self, body: Json) -> Reply | None:
        if body.get("thinking", {}).get("type") not in {"adaptive", "enabled"}:
            return None
        for number, message in enumerate(body["messages"]):
            blocks = message["content"]
            uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
            first = blocks[0]
            if not any(one in self.thought for one in uses):
                continue
            if first["type"] != "thinking":
                return self.said(
                    f"messages.{number}.content.0.type: Expected `thinking` or "
                    f"`redacted_thinking`, but found `{first['type']}`. When `thinking` is "
                    "enabled, a final `assistant` message must start with a thinking block "
                    "(preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
                )
            if (first["thinking"], first["signature"]) != (self.thought[uses[0]], SIGNATURE):
                return self.said(
                    f"messages.{number}.content.0: Invalid `signature` in `thinking` block"
                )
        return None

    def said(self, message: str) -> Reply:
        error = {"type": "invalid_request_error", "message": message}
        return Reply(status=400, body={"type": "error", "error": error, "request_id": "req_1"})

    def used(self, body: Json, said: Said) -> Used:
        used = super().used(body, said)
        marks = json.dumps(body).count("cache_control")
        thinks = body.get("thinking", {}).get("type") in {"adaptive", "enabled"}
        return replace(
            used,
            cached=used.cached if marks else 0,
            written=used.prompt // 4 if marks else 0,
            thinking=used.thinking if thinks else 0,
        )

    def is_told(self, body: Json) -> bool:
        return True

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        return claude(body, said, used, self.calls(said))


class ClaudeBudget(Claude):
    """An older model of the same: thinking by a budget, and temperature 1 with it."""

    name = "claude-budget"
    model = "claude-of-old"
    refuses_setting = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        thinking = body.get("thinking", {})
        has_both = "temperature" in body and "top_p" in body
        faults = {
            "This model does not support the effort parameter.": "output_config" in body,
            "adaptive thinking is not supported on this model": (
                thinking.get("type") == "adaptive"
            ),
            "`temperature` may only be set to 1 when thinking is enabled. Please consult our "
            "documentation at https://docs.claude.com/en/docs/build-with-claude/"
            "extended-thinking#important-considerations-when-using-extended-thinking": (
                bool(thinking) and body.get("temperature", 1) != 1
            ),
            "`temperature` and `top_p` cannot both be specified for this model. Please use only "
            "one.": has_both,
            "`max_tokens` must be greater than `thinking.budget_tokens`.": (
                thinking.get("budget_tokens", 0) >= body["max_tokens"]
            ),
        }
        said = next((said for said, is_so in faults.items() if is_so), "")
        return self.said(said) if said else self._unlike(body)


# Proxies.


class OpenRouter(Persona):
    """Comments before the answer; its usage after the end; details of thinking to send back."""

    name = "openrouter"
    model = "anthropic/claude-sonnet-4"
    tells_bill = True
    thought_in = "reasoning"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            for call in message.get("tool_calls", ()):
                thought = self.thought.get(call["id"])
                if thought and message.get("reasoning_details") != [self._detail(thought)]:
                    return self.wrapped(
                        "Anthropic",
                        {
                            "type": "error",
                            "error": {
                                "type": "invalid_request_error",
                                "message": (
                                    f"messages.{number}.content.0.type: Expected `thinking` or "
                                    "`redacted_thinking`, but found `tool_use`."
                                ),
                            },
                        },
                    )
        return None

    def wrapped(self, provider: str, body: Json) -> Reply:
        metadata = {"raw": json.dumps(body), "provider_name": provider}
        error = {"message": "Provider returned error", "code": 400, "metadata": metadata}
        return Reply(status=400, body={"error": error})

    def _detail(self, thought: str) -> Json:
        return {
            "type": "reasoning.text",
            "text": thought,
            "signature": SIGNATURE,
            "format": "anthropic-claude-v1",
            "index": 0,
        }

    def message(self, said: Said) -> Json:
        message = super().message(said)
        if said.thinking:
            message["reasoning_details"] = [self._detail(said.thinking)]
        return message

    def is_told(self, body: Json) -> bool:
        return True

    def usage(self, used: Used) -> Json:
        cost = self.bill(used)
        return super().usage(used) | {
            "cost": cost,
            "is_byok": False,
            "cost_details": {"upstream_inference_cost": cost},
        }

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        events = [self.event(chunk) for chunk in self.chunks(body, said, message, used)]
        waiting = [": OPENROUTER PROCESSING\n\n"] * 3
        return events_reply([*waiting, *events, "data: [DONE]\n\n"])

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield Delta(delta={"role": "assistant", "content": ""})
        for piece in pieces(said.thinking):
            detail = self._detail(piece) | {"signature": ""}
            yield Delta(delta={"content": "", "reasoning": piece, "reasoning_details": [detail]})
        if said.thinking:
            last = self._detail("")
            del last["text"]
            yield Delta(delta={"content": "", "reasoning": None, "reasoning_details": [last]})
        for piece in pieces(said.text):
            yield Delta(delta={"content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        yield self.chunk({"content": ""}, self.finish(said))
        after = self.chunk({"role": "assistant", "content": ""})
        yield after | {"usage": self.usage(used)}


class OpenRouterNoTools(OpenRouter):
    """No provider behind it takes tools for this model."""

    name = "openrouter-no-tools"
    model = "google/gemma-3-12b"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            said = (
                "No endpoints found that support tool use. To learn more about provider routing, "
                "visit: https://openrouter.ai/docs/guides/routing/provider-selection"
            )
            return Reply(status=404, body={"error": {"message": said, "code": 404}})
        return None


class OpenRouterBroken(OpenRouter):
    """Breaks its first answer off in the stream, and bills it."""

    name = "openrouter-broken"

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        if self.memory:
            return super().streamed(body, said, message, used)
        self.memory["broken"] = True
        chunks = [*self.chunks(body, said, message, used)]
        last = chunks[-1] | {"error": {"code": 502, "message": "Provider disconnected"}}
        events = [self.event(chunk) for chunk in [*chunks[:4], last]]
        return events_reply([*events, "data: [DONE]\n\n"])


class Hidden(OpenRouter):
    """A proxy before it that calls its first failure an end, and hides what it was."""

    name = "hidden-failure"
    tells_bill = False

    def is_told(self, body: Json) -> bool:
        return Persona.is_told(self, body)

    def usage(self, used: Used) -> Json:
        return Persona.usage(self, used)

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        if self.memory:
            return super().streamed(body, said, message, used)
        self.memory["broken"] = True
        begun = replace(said, text="It", calls=())
        chunks = [*self.chunks(body, begun, self.message(begun), used)]
        for chunk in chunks:
            for choice in chunk["choices"]:
                if choice["finish_reason"]:
                    error = {"code": 429, "message": "Provider returned error"}
                    hidden = {"native_finish_reason": "error", "error": error}
                    choice |= {"finish_reason": "stop", "provider_specific_fields": hidden}
        return events_reply([self.event(chunk) for chunk in chunks])


class OpenRouterWrapped(OpenRouter):
    """What the provider behind it says comes as a text in its own error."""

    name = "openrouter-wrapped"
    turns = frozenset({"strict_turns"})
    model = "mistralai/mistral-large"
    refuses_setting = "seed"
    thought_in = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        strict = Mistral()
        sent = {name: value for name, value in body.items() if name != "stream_options"}
        refused = strict.refusal(sent, asked)
        return self.wrapped("Mistral", refused.body) if refused else None

    def new_id(self, name: str, number: int) -> str:
        return f"AbCd{len(self.ids):05d}"

    def message(self, said: Said) -> Json:
        return Persona.message(self, said)

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        return Persona.deltas(self, said, message)


class LiteLLM(Persona):
    """Lists patterns of names; packs what is behind it into a text; prices in the stream."""

    name = "litellm"
    takes_top_p = True
    model = "anthropic/claude-opus-4-1"
    models = ({"id": "anthropic/*", "object": "model"}, {"id": "*", "object": "model"})
    tells_bill = True
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "seed" in body:
            return self.said(
                "litellm.UnsupportedParamsError: anthropic does not support parameters: ['seed'], "
                f"for model={self.model}. To drop these, set `litellm.drop_params=True` or for "
                "proxy:\n\n`litellm_settings:\n drop_params: true`\n. \n If you want to use these "
                "params dynamically send allowed_openai_params=['seed'] in your request."
            )
        if "temperature" in body and "top_p" in body:
            inner = {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": (
                        "`temperature` and `top_p` cannot both be specified for this model. "
                        "Please use only one."
                    ),
                },
            }
            return self.said(
                f"litellm.BadRequestError: AnthropicException - b'{json.dumps(inner)}'. Received "
                f"Model Group={self.model}\nAvailable Model Group Fallbacks=None"
            )
        return None

    def said(self, message: str) -> Reply:
        error = {"message": message, "type": None, "param": None, "code": "400"}
        return Reply(status=400, body={"error": error})

    def used(self, body: Json, said: Said) -> Used:
        used = super().used(body, said)
        return replace(used, written=used.prompt // 5)

    def usage(self, used: Used) -> Json:
        told = super().usage(used) | {
            "cache_creation_input_tokens": used.written,
            "cache_read_input_tokens": used.cached,
            "cost": self.bill(used),
        }
        told["prompt_tokens_details"]["cache_creation_tokens"] = used.written
        return told


class LiteLLMHeader(LiteLLM):
    """Tells a price in a header, where it does not stream; the model behind it does not."""

    name = "litellm-header"
    model = "bedrock/mistral-large"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            inner = {"message": "This model doesn't support streaming."}
            return self.said(
                f"litellm.BadRequestError: BedrockException - {json.dumps(inner)}. Received Model "
                f"Group={self.model}\nAvailable Model Group Fallbacks=None"
            )
        return super().refusal(body, asked)

    def usage(self, used: Used) -> Json:
        told = super().usage(used)
        del told["cost"]
        return told

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        plain = super().reply(body, said, used)
        headers = {
            "x-litellm-response-cost": str(self.bill(used)),
            "x-litellm-key-spend": "12.5",
            "x-litellm-response-cost-original": "99",
        }
        return replace(plain, headers={**plain.headers, **headers})


class Bedrock(Persona):
    """Says in words what it refuses, and nothing else."""

    name = "bedrock"
    model = "openai.gpt-oss-20b-1:0"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("max_tokens", 1) > 2_048:
            return self.said(
                "The maximum tokens you requested exceeds the model limit of 2048. Try again with "
                "a maximum tokens value that is lower than 2048."
            )
        if any(message["role"] == "system" for message in body["messages"]):
            return self.said(
                "This model doesn't support system messages. Try again without a system message "
                "or use a model that supports system messages."
            )
        if "tools" in body and body.get("stream"):
            return self.said("This model doesn't support tool use in streaming mode.")
        return None

    def said(self, message: str) -> Reply:
        return Reply(status=400, body={"message": message})


class Databricks(Persona):
    """Refuses in words; thinks in parts of its content."""

    name = "databricks"
    shows_thinking = True
    model = "databricks-claude-opus"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "stream_options" in body:
            return self.said("extraneous key [stream_options] is not permitted")
        if "temperature" in body:
            return self.said(f"Model {self.model} does not support the temperature parameter.")
        return None

    def said(self, message: str) -> Reply:
        return Reply(status=400, body={"error_code": "BAD_REQUEST", "message": message})

    def is_told(self, body: Json) -> bool:
        return True

    def message(self, said: Said) -> Json:
        summary = [{"type": "summary_text", "text": said.thinking, "signature": SIGNATURE}]
        parts: list[Json] = [{"type": "reasoning", "summary": summary}]
        text = [{"type": "text", "text": said.text}] if said.text else []
        return super().message(said) | {"content": parts + text}

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        for piece in pieces(said.thinking):
            summary = [{"type": "summary_text", "text": piece, "signature": ""}]
            part = {"type": "reasoning", "summary": summary}
            yield Delta(delta={"role": "assistant", "content": [part]})
        for piece in pieces(said.text):
            yield Delta(delta={"role": "assistant", "content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))


class Copilot(Persona):
    """A relay without any error object."""

    name = "copilot"
    model = "gpt-5.1"
    refuses_setting = "top_p"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for name in ("temperature", "top_p", "seed", "max_tokens"):
            if name in body:
                return Reply(status=400, body={"detail": f"Unsupported parameter: {name}"})
        return None


# Servers of one's own.


class Ollama(Persona):
    """Lists a longer name; thinks in a field; an effort is no setting of every model."""

    name = "ollama"
    model = "qwen3-coder"
    models = ({"id": "qwen3-coder:latest", "object": "model", "owned_by": "library"},)
    thought_in = "reasoning"
    refuses_setting = "reasoning_effort"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "reasoning_effort" in body:
            return self.said(f'"{self.model}" does not support thinking')
        return None

    def said(self, message: str) -> Reply:
        return bad(message, kind="api_error")

    def finish(self, said: Said) -> str:
        return "stop"


class OllamaNoTools(Ollama):
    """A model that takes no tools."""

    name = "ollama-no-tools"
    model = "gemma3:4b"
    models = ({"id": "gemma3:4b", "object": "model", "owned_by": "library"},)
    takes_tools = False
    thought_in = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            return self.said("registry.ollama.ai/library/gemma3:4b does not support tools")
        return super().refusal(body, asked)


class LlamaCpp(Persona):
    """Its template fails under status 500: no system message, roles that alternate, no tools."""

    name = "llama.cpp"
    model = "gemma.gguf"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            return self.said("tools param requires --jinja flag")
        roles = [message["role"] for message in body["messages"]]
        if "system" in roles:
            return self.jinja("System role not supported")
        if any(one == other for one, other in pairwise(roles)):
            return self.jinja("Conversation roles must alternate user/assistant/user/assistant/...")
        return None

    def jinja(self, words: str) -> Reply:
        return self.said(
            "\n------------\nWhile executing CallExpression at line 19, column 27 in source:\n..."
            f"raise_exception(...)\n\nError: Jinja Exception: {words}"
        )

    def said(self, message: str) -> Reply:
        error = {"code": 500, "message": message, "type": "server_error"}
        return Reply(status=500, body={"error": error})

    def whole(self, said: Said, message: Json, used: Used) -> Json:
        return super().whole(said, message, used) | {"timings": {"prompt_n": 1, "cache_n": 5}}


class VllmNoTools(Persona):
    """Started without the options that tools need."""

    name = "vllm-no-tools"
    model = "Qwen/Qwen2.5-Coder-7B"
    models = ({"id": "Qwen/Qwen2.5-Coder-7B", "object": "model", "max_model_len": 32_768},)
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            said = (
                '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to '
                "be set"
            )
            return flat(said)
        return None


def flat(message: str, *, status: int = 400) -> Reply:
    """Refuse in the old form of vLLM."""
    body = {"object": "error", "message": message, "type": "BadRequestError", "param": None}
    return Reply(status=status, body=body | {"code": status})


class Window(Persona):
    """A window that no list tells, and that prompt and answer share."""

    name = "window-vllm"
    model = "local"
    models = ()
    window: ClassVar[int] = 3_000

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        prompt = self.used(body, Said()).prompt
        wanted = int(body.get("max_tokens") or body.get("max_completion_tokens") or 16)
        return self.said(prompt, wanted) if prompt + wanted > self.window else None

    def said(self, prompt: int, wanted: int) -> Reply:
        return flat(
            f"'max_tokens' or 'max_completion_tokens' is too large: {wanted}. This model's maximum "
            f"context length is {self.window} tokens and your request has {prompt} input tokens "
            f"({wanted} > {self.window} - {prompt})."
        )


class WindowNew(Window):
    """As newer versions of vLLM say it, where the prompt's tokens are only a floor."""

    name = "window-vllm-new"

    def said(self, prompt: int, wanted: int) -> Reply:
        least = self.window - wanted + 1
        message = (
            f"This model's maximum context length is {self.window} tokens. However, you requested "
            f"{wanted} output tokens and your prompt contains at least {least} input tokens, for "
            f"a total of at least {self.window + 1} tokens. Please reduce the length of the input "
            "prompt or the number of requested output tokens. (parameter=input_tokens, "
            f"value={least})"
        )
        error = {"message": message, "type": "BadRequestError", "param": "input_tokens"}
        return Reply(status=400, body={"error": error | {"code": 400}})


class WindowOpenAI(Window):
    """As OpenAI and DeepSeek say it."""

    name = "window-openai"

    def said(self, prompt: int, wanted: int) -> Reply:
        return bad(
            f"This model's maximum context length is {self.window} tokens. However, you requested "
            f"{prompt + wanted} tokens ({prompt} in the messages, {wanted} in the completion). "
            "Please reduce the length of the messages or completion.",
            "messages",
            "context_length_exceeded",
        )


class WindowSglang(Window):
    """As SGLang says it."""

    name = "window-sglang"

    def said(self, prompt: int, wanted: int) -> Reply:
        return flat(
            f"Requested token count exceeds the model's maximum context length of {self.window} "
            f"tokens. You requested a total of {prompt + wanted} tokens: {prompt} tokens from the "
            f"input messages and {wanted} tokens for the completion. Please reduce the number of "
            "tokens in the input messages or the completion to fit within the limit."
        )


class WindowTgi(Window):
    """As text-generation-inference says it, under another name of the limit."""

    name = "window-tgi"

    def said(self, prompt: int, wanted: int) -> Reply:
        said = (
            f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {self.window}. "
            f"Given: {prompt} `inputs` tokens and {wanted} `max_new_tokens`"
        )
        return Reply(status=422, body={"error": said, "error_type": "validation"})


class WindowOpenRouter(Window):
    """As OpenRouter says it."""

    name = "window-openrouter"

    def said(self, prompt: int, wanted: int) -> Reply:
        said = (
            f"This endpoint's maximum context length is {self.window} tokens. However, you "
            f"requested about {prompt + wanted} tokens ({prompt} of text input, {wanted} in the "
            'output). Please reduce the length of either one, or use the "middle-out" transform '
            "to compress your prompt automatically."
        )
        return Reply(status=400, body={"error": {"message": said, "code": 400}})


class WindowClaude(Window):
    """As Anthropic and relays of it say it."""

    name = "window-claude"

    def said(self, prompt: int, wanted: int) -> Reply:
        return bad(
            f"input length and `max_tokens` exceed context limit: {prompt} + {wanted} > "
            f"{self.window}, decrease input length or `max_tokens` and try again"
        )


class WindowKimi(Window):
    """As Moonshot says it."""

    name = "window-kimi"

    def said(self, prompt: int, wanted: int) -> Reply:
        return bad(
            f"Invalid request: Your request exceeded model token limit: {self.window} (requested: "
            f"{prompt + wanted})"
        )


class Sglang(Persona):
    """Whole calls that all have index 0; thinking counted outside of the details."""

    name = "sglang"
    model = "deepseek-v3"
    thought_in = "reasoning_content"

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "total_tokens": used.prompt + used.output,
            "completion_tokens": used.output,
            "prompt_tokens_details": None,
            "reasoning_tokens": used.thinking,
        }

    def used(self, body: Json, said: Said) -> Used:
        return replace(super().used(body, said), cached=0)

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for call in calls:
            yield Delta(delta={"tool_calls": [call | {"index": 0}]})


class Nim(Persona):
    """A problem of a kind of its own, with places and words on lines of their own."""

    name = "nim"
    model = "meta/llama-3.1-70b-instruct"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        extra = [one for one in ("seed", "stream_options") if one in body]
        if not extra:
            return None
        detail = "\n".join(
            f"body -> {one}\n  Extra inputs are not permitted (type=extra_forbidden)"
            for one in extra
        )
        problem = {
            "type": "urn:inference-service:problem-details:unprocessable-entity",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": detail,
            "instance": "/v2/1",
            "requestId": "1",
        }
        return Reply(status=422, body=problem)

    def is_told(self, body: Json) -> bool:
        return True


class NimRepr(Nim):
    """The same as a text that Python would print."""

    name = "nim-repr"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        extra = [one for one in ("seed", "stream_options") if one in body]
        if not extra:
            return None
        faults = [
            {
                "type": "extra_forbidden",
                "loc": ("body", one),
                "msg": "Extra inputs are not permitted",
                "input": body[one],
            }
            for one in extra
        ]
        return Reply(status=400, body={"error": repr(faults)})


# Ways to answer.


class Azure(Gpt5):
    """An old version of the API: part of the address, without usage in streams."""

    name = "azure"
    model = "gpt-4o"
    query = "?api-version=2024-06-01"
    refuses_setting = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "api-version=2024-06-01" not in asked.path:
            error = {"code": "404", "message": "Resource not found"}
            return Reply(status=404, body={"error": error})
        if "stream_options" in body:
            said = (
                "Unrecognized request argument supplied: stream_options. Please contact us through "
                "an Azure support request at: https://go.microsoft.com/fwlink/?linkid=2213926 for "
                "further questions."
            )
            return bad(said)
        return None

    def chunks(self, body: Json, said: Said, message: Json, used: Used) -> Iterator[Json]:
        yield {"choices": [], "id": "", "object": "", "prompt_filter_results": [{}]}
        yield from super().chunks(body, said, message, used)


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


class Perplexity(Persona):
    """Tells its usage in every chunk, its price as an object, and its message twice."""

    name = "perplexity"
    shows_thinking = True
    model = "sonar-reasoning"
    tells_bill = True
    takes_tools = False

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            return self.said("Tool calling is not supported for this model")
        roles = [one["role"] for one in body["messages"] if one["role"] != "system"]
        if any(one == other for one, other in pairwise(roles)):
            return self.said(
                "After the (optional) system message(s), user and assistant roles should be "
                "alternating."
            )
        return None

    def said(self, message: str) -> Reply:
        error = {"message": message, "type": "invalid_message", "code": 400}
        return Reply(status=400, body={"error": error})

    def message(self, said: Said) -> Json:
        return {"role": "assistant", "content": f"<think>\n{said.thinking}</think>{said.text}"}

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.output,
            "total_tokens": used.prompt + used.output,
            "search_context_size": "low",
            "cost": {"request_cost": 0.0, "total_cost": self.bill(used)},
        }

    def used(self, body: Json, said: Said) -> Used:
        return replace(super().used(body, said), cached=0)

    def is_told(self, body: Json) -> bool:
        return True

    def chunks(self, body: Json, said: Said, message: Json, used: Used) -> Iterator[Json]:
        text = message["content"]
        parts = pieces(text)
        for number, piece in enumerate(parts):
            share = replace(used, answer=min(number + 1, used.answer), thinking=0)
            yield self.chunk({"content": piece}) | {"usage": self.usage(share)}
        last = self.chunk({"role": "assistant", "content": ""}, "stop")
        last["choices"][0]["message"] = message
        yield last | {"object": "chat.completion.done", "usage": self.usage(used)}


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


class Doubled(Persona):
    """Says what it thinks in two fields at once."""

    name = "doubled"
    thought_in = "reasoning_content"

    def message(self, said: Said) -> Json:
        return super().message(said) | {"reasoning": said.thinking}

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> Json:
        thought = delta.get("reasoning_content")
        return super().chunk({**delta, "reasoning": thought} if thought else delta, finish)


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


class Busy(Gpt5):
    """Has too much to do just when it would take a request."""

    name = "busy"
    faults = 1

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        refused = super().refusal(body, asked)
        if refused or self.memory:
            return refused
        self.memory["busy"] = True
        return bad("Rate limit reached for gpt-5-mini.", code="rate_limit_exceeded", status=429)


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


class EmptyParameters(Gemini):
    """Takes no tool without parameters."""

    name = "empty-parameters"
    turns = frozenset({"examples"})

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, tool in enumerate(body.get("tools", ())):
            if not tool["function"].get("parameters", {}).get("properties", {"any": 1}):
                return self.said(
                    f"* GenerateContentRequest.tools[0].function_declarations[{number}].parameters."
                    "properties: should be non-empty for OBJECT type\n"
                )
        return super().refusal(body, asked)


class GeminiNames(Gemini):
    """Wants the name of the tool beside what came of it."""

    name = "gemini-names"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            if message["role"] == "tool" and not message.get("name"):
                return self.said(
                    f"* GenerateContentRequest.contents[{number}].parts[0].function_response.name: "
                    "Name cannot be empty.\n"
                )
        return super().refusal(body, asked)


class DeepSeekOld(DeepSeek):
    """The same demand in the words of the version before, at its place."""

    name = "deepseek-v3.2"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            if message.get("tool_calls") and "reasoning_content" not in message:
                return bad(
                    "Missing `reasoning_content` field in the assistant message at message index "
                    f"{number}. For more information, please refer to "
                    "https://api-docs.deepseek.com/guides/thinking_mode#tool-calls",
                    code="invalid_request_error",
                )
        return None


class SiliconFlow(Kimi):
    """Moonshot's model in a form of its own."""

    name = "siliconflow"

    def said(self, message: str) -> Reply:
        return Reply(status=400, body={"code": 20015, "message": message, "data": None})


class NewApi(Kimi):
    """The same behind a relay that adds its own number."""

    name = "new-api"

    def said(self, message: str) -> Reply:
        error = {"type": "<nil>", "message": f"{message} (request id: 20251127131234567890)"}
        return Reply(status=400, body={"error": error, "type": "error"})


class StrictRelay(Mistral):
    """Names what it thinks as others do, and refuses to be told it again."""

    name = "strict-relay"
    turns = frozenset({"strict_turns", "thinking_back"})
    thought_in = "reasoning_content"

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield from Persona.deltas(self, said, message)


class LiteLLMThinks(LiteLLM):
    """Gives blocks of thinking with their signatures, and wants them back."""

    name = "litellm-thinks"
    thought_in = "reasoning_content"
    turns = frozenset({"examples"})

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            for call in message.get("tool_calls", ()):
                thought = self.thought.get(call["id"])
                if thought and message.get("thinking_blocks") != [self._block(thought)]:
                    said = (
                        "The model returned the following errors: "
                        f"messages.{number}.content.0.type: Expected `thinking` or "
                        "`redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a "
                        "final `assistant` message must start with a thinking block (preceeding "
                        "the lastmost set of `tool_use` and `tool_result` blocks)."
                    )
                    inner = json.dumps({"message": said})
                    return self.said(
                        f"litellm.BadRequestError: BedrockException - {inner}. Received Model "
                        f"Group={self.model}\nAvailable Model Group Fallbacks=None"
                    )
        return super().refusal(body, asked)

    def _block(self, thought: str) -> Json:
        return {"type": "thinking", "thinking": thought, "signature": SIGNATURE}

    def message(self, said: Said) -> Json:
        message = super().message(said)
        return message | (
            {"thinking_blocks": [self._block(said.thinking)]} if said.thinking else {}
        )

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield Delta(delta={"role": "assistant", "content": ""})
        for piece in pieces(said.thinking):
            block = {"type": "thinking", "thinking": piece, "signature": None}
            yield Delta(delta={"reasoning_content": piece, "thinking_blocks": [block]})
        if said.thinking:
            yield Delta(delta={"content": "", "thinking_blocks": [self._block("")]})
        for piece in pieces(said.text):
            yield Delta(delta={"content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))


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


ENDS = "Größe\u2028 und\x85 so \u2029 weiter\x1c."
"""With ends of lines to some readers, which are none in JSON."""


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


class ResponsesRelay(ResponsesOnly):
    """A relay of it: new ids in every event, and a mark at the end."""

    name = "responses-relay"

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        plain = super().reply(body, said, used)
        events = [
            re.sub(rb'"id": "(rs|fc|msg)_[^"]*"', b'"id": "%d"' % number, piece)
            for number, piece in enumerate(plain.pieces)
        ]
        return replace(plain, pieces=[*events, b"data: [DONE]\n\n"] if events else ())


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


PERSONAS: tuple[type[Persona], ...] = (
    Persona,
    Gpt5,
    O1Mini,
    Unverified,
    ResponsesOnly,
    ToolsOnResponses,
    Azure,
    ClaudeBoth,
    ClaudeDeprecated,
    Claude,
    ClaudeBudget,
    Mistral,
    Magistral,
    Gemini,
    DeepSeek,
    DeepSeekR1,
    Kimi,
    Zai,
    Zhipu,
    DashScope,
    DashScopeLate,
    MiniMax,
    Xai,
    Groq,
    GroqFailed,
    Cerebras,
    Fireworks,
    OpenRouter,
    OpenRouterNoTools,
    OpenRouterBroken,
    Hidden,
    OpenRouterWrapped,
    LiteLLM,
    LiteLLMHeader,
    Bedrock,
    Databricks,
    Copilot,
    Ollama,
    OllamaNoTools,
    LlamaCpp,
    VllmNoTools,
    Window,
    WindowNew,
    WindowOpenAI,
    WindowSglang,
    WindowTgi,
    WindowOpenRouter,
    WindowClaude,
    WindowKimi,
    Sglang,
    Nim,
    NimRepr,
    Unasked,
    Whole,
    Perplexity,
    Harmony,
    Tagged,
    Unopened,
    Bracketed,
    Doubled,
    LooseCalls,
    NamelessCall,
    SameIds,
    DeepSeekOld,
    SiliconFlow,
    NewApi,
    StrictRelay,
    LiteLLMThinks,
    Busy,
    Hiccup,
    Austere,
    Blank,
    BlankClaude,
    BlankXai,
    NullContent,
    EmptyParameters,
    GeminiNames,
    NullArguments,
    Prefixed,
    Repeating,
    Unnumbered,
    Legacy,
    Bare,
    ResponsesRelay,
    Spoken,
)
