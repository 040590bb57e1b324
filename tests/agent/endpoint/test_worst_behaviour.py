"""What providers do at their worst, row by row: what is sent again, what is said, what is paid.

Beside `test_openai`, which shows each rule once; here stand the shapes in which it comes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import json
from collections.abc import Iterable
from email.utils import format_datetime
from typing import Any

import pytest

from agent.backend import (
    BackendError,
    BackendUnusableError,
    Completion,
    ContextOverflowError,
    Message,
    Sampling,
    StopReason,
    Tool,
    ToolsRefusedError,
)
from agent.endpoint.attempt import Timing
from agent.endpoint.estimate import estimate_prompt, estimate_tokens
from agent.endpoint.faults import UnknownModelError
from agent.endpoint.openai import OpenAIBackend
from agent.endpoint.retry import ATTEMPTS_BILLED, retry_after
from tests.agent.loopback import WORDS, Asked, Endpoint, Reply, completion, error

PROMPT = [Message(role="user", content="def f(x): return x")]
TOOLS = [Tool(name="bash", description="Run it.", parameters={"type": "object"})]
SAMPLING = Sampling(max_tokens=77)
SECRET = "sk-verysecret-0123456789"
SOON = 0.8
# Seconds after which an attempt at an answer without an end is given up.


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Have the SDK import what it imports at its first request, which may take longer than that."""
    with Endpoint() as server:
        asyncio.run(_answered(server))


def _backend(server: Endpoint, **options: Any) -> OpenAIBackend:
    defaults: dict[str, Any] = {
        "name": "test:model",
        "model": "model",
        "base_url": server.url,
        "api_key": SECRET,
        "key_variable": "TEST_API_KEY",
        "context_window": 4096,
        "timing": _timing(),
    }
    return OpenAIBackend(**(defaults | options))


def _timing(**seconds: float) -> Timing:
    return Timing(**{"first_wait": 0.001, "patience": 5.0} | seconds)


def _patient_with(fault: Reply) -> Timing:
    """Give an answer without an end up soon: silence by its idle time, blanks by all they take."""
    if fault.endless is None:
        return _timing()
    return _timing(longest=SOON) if fault.endless else _timing(idle=SOON)


def _page(status: int, title: str, **headers: str) -> Reply:
    """Return a page for people, as proxies send them."""
    html = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head></html>\n"
    return Reply(status=status, body=html.encode(), headers={"Content-Type": "text/html"} | headers)


def _in(seconds: float) -> str:
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return format_datetime(moment, usegmt=True)


def _rows(rows: Iterable[Any]) -> list[Any]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


async def _failed(
    server: Endpoint, tools: list[Tool] | None = None, **options: Any
) -> BackendError:
    async with _backend(server, **options) as backend:
        with pytest.raises(BackendError) as caught:
            await backend.complete(PROMPT, SAMPLING, tools or ())
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert SECRET[:8] not in said
    return caught.value


async def _answered(server: Endpoint, **options: Any) -> Completion:
    async with _backend(server, **options) as backend:
        return await backend.complete(PROMPT, SAMPLING)


# --- faults that may heal ---------------------------------------------------------------------

