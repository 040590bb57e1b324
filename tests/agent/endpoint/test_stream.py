"""Answers put together from their bytes, whole or in the fragments of every kind of server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.endpoint.stream import TornAnswerError, chat_body, events_of
from agent.endpoint.usage import Tokens, read_tokens

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}


def sse(*events: Any, end: bytes = DONE) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + end


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def whole(text: str = "Hi") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice], "usage": USAGE}


def fragments(*calls: dict[str, Any]) -> bytes:
    """Return a stream with one fragment of a call a chunk."""
    return sse(*(chunk(tool_calls=[call]) for call in calls), chunk("tool_calls"))


def message_of(data: bytes) -> dict[str, Any]:
    message: dict[str, Any] = chat_body(data)["choices"][0]["message"]
    return message


def finish_of(data: bytes) -> str | None:
    finish: str | None = chat_body(data)["choices"][0]["finish_reason"]
    return finish


def calls_of(data: bytes) -> list[tuple[str, str, str]]:
    """Return (id, name, arguments) of each call."""
    calls = message_of(data)["tool_calls"]
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls]


def part(
    index: int | None = 0,
    identity: str | None = None,
    name: str | None = None,
    arguments: str | None = None,
) -> dict[str, Any]:
    """Return a fragment of a call; what is None is not in it."""
    function = {"name": name, "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    fragment: dict[str, Any] = {"index": index, "id": identity, "function": function}
    return {key: value for key, value in fragment.items() if value is not None}


TEXT = sse(chunk(role="assistant", content=""), chunk(content="Hi "), chunk(content="you"))[
    : -len(DONE)
]
END = sse(chunk("stop"))


# --- the bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        TEXT + END,
        (TEXT + END).replace(b"data: ", b"data:"),
        (TEXT + END).replace(b"\n", b"\r\n"),
        (TEXT + END).replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + TEXT + END,
        b": RELAY PROCESSING\n\n: RELAY PROCESSING\n\n" + TEXT + b": keep-alive\n\n" + END,
        b"\n\n\n" + TEXT + END,
        (TEXT + END).replace(b"data: {", b"event: message\nid: 7\nretry: 10\ndata: {"),
        TEXT + sse(chunk("stop"), end=b""),
        (TEXT + sse(chunk("stop"), end=b"")).rstrip(),
        TEXT + sse(chunk("stop"), end=b"data: [DONE]   \n\n"),
        TEXT + END + sse({"choices": []}, end=b""),
        sse({"choices": [], "id": "", "prompt_filter_results": []}, end=b"") + TEXT + END,
        sse({"object": "ping"}, {"choices": None}, end=b"") + TEXT + END,
        # No mark of a reason, but one of the end.
        TEXT + DONE,
        # One event on several lines.
        TEXT + b'data: {"choices": [{"delta": {},\ndata: "finish_reason": "stop"}]}\n\n',
        # A reason of none, after the last.
        TEXT + sse(chunk("stop"), chunk(None, role="assistant", content="")),
    ],
    ids=[
        "plain",
        "no space",
        "crlf",
        "cr",
        "mark of byte order",
        "comments",
        "blank lines",
        "other fields",
        "no end mark",
        "no last blank line",
        "blanks behind the end mark",
        "something behind the end mark",
        "no choice first",
        "pings",
        "no reason",
        "several lines",
        "a reason of none",
    ],
)
def test_a_stream_is_read_however_it_is_written(data: bytes) -> None:
    assert message_of(data)["content"] == "Hi you"


def test_a_reason_of_none_after_the_last_does_not_undo_it() -> None:
    assert finish_of(TEXT + sse(chunk("length"), chunk(None, content=""))) == "length"


def test_characters_that_end_lines_elsewhere_stay_in_a_text() -> None:
    odd = "a\u2028b\u0085c\x0bd\x0ce"
    data = b"data: " + json.dumps(chunk("stop", content=odd), ensure_ascii=False).encode() + b"\n\n"
    assert message_of(data + DONE)["content"] == odd
    assert len(list(events_of(data))) == 1


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(whole()).encode(),
        b"\n \n" + json.dumps(whole()).encode(),
        json.dumps([whole()]).encode(),
        json.dumps(whole()).encode() + b"\n\n" + DONE,
        sse(whole()),
        sse(whole(), end=b""),
        sse(chunk(content="H"), chunk(content="i"), whole()),
    ],
    ids=["whole", "blanks", "list", "end mark behind", "event", "lone event", "and fragments"],
)
def test_a_whole_answer_is_read_where_a_stream_was_asked_for(data: bytes) -> None:
    body = chat_body(data)
    assert body["choices"][0]["message"]["content"] == "Hi"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"] == USAGE


@pytest.mark.parametrize(
    "data",
    [b"", b"  \n", b"<html>", b": ping\n\n", b"data: words\n\n", b'{"choices": [{"mess', DONE],
    ids=["empty", "blanks", "page", "comments", "words", "half", "end mark"],
)
def test_what_is_no_answer_is_torn(data: bytes) -> None:
    with pytest.raises(TornAnswerError):
        chat_body(data)


@pytest.mark.parametrize("cut", [TEXT, TEXT + b'data: {"choices": [{"del', TEXT + b"data: [DO"])
def test_a_stream_that_breaks_off_is_torn_and_tells_what_came(cut: bytes) -> None:
    with pytest.raises(TornAnswerError, match="breaks off") as caught:
        chat_body(cut)
    assert caught.value.so_far["choices"][0]["message"]["content"] == "Hi you"


# --- usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "last",
    [
        [chunk("stop"), {"choices": [], "usage": USAGE}],
        [chunk("stop") | {"usage": USAGE}],
        [chunk("stop"), chunk(None, role="assistant", content="") | {"usage": USAGE}],
        [chunk("stop"), chunk("stop", content="") | {"usage": USAGE}],
        [{"choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]}],
        [chunk("stop") | {"x_groq": {"id": "req", "usage": USAGE}}],
        [chunk("stop") | {"x_groq": {"id": "req", "usage": USAGE}, "usage": USAGE}],
        [chunk("stop"), {"usage": USAGE}],
    ],
    ids=[
        "of its own",
        "with the reason",
        "after it",
        "after it, and the reason again",
        "in the choice",
        "at groq",
        "twice",
        "without choices",
    ],
)
def test_usage_is_found_wherever_it_stands(last: list[dict[str, Any]]) -> None:
    before = [chunk(content="Hi") | {"usage": None}, chunk(content=" you") | {"x_groq": {"id": 1}}]
    body = chat_body(sse(*before, *last))
    assert body["usage"] == USAGE
    assert body["choices"][0]["message"]["content"] == "Hi you"
    assert body["choices"][0]["finish_reason"] == "stop"


def test_usage_that_grows_with_every_chunk_is_not_added_up() -> None:
    grown = [
        chunk(content="x")
        | {"usage": {"prompt_tokens": 50, "completion_tokens": n, "total_tokens": 50 + n}}
        for n in range(1, 8)
    ]
    assert read_tokens(chat_body(sse(*grown, chunk("stop")))["usage"]) == Tokens(input=50, output=7)


def test_usage_by_then_is_told_of_a_stream_that_breaks_off() -> None:
    with pytest.raises(TornAnswerError) as caught:
        chat_body(sse(chunk(content="x") | {"usage": USAGE}, end=b""))
    assert caught.value.so_far["usage"] == USAGE


# --- calls ------------------------------------------------------------------------------------

LS, CAT = '{"command": "ls"}', '{"command": "cat"}'
ONE = [("call_a", "bash", LS)]
TWO = [("call_a", "bash", LS), ("call_b", "view", CAT)]


@pytest.mark.parametrize(
    ("calls", "read"),
    [
        (
            [part(0, "call_a", "bash", ""), part(0, arguments=LS[:5]), part(0, arguments=LS[5:])],
            ONE,
        ),
        # An id of nothing neither replaces the one before nor opens a call.
        ([part(0, "call_a", "bash", LS[:5]), part(0, "", "", LS[5:]), part(0, "", None, "")], ONE),
        ([part(0, "call_a", "bash", LS[:5]), part(0, None, "", LS[5:])], ONE),
        ([part(0, "call_a", "bash", LS)], ONE),
        ([part(None, "call_a", "bash", LS)], ONE),
        ([part(None, "call_a", "bash", LS[:5]), part(None, None, None, LS[5:])], ONE),
        # The number of a block, of which the first was a text.
        ([part(1, "call_a", "bash", ""), part(1, arguments=LS)], ONE),
        ([part(0, "call_a", "bash", LS[:5]), part(0, "call_a", "bash", LS[5:])], ONE),
        ([part(0, "call_a", "ba", ""), part(0, None, "sh", LS)], ONE),
        ([part(0, "call_a", None, ""), part(0, None, "bash", LS)], ONE),
        ([part(0, "call_a", "bash", LS), part(1, "call_b", "view", CAT)], TWO),
        (
            [
                part(0, "call_a", "bash", ""),
                part(1, "call_b", "view", ""),
                part(0, arguments=LS),
                part(1, arguments=CAT),
            ],
            TWO,
        ),
        # All under one index, each whole, or each in pieces.
        ([part(0, "call_a", "bash", LS), part(0, "call_b", "view", CAT)], TWO),
        (
            [
                part(0, "call_a", "bash", ""),
                part(0, arguments=LS),
                part(0, "call_b", "view", ""),
                part(0, arguments=CAT),
            ],
            TWO,
        ),
        ([part(None, "call_a", "bash", LS), part(None, "call_b", "view", CAT)], TWO),
    ],
    ids=[
        "plain",
        "empty ids",
        "empty names",
        "at once",
        "no index",
        "no index, in pieces",
        "index of a block",
        "repeated",
        "name in pieces",
        "name late",
        "two",
        "two, woven",
        "two of one index",
        "two of one index, in pieces",
        "two of no index",
    ],
)
def test_fragments_of_calls_are_put_together(
    calls: list[dict[str, Any]], read: list[tuple[str, str, str]]
) -> None:
    assert calls_of(fragments(*calls)) == read


def test_an_index_of_null_is_no_index() -> None:
    first = {"index": None, **part(None, "call_a", "bash", LS)}
    second = {"index": None, **part(None, "call_b", "view", CAT)}
    assert calls_of(fragments(first, second)) == TWO
    together = sse(chunk(tool_calls=[first, second]), chunk("tool_calls"))
    assert calls_of(together) == TWO


def test_calls_without_ids_in_one_chunk_are_told_apart() -> None:
    calls = [part(None, "", "bash", LS), part(None, "", "view", CAT)]
    read = calls_of(sse(chunk(tool_calls=calls), chunk("tool_calls")))
    assert read == [("", "bash", LS), ("", "view", CAT)]


@pytest.mark.parametrize("index", [None, 0])
def test_calls_without_ids_in_chunks_of_their_own_are_told_apart(index: int | None) -> None:
    read = calls_of(fragments(part(index, "", "bash", LS), part(index, "", "view", CAT)))
    assert read == [("", "bash", LS), ("", "view", CAT)]


def test_a_call_in_the_old_form_is_put_together() -> None:
    data = sse(
        chunk(function_call={"name": "bash", "arguments": ""}),
        chunk(function_call={"arguments": LS[:5]}),
        chunk(function_call={"arguments": LS[5:]}),
        chunk("function_call"),
    )
    assert message_of(data)["function_call"] == {"name": "bash", "arguments": LS}


def test_the_providers_own_fields_of_a_call_stay_with_it() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "abc"}}}
    data = fragments(part(0, "call_a", "bash", LS) | signed, part(1, "call_b", "view", CAT))
    first, second = message_of(data)["tool_calls"]
    assert first["extra_content"] == signed["extra_content"]
    assert "extra_content" not in second


# --- thinking ---------------------------------------------------------------------------------


def test_thinking_in_a_field_is_put_together_beside_the_answer() -> None:
    data = sse(
        chunk(role="assistant", content=None, reasoning_content="One, "),
        chunk(content=None, reasoning_content="two."),
        chunk(content="Two", reasoning_content=None),
        chunk("stop"),
    )
    message = message_of(data)
    assert (message["reasoning_content"], message["content"]) == ("One, two.", "Two")


def test_details_of_thinking_are_put_together_with_their_signature() -> None:
    def detail(**own: Any) -> dict[str, Any]:
        return chunk(reasoning_details=[{"type": "reasoning.text", "index": 0, **own}])

    sealed = {"type": "reasoning.encrypted", "index": 1, "data": "blob"}
    data = sse(
        detail(text="One, ", signature=""),
        detail(text="two."),
        detail(text="", signature="sig"),
        chunk(reasoning_details=[sealed]),
        chunk(reasoning_details=[]),
        chunk("stop", content="Two"),
    )
    first, second = message_of(data)["reasoning_details"]
    assert (first["text"], first["signature"]) == ("One, two.", "sig")
    assert second == sealed


def test_content_in_parts_is_put_together_with_the_texts_around_it() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "One, two."}]}
    data = sse(
        chunk(role="assistant", content=""),
        chunk(content=[thought]),
        chunk(content=[{"type": "text", "text": "Tw"}]),
        chunk(content=[{"type": "text", "text": "o"}]),
        chunk("stop", content=""),
    )
    assert message_of(data)["content"] == [thought, {"type": "text", "text": "Two"}]


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        sse({"error": {"message": "It broke", "code": 502}}),
        sse({"error": {"message": "It broke", "code": 502}}, end=b""),
        sse({"error": "It broke"}, end=b""),
        sse({"error": {"message": "It broke", "type": None, "code": "429"}}),
        b'event: error\ndata: {"type": "error", "error": {"message": "It broke"}}\n\n',
        b"error: It broke\n\n",
        sse(chunk("length") | {"error": {"message": "It broke", "code": 400}}),
        sse(
            {"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "It broke"}}]}
        ),
        b": RELAY PROCESSING\n\n" + sse({"error": {"message": "It broke"}}, end=b""),
    ],
    ids=[
        "event",
        "without an end",
        "words",
        "code as a text",
        "by name",
        "no data",
        "beside a choice",
        "in a choice",
        "after comments",
    ],
)
def test_an_error_in_a_stream_is_kept(data: bytes) -> None:
    for behind in (data, TEXT + data):
        assert "It broke" in str(chat_body(behind)["error"])


@pytest.mark.parametrize(
    "event",
    [
        {"detail": "It broke"},
        {"object": "error", "message": "It broke", "type": "BadRequestError", "code": 400},
        {"message": "It broke", "code": 20015, "data": None},
    ],
    ids=["detail", "flat", "numbered"],
)
def test_an_error_that_is_not_called_one_is_no_answer(event: dict[str, Any]) -> None:
    try:
        body = chat_body(sse(event))
    except TornAnswerError:
        return
    assert body["choices"] == []
    assert "It broke" in str(body)
