"""The backend against a real server on loopback: faults healed, told apart, and paid for."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import socket
import traceback
from collections.abc import Iterator
from contextlib import closing
from email.utils import format_datetime
from typing import Any

import pytest

from agent.backend import (
    BackendError,
    BackendUnusableError,
    ContextOverflowError,
    Message,
    Sampling,
)
from agent.endpoint.answers import DEFAULT_CONTEXT_WINDOW
from agent.endpoint.attempt import Timing
from agent.endpoint.estimate import estimate_prompt
from agent.endpoint.openai import OpenAIBackend
from agent.endpoint.profile import ModelProfile
from agent.endpoint.retry import ATTEMPTS_BILLED, retry_after
from tests.agent.loopback import Endpoint, Reply, completion, error

PROMPT = [
    Message(role="system", content="You repair code."),
    Message(role="user", content="def f(x): return x"),
]
SECRET = "sk-verysecret-0123456789"
OK = Reply()


def _backend(server: Endpoint | str, **options: Any) -> OpenAIBackend:
    defaults: dict[str, Any] = {
        "name": "test:model",
        "model": "model",
        "base_url": server if isinstance(server, str) else server.url,
        "api_key": SECRET,
        "key_variable": "TEST_API_KEY",
        "context_window": 4096,
        "timing": _timing(),
    }
    return OpenAIBackend(**(defaults | options))


def _timing(**seconds: float) -> Timing:
    return Timing(**{"first_wait": 0.001} | seconds)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine where nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_one_request_one_sample_with_its_settings_and_exact_usage() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    with Endpoint(Reply(body=completion("the answer", usage=usage))) as server:
        async with _backend(server) as backend:
            got = await backend.complete(
                PROMPT, Sampling(temperature=0.7, top_p=0.9, max_tokens=55, seed=3)
            )
    assert (got.text, got.stop) == ("the answer", "stop")
    used = got.usage
    assert (used.input_tokens, used.cached_tokens, used.cache_write_tokens) == (100, 64, 16)
    assert (used.output_tokens, used.reasoning_tokens) == (20, 5)
    assert (used.calls, used.estimated_calls, used.accelerator_seconds) == (1, 0, 0.0)
    [asked] = server.asked
    assert asked.body == {
        "model": "model",
        "messages": [
            {"role": "system", "content": "You repair code."},
            {"role": "user", "content": "def f(x): return x"},
        ],
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 55,
        "seed": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert got.sent == {"temperature": 0.7, "top_p": 0.9, "max_tokens": 55, "seed": 3}


async def test_what_changes_nothing_or_is_not_understood_is_not_sent() -> None:
    profile = ModelProfile(
        limit_field="max_completion_tokens",
        left_out={"seed": "it ignores seeds"},
        stream_usage=False,
    )
    with Endpoint() as server:
        async with _backend(server, profile=profile) as backend:
            await backend.complete(PROMPT, Sampling(top_p=1.0, max_tokens=5, seed=1))
    assert set(server.asked[0].body) == {
        "model",
        "messages",
        "temperature",
        "max_completion_tokens",
        "stream",
    }


async def test_a_temperature_that_would_silently_be_lowered_is_refused() -> None:
    with Endpoint() as server:
        async with _backend(server, profile=ModelProfile(highest_temperature=1.0)) as backend:
            with pytest.raises(BackendUnusableError, match="at most 1") as caught:
                await backend.complete(PROMPT, Sampling(temperature=1.2))
    assert caught.value.bad_input
    assert server.asked == []


async def test_cached_tokens_as_deepseek_counts_them() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_cache_hit_tokens": 90,
        "prompt_cache_miss_tokens": 10,
    }
    with Endpoint(Reply(body=completion(usage=usage))) as server:
        async with _backend(server) as backend:
            used = (await backend.complete(PROMPT, Sampling())).usage
    assert (used.input_tokens, used.cached_tokens) == (100, 90)


@pytest.mark.parametrize(
    ("body", "text", "stop"),
    [
        (completion("cut", finish="length"), "cut", "length"),
        (completion("", finish="content_filter"), "", "content_filter"),
        (completion(None, finish="stop", refusal="I will not."), "I will not.", "content_filter"),
        (completion(None, finish="length", reasoning_content="hm"), "", "length"),
        (completion("x", finish="tool_calls"), "x", "stop"),
        (completion("x", finish=None), "x", "other"),
    ],
)
async def test_why_the_model_stopped(body: dict[str, Any], text: str, stop: str) -> None:
    with Endpoint(Reply(body=body)) as server:
        async with _backend(server) as backend:
            got = await backend.complete(PROMPT, Sampling())
    assert (got.text, got.stop) == (text, stop)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": 3}])
async def test_missing_usage_is_estimated_high_and_marked_and_never_zero(usage: Any) -> None:
    with Endpoint(Reply(body=completion("one two three", usage=usage))) as server:
        async with _backend(server) as backend:
            used = (await backend.complete(PROMPT, Sampling(max_tokens=50))).usage
    assert used.input_tokens == estimate_prompt(PROMPT)
    assert 3 <= used.output_tokens <= 50
    assert (used.calls, used.estimated_calls) == (1, 1)


# --- faults that heal -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=429, body=error("slow down")),
        Reply(status=429, body=b"<html>slow down</html>", headers={"Retry-After": "nonsense"}),
        Reply(status=408, body=error("too slow")),
        Reply(status=409, body=error("conflict")),
        Reply(status=500, body=b""),
        Reply(status=503, body=error("overloaded")),
        Reply(status=529, body={"detail": "overloaded"}),
        Reply(body=error("upstream is gone", 502)),
        Reply(body=error("slow down", 429)),
    ],
)
async def test_a_fault_that_heals_is_tried_again_and_not_charged_tokens(fault: Reply) -> None:
    with Endpoint(fault, fault, OK) as server:
        async with _backend(server) as backend:
            got = await backend.complete(PROMPT, Sampling())
    assert got.text == "done"
    assert (got.usage.calls, got.usage.estimated_calls) == (3, 0)
    assert (got.usage.input_tokens, got.usage.output_tokens) == (11, 3)


@pytest.mark.parametrize(
    "fault",
    [
        Reply(reset=True),
        Reply(body=b'{"choices": [{"mess'),
        Reply(body=b"<html>a proxy's greeting</html>", headers={"Content-Type": "text/html"}),
        Reply(body={"choices": []}),
        Reply(body=b""),
        Reply(delay=60.0),
    ],
    ids=["reset", "cut-off", "html", "no-choice", "empty", "timeout"],
)
async def test_an_answer_lost_on_its_way_is_asked_again_and_both_are_charged(
    fault: Reply,
) -> None:
    with Endpoint(fault, OK) as server:
        async with _backend(server, timing=_timing(idle=1.5)) as backend:
            got = await backend.complete(PROMPT, Sampling(max_tokens=77))
    assert got.text == "done"
    assert (got.usage.calls, got.usage.estimated_calls) == (2, 1)
    assert got.usage.input_tokens == 11 + estimate_prompt(PROMPT)
    assert got.usage.output_tokens == 3 + 77


async def test_answers_lost_again_and_again_are_not_paid_for_ever() -> None:
    with Endpoint(otherwise=Reply(reset=True)) as server:
        async with _backend(server, timing=_timing(patience=5.0)) as backend:
            with pytest.raises(
                BackendError, match=r"lost the connection .* in 2 attempts"
            ) as caught:
                await backend.complete(PROMPT, Sampling(max_tokens=10))
    assert len(server.asked) == ATTEMPTS_BILLED == 2
    assert not isinstance(caught.value, BackendUnusableError)
    used = caught.value.usage
    assert used
    assert (used.calls, used.estimated_calls, used.output_tokens) == (2, 2, 20)


async def test_what_does_not_heal_in_time_is_a_failure_with_its_usage() -> None:
    with Endpoint(otherwise=Reply(status=500, body=error("oh no"))) as server:
        async with _backend(server, timing=_timing(patience=0.2)) as backend:
            with pytest.raises(BackendError, match=r"500: oh no in \d+ attempts\.") as caught:
                await backend.complete(PROMPT, Sampling())
    assert not isinstance(caught.value, BackendUnusableError)
    assert caught.value.usage
    assert caught.value.usage.calls == len(server.asked) > 1


async def test_the_time_that_a_server_asks_for_is_waited() -> None:
    early: list[float] = []

    def strict(asked: Any) -> Reply:
        since = asked.at - server.asked[0].at
        if len(server.asked) == 1:
            return Reply(status=429, body=error("wait"), headers={"Retry-After": "0.5"})
        if since < 0.5:
            early.append(since)
        return OK

    with Endpoint(otherwise=strict) as server:
        async with _backend(server) as backend:
            await backend.complete(PROMPT, Sampling())
    assert early == []
    assert len(server.asked) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_wait_beyond_all_patience_is_not_begun(form: str) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    value = "3600" if form == "seconds" else format_datetime(later, usegmt=True)
    with Endpoint(
        Reply(status=429, body=error("wait"), headers={"Retry-After": value}), OK
    ) as server:
        async with _backend(server) as backend:
            with pytest.raises(BackendError, match="429: wait"):
                await backend.complete(PROMPT, Sampling())
    assert len(server.asked) == 1


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    past = format_datetime(dt.datetime.now(dt.UTC) - dt.timedelta(days=1), usegmt=True)
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert retry_after({"retry-after": "-3"}) == 0.0
    assert retry_after({"retry-after": past}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


# --- faults that do not heal ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, error(f"Incorrect API key provided: {SECRET}"), "TEST_API_KEY to a valid one"),
        (403, error(f"Key {SECRET} may not use this model"), "TEST_API_KEY may use"),
        (400, error("Model Not Exist", "invalid_request_error"), "no such model"),
        (404, error("The model `model` does not exist", "model_not_found"), "no such model"),
        (400, error("temperature must be 1", "unsupported_value"), "temperature must be 1"),
    ],
)
async def test_what_the_user_can_mend_is_said_at_once(status: int, body: Any, says: str) -> None:
    sampling = Sampling(required=("temperature",))
    with Endpoint(otherwise=Reply(status=status, body=body)) as server:
        async with _backend(server) as backend:
            with pytest.raises(BackendUnusableError, match=says) as caught:
                await backend.complete(PROMPT, sampling)
    assert caught.value.bad_input
    assert len(server.completions) == 1
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, error("Insufficient Balance")),
        (429, error("You exceeded your current quota", "insufficient_quota")),
    ],
)
async def test_an_empty_account_stops_everything_at_once(status: int, body: Any) -> None:
    with Endpoint(otherwise=Reply(status=status, body=body)) as server:
        async with _backend(server) as backend:
            with pytest.raises(BackendUnusableError, match="no credit left"):
                await backend.complete(PROMPT, Sampling())
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("too long", "context_length_exceeded")),
        (400, error("This model's maximum context length is 8192 tokens. However, ...", 400)),
        (413, error("prompt is too long: 210000 tokens > 200000 maximum")),
        (400, {"error": {"message": "request exceeds the available context size", "code": 400}}),
    ],
)
async def test_a_prompt_that_does_not_fit_is_told_apart(status: int, body: Any) -> None:
    with Endpoint(otherwise=Reply(status=status, body=body)) as server:
        async with _backend(server) as backend:
            with pytest.raises(ContextOverflowError):
                await backend.complete(PROMPT, Sampling(max_tokens=1024, required=("max_tokens",)))
            assert len(server.asked) == 1
            with pytest.raises(ContextOverflowError) as caught:
                await backend.complete(PROMPT, Sampling(max_tokens=1024))
    # A limit that nobody asked for is lowered before the prompt is given up.
    _, *limits = [asked.body["max_tokens"] for asked in server.asked]
    assert limits[0] == 1024
    assert len(limits) > 1
    assert limits == sorted(set(limits), reverse=True)
    assert caught.value.usage
    assert (caught.value.usage.calls, caught.value.usage.input_tokens) == (len(limits), 0)


async def test_a_shorter_answer_is_asked_for_where_the_prompt_leaves_no_room_for_more() -> None:
    def narrow(asked: Any) -> Reply:
        limit = asked.body["max_tokens"]
        said = f"maximum context length is 2000 tokens, and the answer may have {limit}"
        return OK if limit <= 500 else Reply(status=400, body=error(said))

    with Endpoint(otherwise=narrow) as server:
        async with _backend(server) as backend:
            got = await backend.complete(PROMPT, Sampling())
            assert backend.context_window == 2000
            await backend.complete(PROMPT, Sampling())
    assert got.sent["max_tokens"] == 500
    assert [asked.body["max_tokens"] for asked in server.asked] == [1024, 500, 500]


@pytest.mark.parametrize("status", [405, 418])
async def test_any_other_refusal_fails_this_request_only_and_is_not_tried_again(
    status: int,
) -> None:
    with Endpoint(otherwise=Reply(status=status, body=error("no\nthanks"))) as server:
        async with _backend(server) as backend:
            with pytest.raises(BackendError, match=f"{status}: no thanks") as caught:
                await backend.complete(PROMPT, Sampling())
    assert not isinstance(caught.value, BackendUnusableError)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_that_names_nothing_ends_once_nothing_plainer_is_left(status: int) -> None:
    with Endpoint(otherwise=Reply(status=status, body=error("no\nthanks"))) as server:
        async with _backend(server) as backend:
            with pytest.raises(BackendError, match=f"{status}: no thanks") as caught:
                await backend.complete(PROMPT, Sampling())
            tried = len(server.asked)
            # What helped nothing once is not gone through again.
            with pytest.raises(BackendError, match=f"{status}: no thanks"):
                await backend.complete(PROMPT, Sampling())
    assert not isinstance(caught.value, BackendUnusableError)
    assert caught.value.usage
    assert (caught.value.usage.calls, caught.value.usage.estimated_calls) == (tried, 0)
    assert (caught.value.usage.input_tokens, caught.value.usage.output_tokens) == (0, 0)
    assert len(server.asked) == tried + 1
    bodies = [str(asked.body) for asked in server.asked[:tried]]
    # The first is sent twice: such a refusal may be a relay's hiccup.
    assert len(set(bodies)) == tried - 1 > 1
    plainest = server.asked[tried - 1].body
    assert set(plainest) == {"model", "messages"}
    assert server.asked[-1].body == server.asked[0].body


async def test_an_unknown_model_is_answered_with_what_is_offered() -> None:
    models = [{"id": f"model-{number}"} for number in range(11)]
    refusal = Reply(status=404, body=error("no model `model`", "model_not_found"))
    with Endpoint(refusal, models=models) as server:
        async with _backend(server) as backend:
            with pytest.raises(BackendUnusableError, match=r"model-0, .*model-7 and 3 more"):
                await backend.complete(PROMPT, Sampling())


async def test_nobody_at_the_address_is_said_soon(closed_port: int) -> None:
    backend = _backend(
        f"http://127.0.0.1:{closed_port}/v1", timing=_timing(reach_patience=0.1, patience=1e9)
    )
    async with backend:
        with pytest.raises(BackendUnusableError, match="check that it is running") as caught:
            await backend.complete(PROMPT, Sampling())
    assert not caught.value.bad_input
    assert caught.value.usage
    assert caught.value.usage.estimated_calls == 0


async def test_a_server_of_ones_own_that_is_not_there_fails_before_the_first_request(
    closed_port: int,
) -> None:
    url = f"http://127.0.0.1:{closed_port}/v1"
    with pytest.raises(BackendUnusableError, match="no connection"):
        await _backend(url, accelerator=True, timing=_timing(reach_patience=0.1)).__aenter__()


async def test_a_server_that_restarts_is_waited_for() -> None:
    with Endpoint() as first:
        port = int(first.url.split(":")[2].split("/")[0])
        backend = _backend(
            first, timing=_timing(reach_patience=0.0, patience=30.0, first_wait=0.05)
        )
        async with backend:
            await backend.complete(PROMPT, Sampling())
            first.__exit__(None, None, None)
            waiting = asyncio.create_task(backend.complete(PROMPT, Sampling()))
            await asyncio.sleep(0.2)
            with Endpoint(port=port):
                assert (await waiting).text == "done"


# --- the key --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        OK,
        Reply(status=401, body=error(f"Incorrect API key provided: {SECRET}.")),
        Reply(status=403, body=error(f"{SECRET} is not enough")),
        Reply(status=400, body=error(f"your request with {SECRET} is bad")),
        Reply(status=404, body=error(f"{SECRET} knows no such model")),
        Reply(status=500, body=f"debug: {SECRET}".encode()),
        Reply(body=f"<html>{SECRET}</html>".encode()),
        Reply(reset=True),
    ],
)
async def test_the_key_is_sent_and_shows_up_nowhere_else(
    reply: Reply, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = []
    with Endpoint(otherwise=reply) as server:
        backend = _backend(server, timing=_timing(patience=0.05))
        seen += [repr(backend), str(backend), repr(vars(backend))]
        async with backend:
            try:
                seen.append(repr(await backend.complete(PROMPT, Sampling())))
            except BackendError as failure:
                seen += [*traceback.format_exception(failure), repr(failure), str(vars(failure))]
    assert server.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    seen += [caplog.text, str([record.__dict__ for record in caplog.records])]
    seen += capsys.readouterr()
    # Neither the whole of it nor the part that some providers repeat.
    assert not [text for text in seen if SECRET in text or "sk-very" in text]


async def test_other_providers_are_not_told_of_the_openai_organization(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-mine")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-openai-only")
    with Endpoint() as server:
        async with _backend(server, api_key=None) as backend:
            await backend.complete(PROMPT, Sampling())
    sent = str(server.asked[0].headers)
    assert "mine" not in sent
    assert "sk-for-openai-only" not in sent


# --- limits, cancelling, metering -----------------------------------------------------------


async def test_no_more_requests_at_once_than_allowed() -> None:
    with Endpoint(otherwise=Reply(delay=0.05)) as server:
        async with _backend(server, in_flight=3) as backend:
            assert backend.in_flight == 3
            await asyncio.gather(*(backend.complete(PROMPT, Sampling()) for _ in range(10)))
    assert len(server.asked) == 10
    assert server.most_in_flight == 3


@pytest.mark.parametrize("fault", [Reply(delay=30.0), Reply(status=500)], ids=["asking", "waiting"])
async def test_a_cancelled_request_releases_everything(fault: Reply) -> None:
    with Endpoint(fault) as server:
        async with _backend(
            server, in_flight=1, accelerator=True, timing=_timing(first_wait=0.4)
        ) as backend:
            task = asyncio.create_task(backend.complete(PROMPT, Sampling()))
            await asyncio.to_thread(server.got_one.wait, 30)
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            got = await backend.complete(PROMPT, Sampling())
    assert got.text == "done"
    # Were the cancelled one still counted as in flight, half of the time would be its share.
    assert got.usage.accelerator_seconds > 0.6 * got.usage.seconds


async def test_a_shared_server_is_charged_once_for_the_time_it_was_busy() -> None:
    with Endpoint(otherwise=Reply(delay=0.2)) as server:
        async with _backend(server, accelerator=True, in_flight=8) as backend:
            loop = asyncio.get_running_loop()
            started = loop.time()
            got = await asyncio.gather(*(backend.complete(PROMPT, Sampling()) for _ in range(8)))
            wall = loop.time() - started
    shares = [one.usage.accelerator_seconds for one in got]
    assert 0 < sum(shares) <= wall
    assert sum(one.usage.seconds for one in got) > wall


# --- what the server says of itself ---------------------------------------------------------


@pytest.mark.parametrize("field", ["max_model_len", "context_length", "context_window"])
async def test_the_context_window_is_the_servers(field: str) -> None:
    with Endpoint(models=[{"id": "other"}, {"id": "model", field: 2048}]) as server:
        async with _backend(server, context_window=None) as backend:
            assert backend.context_window == 2048


@pytest.mark.parametrize("models", [None, [], [{"id": "other"}], [{"id": "model"}]])
async def test_a_server_that_does_not_say_its_window_gets_the_default(models: Any) -> None:
    with Endpoint(models=models) as server:
        async with _backend(server, context_window=None) as backend:
            assert backend.context_window == DEFAULT_CONTEXT_WINDOW


async def test_a_hosted_model_of_known_window_is_not_asked_about() -> None:
    with Endpoint(models=[]) as server:
        async with _backend(server, context_window=1000) as backend:
            assert backend.context_window == 1000
    assert server.asked == []


async def test_a_model_that_is_not_in_the_list_is_asked_all_the_same() -> None:
    with Endpoint(models=[{"id": "one"}, {"id": "two"}]) as server:
        async with _backend(server, accelerator=True) as backend:
            assert (await backend.complete(PROMPT, Sampling())).text == "done"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_list_that_is_kept_from_a_key_does_not_keep_it_from_asking(status: int) -> None:
    with Endpoint(listing=[Reply(status=status, body=error("not for you"))]) as server:
        async with _backend(server, context_window=None) as backend:
            assert (await backend.complete(PROMPT, Sampling())).text == "done"
    assert [asked.path for asked in server.asked] == ["/v1/models", "/v1/chat/completions"]


async def test_a_server_that_is_still_loading_is_waited_for() -> None:
    loading = [Reply(status=503, body=error("loading model"))] * 2
    with Endpoint(models=[{"id": "model"}], listing=loading) as server:
        async with _backend(server, accelerator=True):
            pass
    assert [asked.path for asked in server.asked] == ["/v1/models"] * 3


async def test_tokens_are_counted_by_the_servers_tokenizer() -> None:
    def tokenize(body: Any) -> Reply:
        return Reply(body={"count": 100 + len(body["messages"]), "max_model_len": 4096})

    models = [{"id": "model", "max_model_len": 4096}]
    with Endpoint(models=models, tokenize=tokenize) as server:
        async with _backend(server, accelerator=True) as backend:
            assert await backend.count_tokens(PROMPT) == 102
    assert server.asked[-1].body["model"] == "model"


async def test_a_count_is_tried_again_and_never_replaced_by_an_estimate() -> None:
    answers = [Reply(status=503), Reply(body={"count": 7}), *[Reply(status=500)] * 99]
    models = [{"id": "model", "max_model_len": 4096}]
    with Endpoint(models=models, tokenize=lambda _: answers.pop(0)) as server:
        async with _backend(server, accelerator=True, timing=_timing(patience=0.05)) as backend:
            assert await backend.count_tokens(PROMPT) == 7
            with pytest.raises(BackendError, match="500"):
                await backend.count_tokens(PROMPT)


async def test_a_prompt_that_the_tokenizer_refuses_is_estimated() -> None:
    answers = [Reply(status=400, body=error("bad template")), Reply(body={"count": 7})]
    models = [{"id": "model", "max_model_len": 4096}]
    with Endpoint(models=models, tokenize=lambda _: answers.pop(0)) as server:
        async with _backend(server, accelerator=True) as backend:
            assert await backend.count_tokens(PROMPT) == estimate_prompt(PROMPT)
            assert await backend.count_tokens(PROMPT) == 7


@pytest.mark.parametrize(
    "answer", [Reply(status=404, body=error("no")), Reply(body=b"?"), Reply(body={"count": None})]
)
async def test_without_a_tokenizer_that_answers_tokens_are_estimated(answer: Reply) -> None:
    models = [{"id": "model", "max_model_len": 4096}]
    with Endpoint(models=models, tokenize=lambda _: answer) as server:
        async with _backend(server, accelerator=True) as backend:
            assert await backend.count_tokens(PROMPT) == estimate_prompt(PROMPT)
            assert await backend.count_tokens(PROMPT) == estimate_prompt(PROMPT)
    assert [asked.path for asked in server.asked].count("/tokenize") == 1