REFUSED = [
    # The provider took nothing, so nothing is paid.
    ("500 html", _page(500, "Internal Server Error")),
    ("500 text", Reply(status=500, body=b"Internal Server Error")),
    ("502 html", _page(502, "Bad Gateway")),
    ("503 wait of none", Reply(status=503, body=error("busy"), headers={"Retry-After": "0"})),
    ("504 html", _page(504, "Gateway Time-out")),
    ("520 cloudflare", _page(520, "Web server is returning an unknown error")),
    (
        "529 anthropic",
        Reply(status=529, body={"type": "error", "error": {"message": "Overloaded"}}),
    ),
    ("429 empty", Reply(status=429, body=b"")),
    ("429 date gone by", Reply(status=429, body=error("w"), headers={"Retry-After": _in(-99)})),
    ("429 no such date", Reply(status=429, headers={"Retry-After": f"Mon, 1 Jan {9**30} 0:0:0"})),
    ("429 not a number", Reply(status=429, headers={"Retry-After": "nan"})),
    ("429 in a list", Reply(status=429, body=[error("Resource has been exhausted", 429)])),
    ("error as text", Reply(body={"error": "the upstream is overloaded"})),
    ("error beside null", Reply(body={"choices": None, "error": {"message": "m", "code": 502}})),
    ("error without words", Reply(body={"error": {"message": None, "code": None}})),
    ("status as text", Reply(body=error("slow down", "429"))),
]
LOST = [
    # The provider may have worked for it, so it is paid, as our own high estimate.
    ("cut off", Reply(cut=True)),
    ("null", Reply(body=None)),
    ("not utf-8", Reply(body=b'{"choices": [{"message": {"content": "\xff"}}]}')),
    ("not gzip", Reply(body=b"no", headers={"Content-Encoding": "gzip"})),
    ("half gzip", Reply(body=gzip.compress(b" " * 999)[:20], headers={"Content-Encoding": "gzip"})),
    ("no message", Reply(body={"choices": [{"finish_reason": "stop"}]})),
    ("null message", Reply(body={"choices": [{"message": None, "finish_reason": "stop"}]})),
    ("null choices", Reply(body={"choices": None})),
    ("a stream", Reply(body=b"data: {}\n\n", headers={"Content-Type": "text/event-stream"})),
]
ENDLESS = [
    ("blanks", Reply(endless=b" ")),
    ("headers only", Reply(endless=b"")),
    ("error", Reply(status=500, endless=b" ")),
]
# Lost likewise.


@pytest.mark.parametrize("fault", _rows(REFUSED))
async def test_a_refusal_that_heals_is_asked_again_and_not_paid(fault: Reply) -> None:
    with Endpoint(fault) as server:
        got = await _answered(server)
    assert got.text == "done"
    assert len(server.completions) == got.usage.calls == 2
    assert (got.usage.input_tokens, got.usage.output_tokens) == (11, 3)
    assert got.usage.estimated_calls == 0


@pytest.mark.parametrize("fault", _rows(REFUSED))
async def test_a_refusal_that_does_not_heal_ends_and_is_this_samples_failure(fault: Reply) -> None:
    with Endpoint(otherwise=fault) as server:
        failure = await _failed(server, timing=_timing(patience=0.02))
    assert type(failure) is BackendError
    used = failure.usage
    assert used
    assert used.calls == len(server.completions) > 1
    assert (used.input_tokens, used.output_tokens, used.estimated_calls) == (0, 0, 0)


@pytest.mark.parametrize("fault", _rows([*LOST, *ENDLESS]))
async def test_a_lost_answer_is_asked_again_and_paid_as_an_estimate(fault: Reply) -> None:
    with Endpoint(fault) as server:
        got = await _answered(server, timing=_patient_with(fault))
    assert got.text == "done"
    assert len(server.completions) == got.usage.calls == 2
    assert got.usage.input_tokens == 11 + estimate_prompt(PROMPT)
    assert got.usage.output_tokens == 3 + 77
    assert got.usage.estimated_calls == 1


@pytest.mark.parametrize("fault", _rows([*LOST, *ENDLESS[:1]]))
async def test_answers_that_are_always_lost_end_soon_and_are_each_paid_once(fault: Reply) -> None:
    with Endpoint(otherwise=fault) as server:
        failure = await _failed(server, timing=_patient_with(fault))
    assert type(failure) is BackendError
    used = failure.usage
    assert used
    assert used.calls == used.estimated_calls == len(server.completions) == ATTEMPTS_BILLED
    assert used.input_tokens == ATTEMPTS_BILLED * estimate_prompt(PROMPT)
    assert used.output_tokens == ATTEMPTS_BILLED * 77


@pytest.mark.parametrize(
    "asked",
    ["86400", "9" * 400, "inf", _in(86_400), "Fri, 31 Dec 9999 23:59:59 GMT"],
    ids=["day", "number without end", "infinite", "date", "last date"],
)
async def test_an_absurd_wait_is_not_begun(asked: str) -> None:
    fault = Reply(status=503, body=error("later"), headers={"Retry-After": asked})
    with Endpoint(fault) as server:
        failure = await _failed(server)
    assert len(server.completions) == 1
    assert "503: later" in str(failure)


