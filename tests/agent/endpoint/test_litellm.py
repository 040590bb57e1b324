"""The real LiteLLM proxy between ksolve and a server on loopback, with wildcard names."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from agent.backend import (
    BackendError,
    BackendUnusableError,
    ContextOverflowError,
    Message,
    Sampling,
    Usage,
)
from agent.endpoint.attempt import Timing
from agent.endpoint.openai import OpenAIBackend
from agent.endpoint.profile import ModelProfile
from agent.loop import Loop
from agent.models import resolve
from agent.monkeys import Monkeys
from agent.oneshot import Oneshot
from agent.protocol import NATIVE
from agent.strategy import Strategy
from sandbox.fake import FakeHost
from tests.agent.answers import Used, events_reply, response
from tests.agent.litellm_proxy import IN, KEY, OUT, PRICED, Proxy, litellm_in_front_of
from tests.agent.loopback import Asked, Endpoint, Reply, completion, error
from tests.agent.personas.google import Gemini
from tests.agent.personas.mistral import Mistral
from tests.agent.personas.open_models import DeepSeek, Kimi
from tests.agent.personas.openai import Gpt5, ResponsesOnly, ToolsOnResponses
from tests.agent.personas.persona import Persona
from tests.agent.solver import RIGHT, Said, Shapes
from tests.agent.test_loop import ISSUE
from tests.agent.test_monkeys import Tree
from tests.agent.test_oneshot import shapes

pytestmark = pytest.mark.registry

KNOWN = "openai/gpt-4o-mini"
# A model whose price the proxy knows.
PROMPT = [
    Message(role="system", content="You repair code."),
    Message(role="user", content="def f(x): return x"),
]
USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 100,
    "total_tokens": 1_100,
    "prompt_tokens_details": {"cached_tokens": 400},
}
FIXED = f"-    return width + height\n+    return {RIGHT}\n"
TIMING = Timing(idle=20.0, longest=60.0, patience=5.0, reach_patience=1.0, first_wait=0.01)


class Thinker(Kimi):
    """Thinks beside its answer; its usage is where the proxy reads it."""

    usage = Persona.usage
    last_chunks = Persona.last_chunks


BEHIND = (Persona, Gpt5, Mistral, DeepSeek, Thinker, ResponsesOnly, ToolsOnResponses)


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    with Endpoint(paths=("/v1/chat/completions", "/v1/responses")) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with litellm_in_front_of(server.url, tmp_path_factory.mktemp("litellm")) as running:
        yield running


@pytest.fixture
def behind(server: Endpoint) -> Endpoint:
    """The server behind the proxy, of which nothing has been asked yet."""
    server.asked.clear()
    server.replies.clear()
    server.otherwise = answer
    return server


def answer(asked: Asked) -> Reply:
    """Answer as OpenAI does, on either API, whole or as a stream."""
    if "input" in asked.body:
        used = Used(prompt=1_000, cached=400, written=0, answer=100, thinking=0)
        return response(asked.body, Said(text="done", thinking=""), used, [])
    if not asked.body.get("stream"):
        return Reply(body=completion("done", usage=USAGE) | {"created": 1, "model": "m"})
    return events_reply([*_events(asked.body)])


def _events(body: Mapping[str, Any]) -> Iterator[str]:
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: tuple[tuple[dict[str, str], str | None], ...] = (
        ({"role": "assistant", "content": "do"}, None),
        ({"content": "ne"}, None),
        ({}, "stop"),
    )
    for delta, finish in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        yield f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n"
    if (body.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps({**chunk, 'choices': [], 'usage': USAGE})}\n\n"
    yield "data: [DONE]\n\n"


@asynccontextmanager
async def asking(proxy: Proxy, model: str, **options: Any) -> AsyncIterator[OpenAIBackend]:
    defaults: dict[str, Any] = {
        "name": f"test:{model}",
        "model": model,
        "base_url": proxy.url,
        "api_key": KEY,
        "timing": TIMING,
    }
    async with OpenAIBackend(**(defaults | options)) as backend:
        yield backend


def strategies() -> dict[str, tuple[Strategy, FakeHost]]:
    return {
        "oneshot": (Oneshot(), shapes().host),
        "rank": (Oneshot(context="rank"), shapes().host),
        "monkeys": (Monkeys(), Tree().host),
        "loop": (Loop(), Shapes().host),
    }


@pytest.mark.parametrize("kind", [*strategies()])
@pytest.mark.parametrize("make", BEHIND, ids=lambda make: make.name)
async def test_every_strategy_solves_the_issue_through_the_proxy_and_books_what_is_billed(
    make: type[Persona], kind: str, proxy: Proxy, behind: Endpoint
) -> None:
    behind.otherwise = persona = make()
    strategy, host = strategies()[kind]
    async with asking(proxy, f"anvil-{make.name}") as backend:
        draws = (strategy.propose(ISSUE, backend, host, Sampling(seed=7)) for _ in range(2))
        proposals = await asyncio.gather(*draws)
    for proposal in proposals:
        assert (proposal.stop, proposal.patch.count(FIXED)) == ("patch", 1), proposal.note
    assert persona.repeated == {}
    assert all("tools" in body for body in persona.taken) or kind != "loop"
    used, books = sum((proposal.usage for proposal in proposals), Usage()), persona.books
    assert (used.input_tokens, used.cached_tokens) == (books.prompt, books.cached)
    assert used.output_tokens == books.output
    assert used.estimated_calls == 0


@pytest.mark.parametrize("make", [Gpt5, Mistral], ids=lambda make: make.name)
async def test_a_refusal_of_the_server_behind_is_learnt_in_the_words_of_the_proxy(
    make: type[Persona], proxy: Proxy, behind: Endpoint
) -> None:
    behind.otherwise = persona = make()
    async with asking(proxy, "anvil") as backend:
        got = await backend.complete(PROMPT, Sampling(seed=3, max_tokens=50))
        assert (await backend.complete(PROMPT, Sampling(seed=3, max_tokens=50))).text == got.text
        notes = backend.profile.notes
    assert notes
    assert [one for one in notes if "litellm.BadRequestError: OpenAIException" not in one] == []
    assert persona.repeated == {}
    assert RIGHT in got.text


async def test_where_the_proxy_hides_the_words_of_refusals_the_work_is_done_all_the_same(
    proxy: Proxy, behind: Endpoint
) -> None:
    # It cannot read an error that comes in a list, and says no more than its status. What is
    # refused are seeds, and calls that the model never made.
    behind.otherwise = persona = Gemini()
    async with asking(proxy, "anvil") as backend:
        proposal = await Loop().propose(ISSUE, backend, Shapes().host, Sampling(seed=7))
    assert (proposal.stop, proposal.patch.count(FIXED)) == ("patch", 1), proposal.note
    assert all("tools" in body for body in persona.taken)


async def test_what_is_refused_in_every_stream_of_the_proxy_costs_no_setting(
    proxy: Proxy, behind: Endpoint
) -> None:
    # The proxy asks the server behind it for the usage of a stream, whether it is asked to or not.
    def refuses(asked: Asked) -> Reply:
        if "stream_options" not in asked.body:
            return answer(asked)
        detail = [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra"}]
        detail[0]["msg"] = "Extra inputs are not permitted"
        return Reply(status=422, body={"object": "error", "message": {"detail": detail}})

    behind.otherwise = refuses
    async with asking(proxy, "anvil-old") as backend:
        got = await backend.complete(PROMPT, Sampling(temperature=0.5, max_tokens=50, seed=3))
    assert got.text == "done"
    assert got.sent == {"temperature": 0.5, "top_p": 0.95, "max_tokens": 50, "seed": 3}


@pytest.mark.parametrize("model", ["openai/gpt-5", "openai/o3-mini"])
async def test_what_the_proxy_itself_refuses_is_learnt(
    model: str, proxy: Proxy, behind: Endpoint
) -> None:
    async with asking(proxy, model) as backend:
        got = await backend.complete(PROMPT, Sampling(seed=3, max_tokens=50))
        again = await backend.complete(PROMPT, Sampling(seed=3, max_tokens=50))
        notes = backend.profile.notes
    assert any("litellm.UnsupportedParamsError" in note for note in notes)
    assert not {"temperature", "top_p"} & set(got.sent)
    assert got.sent["seed"] == 3
    assert (got.text, again.text, again.usage.calls) == ("done", "done", 1)
    # None of what the proxy refuses came to the server behind it.
    assert len(behind.completions) == 2


async def test_what_was_asked_for_and_the_proxy_refuses_is_one_clear_sentence(
    proxy: Proxy, behind: Endpoint
) -> None:
    async with asking(proxy, "openai/gpt-5") as backend:
        with pytest.raises(BackendUnusableError, match="--temperature") as caught:
            await backend.complete(PROMPT, Sampling(temperature=0.3, required=("temperature",)))
    assert caught.value.bad_input
    assert "\n" not in str(caught.value)
    assert behind.completions == []


async def test_a_stream_comes_through_as_it_is_written(proxy: Proxy, behind: Endpoint) -> None:
    pause = 0.4

    def slow(asked: Asked) -> Reply:
        return events_reply([*_events(asked.body)], pause=pause)

    behind.otherwise = slow
    # The whole takes longer than may pass without a byte.
    async with asking(proxy, "anvil", timing=Timing(idle=3 * pause, patience=0.0)) as backend:
        got = await backend.complete(PROMPT, Sampling(max_tokens=50))
    assert got.text == "done"
    assert got.usage.seconds > 4 * pause


async def test_thinking_comes_through_and_goes_back_with_the_calls(
    proxy: Proxy, behind: Endpoint
) -> None:
    behind.otherwise = persona = Thinker()
    question = Message(role="user", content="Call the tool `submit` now, and say nothing.")
    async with asking(proxy, "anvil-thinks") as backend:
        got = await backend.complete([question], Sampling(), NATIVE.tools)
        told = Message(role="tool", content="Not yet.", tool_call_id=got.tool_calls[0].id)
        await backend.complete([question, got.message, told], Sampling(), NATIVE.tools)
    assert got.thinking == "So be it."
    own = persona.taken[-1]["messages"][1]
    assert own["reasoning_content"] == "So be it."
    assert own["tool_calls"][0]["id"] == persona.ids[0]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [KNOWN, PRICED])
async def test_what_the_proxy_bills_is_what_is_booked(
    model: str, stream: bool, api: Literal["chat", "responses"], proxy: Proxy, behind: Endpoint
) -> None:
    async with asking(proxy, model, profile=ModelProfile(api=api, stream=stream)) as backend:
        got = await backend.complete(PROMPT, Sampling(max_tokens=50))
    billed = await asyncio.to_thread(told_cost, proxy, model)
    if api == "chat":
        assert behind.completions[0].body.get("stream", False) is stream
    assert (got.usage.billed_calls, got.usage.estimated_calls) == (1, 0)
    assert got.usage.billed == pytest.approx(billed, rel=1e-9)
    assert (got.usage.input_tokens, got.usage.cached_tokens) == (1_000, 400)
    if model == PRICED:
        assert got.usage.billed == pytest.approx(1_000 * IN + 100 * OUT)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_price_that_the_proxy_does_not_know_is_not_booked_as_nothing(
    stream: bool, proxy: Proxy, behind: Endpoint
) -> None:
    async with asking(proxy, "anvil", profile=ModelProfile(stream=stream)) as backend:
        got = await backend.complete(PROMPT, Sampling(max_tokens=50))
    assert (got.usage.billed_calls, got.usage.billed) == (0, 0.0)
    assert (got.usage.input_tokens, got.usage.output_tokens) == (1_000, 100)


async def test_the_bill_of_a_stream_is_the_same_where_the_proxy_is_set_to_tell_it(
    behind: Endpoint, tmp_path: Path
) -> None:
    settings = {"include_cost_in_streaming_usage": True}
    with litellm_in_front_of(behind.url, tmp_path, **settings) as proxy:
        async with asking(proxy, KNOWN) as backend:
            got = await backend.complete(PROMPT, Sampling(max_tokens=50))
        assert got.usage.billed == pytest.approx(told_cost(proxy, KNOWN), rel=1e-9)


def told_cost(proxy: Proxy, model: str) -> float:
    """Ask the proxy without ksolve, and return what it says that the answer costs."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        f"{proxy.url}/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as told:
        return float(told.headers["x-litellm-response-cost"])


