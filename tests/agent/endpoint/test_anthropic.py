"""Anthropic's Messages API through its own SDK, against a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agent.backend import BackendUnusableError, Completion, Message, Sampling
from agent.endpoint.anthropic import AnthropicBackend
from agent.endpoint.attempt import Timing
from agent.models import resolve
from agent.price import Price
from agent.protocol import NATIVE, as_sent, replies_to, requests_of
from tests.agent.loopback import Asked, Endpoint, Reply

PATHS = ("/v1/messages",)
PROMPT = [
    Message(role="system", content="You repair code."),
    Message(role="user", content="def f(x): return x"),
]
USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 3_000,
    "output_tokens": 40,
}
PRICE = Price(input=3.0, cached=0.3, cache_write=3.75, output=15.0)
THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "sig-1"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"command": "ls"}}


def _message(
    *content: Mapping[str, Any], stop: str = "end_turn", usage: Mapping[str, Any] = USAGE
) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(content),
        "stop_reason": stop,
        "usage": usage,
    }


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _events(*events: Mapping[str, Any]) -> bytes:
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


def _refusal(message: str) -> Reply:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    return Reply(status=400, body=body)


def _server(otherwise: Any) -> Endpoint:
    return Endpoint(otherwise=otherwise, paths=PATHS)


def _backend(server: Endpoint, **options: Any) -> AnthropicBackend:
    defaults: dict[str, Any] = {
        "name": "anthropic:claude",
        "model": "claude",
        "base_url": server.url,
        "api_key": "sk-verysecret",
        "context_window": 200_000,
        "price": PRICE,
        "timing": Timing(first_wait=0.001),
    }
    return AnthropicBackend(**(defaults | options))


async def test_tokens_written_to_and_read_from_the_cache_are_part_of_the_input() -> None:
    with _server(Reply(body=_message(_text("done")))) as server:
        async with _backend(server) as backend:
            got = await backend.complete(PROMPT, Sampling())
    used = got.usage
    assert (got.text, got.stop) == ("done", "stop")
    assert (used.input_tokens, used.cached_tokens, used.cache_write_tokens) == (3_210, 3_000, 200)
    assert PRICE.cost(used) == pytest.approx((10 * 3 + 3_000 * 0.3 + 200 * 3.75 + 40 * 15) / 1e6)


async def test_tools_system_and_last_message_end_in_cache_breakpoints() -> None:
    with _server(Reply(body=_message(_text("done")))) as server:
        async with _backend(server) as backend:
            await backend.complete(PROMPT, Sampling(), NATIVE.tools)
    [asked] = server.completions
    body = asked.body
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert body["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "seed" not in body
    assert [tool["name"] for tool in body["tools"]] == ["bash", "view", "edit", "submit"]
    sent = asked.headers.get("x-api-key") or asked.headers["authorization"]
    assert "sk-verysecret" in sent


async def test_a_stream_is_put_together_with_its_thinking_and_its_calls() -> None:
    stream = _events(
        {"type": "message_start", "message": _message(usage={**USAGE, "output_tokens": 1})},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {**THOUGHT, "thinking": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "Let me "},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "see."},
        },
        {"type": "content_block_start", "index": 1, "content_block": {**CALL, "input": {}}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"command": '},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '"ls"}'},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 40},
        },
        {"type": "message_stop"},
    )
    pieces = [stream[at : at + 50] for at in range(0, len(stream), 50)]
    with _server(Reply(headers={"Content-Type": "text/event-stream"}, pieces=pieces)) as server:
        async with _backend(server) as backend:
            got = await backend.complete(PROMPT, Sampling(), NATIVE.tools)
    assert got.thinking == "Let me see."
    assert [(call.id, call.name, call.arguments) for call in got.tool_calls] == [
        ("toolu_1", "bash", '{"command": "ls"}')
    ]
    assert (got.stop, got.usage.input_tokens, got.usage.output_tokens) == ("stop", 3_210, 40)


async def test_thinking_goes_back_with_its_signature_before_the_calls_it_led_to() -> None:
    with _server(Reply(body=_message(THOUGHT, CALL, stop="tool_use"))) as server:
        async with _backend(server) as backend:
            first = await backend.complete(PROMPT, Sampling(), NATIVE.tools)
            talk = [*PROMPT, as_sent(first), *replies_to(requests_of(first), ["a.py"])]
            await backend.complete(talk, Sampling(), NATIVE.tools)
    said, told = server.completions[-1].body["messages"][-2:]
    assert said == {"role": "assistant", "content": [THOUGHT, CALL]}
    [result] = told["content"]
    assert (result["type"], result["tool_use_id"]) == ("tool_result", "toolu_1")
    assert result["content"] == "a.py"


async def test_several_results_of_one_answer_are_one_message() -> None:
    calls = [{**CALL, "id": f"toolu_{number}"} for number in range(2)]
    with _server(Reply(body=_message(*calls, stop="tool_use"))) as server:
        async with _backend(server) as backend:
            first = await backend.complete(PROMPT, Sampling(), NATIVE.tools)
            talk = [*PROMPT, as_sent(first), *replies_to(requests_of(first), ["a", "b"])]
            await backend.complete(talk, Sampling(), NATIVE.tools)
    told = server.completions[-1].body["messages"][-1]
    assert [block["tool_use_id"] for block in told["content"]] == ["toolu_0", "toolu_1"]


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        ("`temperature` and `top_p` cannot both be specified for this model.", {"temperature"}),
        ("`temperature` is deprecated for this model.", {"top_p"}),
    ],
)
async def test_settings_that_the_model_refuses_are_left_out_once(
    refused: str, left: set[str]
) -> None:
    def answer(asked: Asked) -> Reply:
        sent = {"temperature", "top_p"} & asked.body.keys()
        return Reply(body=_message(_text("done"))) if sent == left else _refusal(refused)

    with _server(answer) as server:
        async with _backend(server) as backend:
            got: list[Completion] = [await backend.complete(PROMPT, Sampling()) for _ in range(3)]
    assert len(server.completions) == 4
    assert {"temperature", "top_p"} & got[-1].sent.keys() == left


async def test_an_effort_becomes_a_budget_where_the_model_takes_no_effort() -> None:
    def answer(asked: Asked) -> Reply:
        if "output_config" in asked.body:
            return _refusal("output_config: Extra inputs are not permitted")
        if "temperature" in asked.body:
            return _refusal("`temperature` may only be set to 1 when thinking is enabled.")
        assert asked.body["thinking"]["type"] == "enabled"
        assert 1_024 <= asked.body["thinking"]["budget_tokens"] < asked.body["max_tokens"]
        return Reply(body=_message(THOUGHT, _text("done")))

    sampling = Sampling(reasoning_effort="high", required=("reasoning_effort",))
    with _server(answer) as server:
        async with _backend(server) as backend:
            got = await backend.complete(PROMPT, sampling)
    assert (got.text, got.thinking) == ("done", "Let me see.")


async def test_a_limit_above_the_models_own_is_lowered_to_it() -> None:
    def answer(asked: Asked) -> Reply:
        limit = asked.body["max_tokens"]
        if limit > 2_000:
            return _refusal(
                f"max_tokens: {limit} > 2000, which is the maximum allowed number of output tokens"
            )
        return Reply(body=_message(_text("done")))

    with _server(answer) as server:
        async with _backend(server) as backend:
            got = await backend.complete(PROMPT, Sampling())
    assert got.sent["max_tokens"] == 2_000


async def test_a_wrong_key_is_bad_input_that_names_its_variable() -> None:
    body = {"type": "error", "error": {"type": "authentication_error", "message": "invalid"}}
    with _server(Reply(status=401, body=body)) as server:
        async with _backend(server) as backend:
            with pytest.raises(BackendUnusableError, match="ANTHROPIC_API_KEY") as caught:
                await backend.complete(PROMPT, Sampling())
    assert caught.value.bad_input
    assert "sk-verysecret" not in str(caught.value)


async def test_the_preset_is_asked_through_its_own_api(monkeypatch: pytest.MonkeyPatch) -> None:
    with _server(Reply(body=_message(_text("done")))) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        model = resolve("anthropic:claude-haiku-4-5")
        async with model.backend as backend:
            got = await backend.complete(PROMPT, Sampling(seed=1))
    assert got.text == "done"
    assert [asked.page for asked in server.asked] == ["/v1/messages"]