def test_a_date_to_wait_for_is_told_in_seconds_from_now() -> None:
    waited = retry_after({"retry-after": _in(60)})
    assert waited is not None
    assert 50 < waited <= 60
    assert retry_after({"retry-after": f"Mon, 1 Jan {9**30} 00:00:00 GMT"}) is None


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
async def test_an_answer_that_the_server_broke_off_is_not_the_models(reason: str) -> None:
    with Endpoint(Reply(body=completion("half an ans", finish=reason))) as server:
        got = await _answered(server)
    assert (got.text, got.stop) == ("done", "stop")
    # Both came with their usage, so nothing of it is guessed.
    assert (got.usage.calls, got.usage.estimated_calls) == (2, 0)
    assert (got.usage.input_tokens, got.usage.output_tokens) == (22, 6)


async def test_no_choice_is_paid_as_the_provider_says() -> None:
    empty = completion() | {"choices": []}
    with Endpoint(Reply(body=empty), Reply(body=empty)) as server:
        failure = await _failed(server)
    assert failure.usage
    assert (failure.usage.calls, failure.usage.estimated_calls) == (2, 0)
    assert (failure.usage.input_tokens, failure.usage.output_tokens) == (22, 6)


# --- faults that do not heal ------------------------------------------------------------------


def _typed(message: str, kind: str, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code, "param": None}}


OVERFLOWS = [
    (
        "openai with tools",
        400,
        _typed(
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 9000 tokens (8800 in the messages, 200 in the functions).",
            "invalid_request_error",
        ),
    ),
    (
        "vllm",
        400,
        {
            "object": "error",
            "message": "'max_tokens' is too large: 900. This model's maximum context length is "
            "1024 tokens and your request has 800 input tokens.",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    (
        "vllm prompt",
        400,
        _typed(
            "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
            "BadRequestError",
            400,
        ),
    ),
    (
        "sglang",
        400,
        {
            "object": "error",
            "message": "The input (9000 tokens) is longer than the model's context length.",
        },
    ),
    (
        "llama.cpp",
        400,
        _typed("the request exceeds the available context size", "exceed_context_size_error", 400),
    ),
    (
        "deepseek",
        400,
        _typed(
            "This model's maximum context length is 65536 tokens. However, you requested 70000.",
            "invalid_request_error",
            "invalid_request_error",
        ),
    ),
    (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > "
                "200000, decrease input length or `max_tokens` and try again",
            },
        },
    ),
    (
        "gemini",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (1200000) exceeds the maximum number of "
                    "tokens allowed (1048576).",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
    ),
    (
        "xai",
        400,
        {
            "code": "invalid-argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 150000 "
            "tokens.",
        },
    ),
    ("under 200", 200, error("This endpoint's maximum context length is 8192 tokens", "400")),
]


@pytest.mark.parametrize(("status", "body"), _rows(OVERFLOWS))
async def test_every_dialect_of_too_long_a_prompt_is_understood(status: int, body: Any) -> None:
    with Endpoint(otherwise=Reply(status=status, body=body)) as server:
        # With tools, so that none is taken for a refusal of them.
        failure = await _failed(server, TOOLS)
    assert type(failure) is ContextOverflowError
    assert failure.usage
    assert (
        (failure.usage.calls, failure.usage.input_tokens) == (len(server.completions), 0) == (1, 0)
    )


UNUSABLE = [
    ("key openai", 401, error("Incorrect API key provided", "invalid_api_key"), "valid one"),
    ("key html", 401, b"<html>Unauthorized</html>", "valid one"),
    ("key xai", 400, error(f"Incorrect API key provided: {SECRET[:8]}****89"), "valid one"),
    ("key gemini", 400, [error("API key expired. Please renew the API key.", 400)], "valid one"),
    ("key under 200", 200, error("User not found.", 401), "valid one"),
    ("quota", 429, _typed("You exceeded your quota", "insufficient_quota"), "no credit left"),
    ("quota litellm", 429, _typed("no", "insufficient_quota", "429"), "no credit left"),
    (
        "quota moonshot",
        429,
        _typed("Your account is suspended", "exceeded_current_quota_error"),
        "no credit left",
    ),
    (
        "credit anthropic",
        400,
        _typed("Your credit balance is too low to access the API.", "invalid_request_error"),
        "no credit left",
    ),
    ("credit zhipu", 429, error("Insufficient balance or no resource", "1113"), "no credit left"),
    ("credit under 200", 200, error("Insufficient credits", 402), "no credit left"),
]