async def test_wildcards_are_listed_as_the_models_that_the_proxy_knows(
    proxy: Proxy, behind: Endpoint
) -> None:
    async with asking(proxy, KNOWN) as backend:
        assert {KNOWN, PRICED} <= {*await backend.list_models()}
        assert backend.context_window == 128_000


@pytest.mark.parametrize("query", ["", "?return_wildcard_routes=true"])
@pytest.mark.parametrize("model", ["anvil", "openai/anvil", "anvil/large:latest"])
async def test_a_name_that_only_a_wildcard_has_is_asked_for(
    model: str, query: str, proxy: Proxy, behind: Endpoint
) -> None:
    async with asking(proxy, model, base_url=proxy.url + query) as backend:
        listed = await backend.list_models()
        assert (await backend.complete(PROMPT, Sampling(max_tokens=50))).text == "done"
    assert model not in listed
    assert ({"*", "openai/*"} <= {*listed}) == bool(query)
    assert behind.completions[0].body["model"] == model.removeprefix("openai/")


@pytest.mark.parametrize(
    "name", ["{url}#openai/gpt-4o-mini", "{url}#gpt-4o-mini", "openai:gpt-4o-mini"]
)
async def test_a_model_is_named_on_the_command_line_as_behind_any_other_address(
    name: str, proxy: Proxy, behind: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", proxy.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("KSOLVE_API_KEY", KEY)
    async with resolve(name.format(url=proxy.url)).backend as backend:
        got = await backend.complete(PROMPT, Sampling(seed=3))
        assert backend.context_window == 128_000
    assert got.text == "done"
    assert got.usage.billed == pytest.approx(await asyncio.to_thread(told_cost, proxy, KNOWN))
    assert behind.completions[0].body["model"] == "gpt-4o-mini"


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=500, body=error("The server had an error.")),
        Reply(status=429, body=error("Slow down."), headers={"Retry-After": "0"}),
        Reply(status=503, body=error("Overloaded.")),
    ],
)
async def test_a_fault_of_the_server_behind_is_tried_again(
    fault: Reply, proxy: Proxy, behind: Endpoint
) -> None:
    behind.replies.append(fault)
    async with asking(proxy, "anvil") as backend:
        got = await backend.complete(PROMPT, Sampling(max_tokens=50))
        assert backend.profile.notes == ()
    assert got.text == "done"
    assert (got.usage.input_tokens, got.usage.estimated_calls) == (1_000, 0)


