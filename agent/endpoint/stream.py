"""The bytes of an answer, whole or as an event stream, put together into one JSON object.

Servers stream where nobody asked for it and answer whole where a stream was asked for, so the
bytes say which it is, and not their type. Fragments are put together by what they are: relays
leave out or repeat the index, the id and the name of a tool call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.endpoint.usage import Tokens

_LINE_END = re.compile(r"\r\n|\n|\r")
_STATUS = ":HTTP_STATUS/"
_USAGE = ("usage", "x_groq")


class TornAnswerError(ValueError):
    """The bytes are no whole answer. The message says what is wrong with them."""

    def __init__(self, message: str, *, so_far: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.so_far: Mapping[str, Any] = so_far or {}
        """What was read by then, in the form of a whole answer."""
        self.tokens: Tokens | None = None
        """What it used by then, where it was told."""


def events_of(data: bytes) -> Iterator[dict[str, Any]]:
    """Return the JSON objects of an event stream in their order; what is none is passed over."""
    # Not `splitlines`, which also splits at characters that may stand in a text.
    lines = _LINE_END.split(_text(data).lstrip("\ufeff"))
    held: list[str] = []
    status: dict[str, str] = {}
    for line in [*lines, ""]:
        if line.startswith("data:"):
            held.append(line[5:].strip())
            # An event ends with a blank line, which some servers leave out.
            event = _parsed(held[-1]) or _parsed("\n".join(held))
            if event is not None:
                yield {**status, **event}
                held = []
        elif not line.strip():
            held = []
        elif line.startswith(_STATUS):
            # A comment by which a status of HTTP comes under 200.
            status = {"status_code": line.removeprefix(_STATUS).strip()}
        elif line.startswith("error:"):
            yield {"error": {"message": line[6:].strip()}}


def whole_body(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object that an answer is, None where it is an event stream or nothing."""
    text = _text(data).strip().lstrip("\ufeff")
    if not text.startswith(("{", "[")):
        return None
    try:
        # What follows is the end mark of a stream, from servers that mix both.
        body, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except ValueError:
        raise TornAnswerError("the answer is cut off") from None
    if isinstance(body, list):
        body = body[0] if body else {}
    return body if isinstance(body, dict) else None


def has_begun(data: bytes | bytearray) -> bool:
    """Whether an event stream holds an event that is no error; a whole body never has begun."""
    if data.lstrip()[:1] in (b"{", b"["):
        return False
    # The last line may still be under way.
    lines = bytes(data).split(b"\n")[:-1]
    events = (line for line in lines if line.startswith(b"data:"))
    first = next(events, b"")
    return bool(first) and b'"error"' not in first and b"[DONE]" not in first


class ChatStream:
    """A chat completion, put together from its chunks."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._body: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._calls: list[dict[str, Any]] = []
        self._places: dict[int, dict[str, Any]] = {}
        """The call that each index stands for now."""

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take one chunk. A usage that is told again replaces the one before: it adds up."""
        for name, value in chunk.items():
            if name not in {"choices", *_USAGE} and value is not None:
                self._body[name] = value
        choice = _first_choice(chunk)
        for usage in (chunk.get("usage"), choice.get("usage"), _of_groq(chunk)):
            if isinstance(usage, dict) and usage:
                self._body["usage"] = usage
                break
        if error := _error_of_choice(choice):
            self._body["error"] = error
        # One of none after the last is that of a chunk which only tells the usage.
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        delta = choice.get("message") or choice.get("delta")
        if isinstance(delta, Mapping):
            if choice.get("message"):
                # The whole message in a chunk, also beside the fragments that it repeats.
                self._message, self._calls, self._places = {}, [], {}
            self._merge(delta)

    def body(self) -> dict[str, Any]:
        """Return what it is by now."""
        message = dict(self._message)
        if self._calls:
            message["tool_calls"] = self._calls
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return {**self._body, "choices": [choice] if message or self.finish_reason else []}

    def _merge(self, delta: Mapping[str, Any]) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                for number, call in enumerate(value if isinstance(value, list) else ()):
                    if isinstance(call, dict):
                        self._merge_call(call, several=number > 0)
            elif value is not None:
                self._message[name] = _together(self._message.get(name), value, name)

    def _merge_call(self, call: dict[str, Any], *, several: bool) -> None:
        """Add a fragment to the call that it belongs to, or begin another one."""
        index, given = call.get("index"), call.get("id") or ""
        function = call.get("function") if isinstance(call.get("function"), dict) else call
        assert isinstance(function, dict)
        last = self._calls[-1] if self._calls else None
        known = self._places.get(index) if isinstance(index, int) else last
        name = function.get("name") or ""
        is_new = (
            known is None
            or _is_another(known["function"], name)
            or bool(given and known["id"] and given != known["id"])
            or (not isinstance(index, int) and not given and bool(name) and several)
        )
        if is_new or known is None:
            known = {"id": "", "function": {"name": "", "arguments": None}}
            self._calls.append(known)
        if isinstance(index, int):
            self._places[index] = known
        known["id"] = given or known["id"]
        held = known["function"]
        held["name"] = _name(held["name"], name)
        held["arguments"] = _together(held["arguments"], function.get("arguments"), "arguments")
        for name, value in call.items():
            if name not in {"id", "index", "function", "type", "name", "arguments"} and value:
                known[name] = value