@pytest.mark.parametrize(("status", "body", "says"), _rows(UNUSABLE))
async def test_what_no_request_can_get_past_is_asked_once_and_stops_the_model(
    status: int, body: Any, says: str
) -> None:
    with Endpoint(otherwise=Reply(status=status, body=body)) as server:
        failure = await _failed(server)
    assert isinstance(failure, BackendUnusableError)
    assert says in str(failure)
    assert "TEST_API_KEY" in str(failure)
    assert len(server.completions) == 1


NO_MODEL = [
    ("vllm", 404, _typed("The model `model` does not exist.", "NotFoundError", 404)),
    ("ollama", 404, error('model "model" not found, try pulling it first')),
    ("openrouter", 400, error("model is not a valid model ID", 400)),
    ("mistral", 400, _typed("Invalid model: model", "invalid_model", "1500")),
    ("wrong address", 404, b"<html>404 Not Found</html>"),
]


@pytest.mark.parametrize(("status", "body"), _rows(NO_MODEL))
async def test_a_model_that_is_not_there_is_asked_for_once(status: int, body: Any) -> None:
    with Endpoint(otherwise=Reply(status=status, body=body), models=[{"id": "other"}]) as server:
        failure = await _failed(server)
    assert type(failure) is UnknownModelError
    assert failure.bad_input
    assert "it offers other." in str(failure)
    assert len(server.completions) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_said_and_not_followed(status: int) -> None:
    # Followed, some are asked by GET, without the prompt, and all send it to who knows whom.
    with Endpoint() as elsewhere:
        moved = _page(status, "Moved", Location=f"{elsewhere.url}/chat/completions?key={SECRET}")
        with Endpoint(otherwise=moved) as server:
            failure = await _failed(server)
    assert isinstance(failure, BackendUnusableError)
    assert failure.bad_input
    assert f"redirects to {elsewhere.url}: give" in str(failure)
    assert elsewhere.asked == []
    assert len(server.completions) == 1
    assert failure.usage
    assert failure.usage.estimated_calls == 0


@pytest.mark.parametrize("location", ["", "/v2", "http://[", "?"])
async def test_a_redirect_to_nowhere_is_still_said(location: str) -> None:
    with Endpoint(otherwise=_page(307, "Moved", Location=location)) as server:
        assert "redirects to" in str(await _failed(server))
    assert len(server.completions) == 1


async def test_a_request_above_the_accounts_rate_is_not_tried_until_patience_ends() -> None:
    body = _typed(
        "Request too large for model in organization org on tokens per min (TPM): Limit 30000, "
        "Requested 45000. The input or output tokens must be reduced.",
        "tokens",
        "rate_limit_exceeded",
    )
    with Endpoint(Reply(status=429, body=body, headers={"Retry-After": "0"})) as server:
        failure = await _failed(server)
    assert not isinstance(failure, BackendUnusableError)
    assert len(server.completions) == 1


WITHHELD = [
    ("azure", 400, error("The response was filtered by the content management", "content_filter")),
    ("openai", 400, error("Invalid prompt: your prompt was flagged as a risk", "invalid_prompt")),
    ("deepseek", 400, error("Content Exists Risk", "invalid_request_error")),
    ("openrouter", 403, error('moderation is required and your input was flagged for "x"', 403)),
]


@pytest.mark.parametrize(("status", "body"), _rows(WITHHELD))
async def test_a_prompt_that_a_filter_refuses_is_an_answer_withheld(status: int, body: Any) -> None:
    with Endpoint(otherwise=Reply(status=status, body=body)) as server:
        got = await _answered(server)
    assert (got.text, got.stop) == ("", "content_filter")
    # Some bill the prompt that they read, and none of them says how much of it.
    assert got.usage.input_tokens == estimate_prompt(PROMPT)
    assert (got.usage.calls, got.usage.estimated_calls, got.usage.output_tokens) == (1, 1, 0)
    assert len(server.completions) == 1