async def test_a_stream_that_breaks_off_behind_the_proxy_is_no_answer(
    proxy: Proxy, behind: Endpoint
) -> None:
    def broken(asked: Asked) -> Reply:
        return Reply(
            headers={"Content-Type": "text/event-stream"},
            pieces=[event.encode() for event in [*_events(asked.body)][:2]],
            cut=True,
        )

    behind.otherwise = broken
    async with asking(proxy, "anvil", timing=Timing(patience=0.0)) as backend:
        with pytest.raises(BackendError) as caught:
            await backend.complete(PROMPT, Sampling(max_tokens=50))
    assert caught.value.usage
    assert caught.value.usage.input_tokens > 0


async def test_an_answer_that_the_proxy_loses_is_no_empty_answer(
    proxy: Proxy, behind: Endpoint
) -> None:
    # The server behind answers whole where a stream is asked for, and the proxy makes an empty
    # stream of it.
    body = completion("done", usage=USAGE) | {"created": 1, "model": "m"}
    behind.otherwise = Reply(body=body)
    async with asking(proxy, "anvil") as backend:
        got = await backend.complete(PROMPT, Sampling(max_tokens=150))
    assert got.text == "done"
    # The answer that was lost is billed, too.
    assert (got.usage.calls, got.usage.estimated_calls) == (2, 1)
    assert got.usage.output_tokens >= 200


async def test_a_prompt_that_is_too_long_behind_the_proxy_is_told_as_such(
    proxy: Proxy, behind: Endpoint
) -> None:
    said = (
        "This model's maximum context length is 512 tokens. However, your messages resulted in "
        "700 tokens. Please reduce the length of the messages."
    )
    behind.otherwise = Reply(status=400, body=error(said, "context_length_exceeded"))
    async with asking(proxy, "anvil") as backend:
        with pytest.raises(ContextOverflowError):
            await backend.complete(PROMPT, Sampling(max_tokens=50))
        assert backend.context_window == 512


async def test_a_wrong_key_of_the_proxy_is_told_as_such(proxy: Proxy, behind: Endpoint) -> None:
    async with asking(proxy, "anvil", api_key="sk-wrong", key_variable="ANVIL_KEY") as backend:
        with pytest.raises(BackendUnusableError, match="set ANVIL_KEY") as caught:
            await backend.complete(PROMPT, Sampling(max_tokens=50))
    assert caught.value.bad_input
    assert behind.completions == []