def _is_another(held: Mapping[str, Any], name: str) -> bool:
    """Whether a name begins another call than the one that is held, which is whole by now."""
    if not held["name"] or not name or not isinstance(held["arguments"], str):
        return False
    return held["name"] != name and _parsed(held["arguments"]) is not None


def _together(before: Any, value: Any, name: str) -> Any:
    """Put a fragment behind what was there before."""
    match before, value:
        case (_, None):
            together = before
        case (str(), str()):
            together = before if name in {"role", "id", "type"} else before + value
        case (list(), list()):
            together = _merged_list(before, value)
        # Content that is a text in one chunk and a list of parts in the next.
        case (list(), str()):
            together = [*before, {"type": "text", "text": value}] if value else before
        case (str(), list()):
            together = [{"type": "text", "text": before}, *value] if before else value
        case (dict(), dict()) if name == "function_call":
            together = {**before, **{n: _together(before.get(n), value[n], n) for n in value}}
        case (dict(), dict()):
            together = {**before, **value}
        case _:
            together = value
    return together


def _merged_list(before: list[Any], value: list[Any]) -> list[Any]:
    """Let a fragment of a list go on with the last part where it is one of the same kind."""
    merged = list(before)
    for part in value:
        last = merged[-1] if merged else None
        if (
            isinstance(part, dict)
            and isinstance(last, dict)
            and part.get("type") == last.get("type")
            and part.get("index") == last.get("index")
            and part.get("type") not in {None, "reasoning.encrypted"}
        ):
            texts = {name for name in part if name in {"text", "summary", "thinking", "data"}}
            merged[-1] = {
                **last,
                **{name: part[name] for name in part if part[name] not in (None, "")},
                **{name: _together(last.get(name), part[name], name) for name in texts},
            }
        else:
            merged.append(part)
    return merged


def _name(before: str, fragment: str) -> str:
    """Return a name that is told whole once, or in every fragment, or in pieces."""
    if not before or fragment.startswith(before):
        return fragment or before
    return before if before.endswith(fragment) else before + fragment


def _first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _of_groq(chunk: Mapping[str, Any]) -> object:
    groq = chunk.get("x_groq")
    return groq.get("usage") if isinstance(groq, dict) else None


def chat_body(data: bytes) -> dict[str, Any]:
    """Return a chat completion from its bytes. Raises TornAnswerError."""
    body = whole_body(data)
    if body is not None:
        return body
    stream = ChatStream()
    seen = False
    for event in events_of(data):
        seen = True
        stream.add(event)
    made = stream.body()
    if not seen:
        raise TornAnswerError("the answer is not a chat completion")
    if stream.finish_reason is None and not error_of(made) and not _is_ended(data):
        raise TornAnswerError("the answer breaks off before its end", so_far=made)
    return made


def error_of(body: Mapping[str, Any]) -> object:
    """Return the error that a body of status 200 holds, None when it holds none."""
    if body.get("error"):
        return body["error"]
    choice = _first_choice(body)
    if error := _error_of_choice(choice):
        return error
    base = body.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return base
    told = body.get("detail") or body.get("message")
    return told if told and not choice else None


def _error_of_choice(choice: Mapping[str, Any]) -> object:
    """Return the error that ended a choice, also where a relay has put it aside."""
    own = choice.get("provider_specific_fields")
    return choice.get("error") or (own.get("error") if isinstance(own, dict) else None)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise TornAnswerError("the answer is not valid UTF-8") from None


def _is_ended(data: bytes) -> bool:
    return data.rstrip().endswith(b"[DONE]")


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        return None
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else None