async def test_a_refusal_that_follows_lost_answers_keeps_what_they_cost() -> None:
    with Endpoint(Reply(cut=True), Reply(status=401, body=error("expired"))) as server:
        failure = await _failed(server)
    assert isinstance(failure, BackendUnusableError)
    assert failure.usage
    assert (failure.usage.calls, failure.usage.estimated_calls) == (2, 1)
    assert failure.usage.output_tokens == 77


async def test_a_key_shown_in_part_is_not_repeated() -> None:
    body = error(f"the project of {SECRET[:9]}*****{SECRET[-3:]} may not")
    with Endpoint(otherwise=Reply(status=403, body=body)) as server:
        failure = await _failed(server)
    assert "the project of *** may not" in str(failure)


async def test_a_key_that_expires_ends_only_what_comes_after() -> None:
    expired = Reply(status=401, body=error("expired", "invalid_api_key"))
    with Endpoint(Reply(), Reply(), otherwise=expired) as server:
        async with _backend(server) as backend:
            for _ in range(2):
                assert (await backend.complete(PROMPT, SAMPLING)).usage.output_tokens == 3
            for _ in range(2):
                with pytest.raises(BackendUnusableError, match="TEST_API_KEY") as caught:
                    await backend.complete(PROMPT, SAMPLING)
                assert caught.value.usage
                assert caught.value.usage.output_tokens == 0
    assert len(server.completions) == 4


async def test_tools_that_are_refused_are_told_from_everything_else() -> None:
    refusals = [
        error("tools is not supported in this model", 400),
        error("No endpoints found that support tool use", 404),
    ]
    for status, body in zip((400, 404), refusals, strict=True):
        with Endpoint(otherwise=Reply(status=status, body=body)) as server:
            assert type(await _failed(server, TOOLS)) is ToolsRefusedError
            assert not isinstance(await _failed(server), ToolsRefusedError)


# --- answers ----------------------------------------------------------------------------------

ANSWERS: list[tuple[str, Any, str, StopReason]] = [
    ("in a list", [completion("x")], "x", "stop"),
    ("twice", json.dumps(completion("x")).encode() * 2, "x", "stop"),
    ("blanks before it", b" \n\n" + json.dumps(completion("x")).encode(), "x", "stop"),
    (
        "a stream's mark behind it",
        json.dumps(completion("x")).encode() + b"\n\ndata: [DONE]\n\n",
        "x",
        "stop",
    ),
    ("null content", completion(None), "", "stop"),
    (
        "no content",
        {"choices": [{"message": {}, "finish_reason": "stop"}], "usage": WORDS},
        "",
        "stop",
    ),
    ("only thoughts", completion(None, reasoning_content="hm", finish="stop"), "", "stop"),
    ("thoughts beside", completion("x", reasoning_content="hm"), "x", "stop"),
    ("null refusal", completion("x", refusal=None), "x", "stop"),
    ("refusal beside", completion("Well", refusal="I will not."), "Well", "content_filter"),
    ("filtered half", completion("ha", finish="content_filter"), "ha", "content_filter"),
    ("null error", completion("x") | {"error": None}, "x", "stop"),
    ("null calls", completion("x", tool_calls=None), "x", "stop"),
    (
        "parts",
        completion()
        | {
            "choices": [
                {
                    "message": {
                        "content": [
                            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                            {"type": "text", "text": "x"},
                            {"type": "text", "text": "y"},
                        ]
                    },
                    "finish_reason": "stop",
                }
            ]
        },
        "xy",
        "stop",
    ),
]


@pytest.mark.parametrize(("body", "text", "stop"), _rows(ANSWERS))
async def test_an_odd_answer_is_taken_as_it_is_and_asked_for_once(
    body: Any, text: str, stop: StopReason
) -> None:
    with Endpoint(Reply(body=body)) as server:
        got = await _answered(server)
    assert (got.text, got.stop, got.usage.calls) == (text, stop, 1)
    assert len(server.completions) == 1


USAGES: list[tuple[str, Any, tuple[int, int, int, int]]] = [
    # Input, cached, output and reasoning tokens.
    (
        "null details",
        {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "total_tokens": None,
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
            "prompt_cache_hit_tokens": None,
        },
        (9, 0, 4, 0),
    ),
    (
        "nulls in details",
        {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": None, "cache_write_tokens": None},
            "completion_tokens_details": {"reasoning_tokens": None},
        },
        (9, 0, 4, 0),
    ),
    (
        "more than they could be a part of",
        {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 99},
            "completion_tokens_details": {"reasoning_tokens": 99},
        },
        (108, 99, 103, 99),
    ),
    (
        "less than nothing",
        {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": -1, "cache_write_tokens": -1},
            "completion_tokens_details": {"reasoning_tokens": -1},
        },
        (9, 0, 4, 0),
    ),
]


@pytest.mark.parametrize(("usage", "counted"), _rows(USAGES))
async def test_usage_with_gaps_and_nonsense_is_read_as_far_as_it_goes(
    usage: Any, counted: tuple[int, int, int, int]
) -> None:
    with Endpoint(Reply(body=completion(usage=usage))) as server:
        used = (await _answered(server)).usage
    assert counted == (
        used.input_tokens,
        used.cached_tokens,
        used.output_tokens,
        used.reasoning_tokens,
    )
    assert (used.cache_write_tokens, used.estimated_calls) == (0, 0)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 11, "completion_tokens": None},
        {"prompt_tokens": -1, "completion_tokens": 3},
        {"input": 11},
        [],
        "none",
    ],
)
async def test_a_usage_that_cannot_be_is_none(usage: Any) -> None:
    with Endpoint(Reply(body=completion("one two", usage=usage))) as server:
        used = (await _answered(server)).usage
    assert (used.calls, used.estimated_calls) == (1, 1)
    assert used.input_tokens == estimate_prompt(PROMPT)
    assert used.output_tokens == estimate_tokens("one two")


async def test_without_usage_an_answer_cut_at_its_limit_took_all_of_it() -> None:
    body = completion(None, finish="length", usage=None)
    with Endpoint(Reply(body=body)) as server:
        used = (await _answered(server)).usage
    assert (used.output_tokens, used.estimated_calls) == (77, 1)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_without_usage_thoughts_are_paid_too(field: str) -> None:
    body = completion("x", usage=None, **{field: "first this, then that"})
    with Endpoint(Reply(body=body)) as server:
        used = (await _answered(server)).usage
    assert used.output_tokens >= estimate_tokens("first this, then that") + estimate_tokens("x")


async def test_a_prompt_that_is_not_quite_text_is_sent_all_the_same() -> None:
    odd = [Message(role="user", content="name: \udcff")]
    with Endpoint() as server:
        async with _backend(server) as backend:
            assert (await backend.complete(odd, SAMPLING)).text == "done"
    [asked] = server.completions
    assert asked.body["messages"][0]["content"] == "name: ?"


async def test_a_bad_listing_does_not_keep_a_model_from_being_asked() -> None:
    for listing in (
        Reply(body=b"<html>"),
        Reply(body={"data": None}),
        _page(307, "x", Location="/"),
    ):
        with Endpoint(listing=[listing]) as server:
            got = await _answered(server, context_window=None)
        assert got.text == "done"


async def test_many_at_once_through_a_storm_of_faults_are_each_answered_and_paid_once() -> None:
    # Every request is refused once, then lost once, then answered.
    seen: dict[int, int] = {}

    def stormy(asked: Asked) -> Reply:
        seed = asked.body["seed"]
        seen[seed] = seen.get(seed, 0) + 1
        return {1: Reply(status=503), 2: Reply(cut=True)}.get(seen[seed], Reply())

    with Endpoint(otherwise=stormy) as server:
        async with _backend(server, in_flight=4) as backend:
            drawn = await asyncio.gather(
                *(backend.complete(PROMPT, Sampling(seed=seed, max_tokens=77)) for seed in range(8))
            )
    assert [one.usage.calls for one in drawn] == [3] * 8
    assert {one.usage.output_tokens for one in drawn} == {3 + 77}
    assert set(seen.values()) == {3}
