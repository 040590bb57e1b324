"""Every bill is exact: what is booked of each request, against the books of the provider.

Where the provider tells what a request used, in whatever form, the bill is the same to the cent.
Where it does not, because a stream was cut or a request was given up, it is estimated high, and
marked.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from agent.backend import BackendError, Message, Sampling, Usage
from agent.endpoint.anthropic import AnthropicBackend
from agent.endpoint.attempt import Timing
from agent.endpoint.openai import OpenAIBackend
from agent.endpoint.profile import ModelProfile
from agent.price import UNKNOWN, Price, differing
from eval.budget import Budget, Budgets
from eval.metered import BudgetSpentError, MeteredBackend
from tests.agent.books import FORMS, Act, Books, Form, Rates, Used, three
from tests.agent.loopback import Endpoint, Reply, completion, error

RATES = Rates()
PRICE = Price(
    input=RATES.input, cached=RATES.cached, cache_write=RATES.written, output=RATES.output
)
PROMPT = [
    Message(role="system", content="You repair code."),
    Message(role="user", content="def gcd(a, b):\n    return a if not b else gcd(b, a - b)\n" * 40),
]
# Output tokens that an answer may have, thinking included.
LIMIT = 2_000
# Dollars.
EXACT = 1e-9


def _backend(server: Endpoint, **options: Any) -> OpenAIBackend:
    defaults: dict[str, Any] = {
        "name": "test:model",
        "model": "model",
        "base_url": server.url,
        "api_key": "sk-0123456789",
        "context_window": 65_536,
        "price": PRICE,
        "timing": Timing(idle=60.0, patience=20.0, first_wait=0.001),
    }
    return OpenAIBackend(**(defaults | options))


async def _ask(
    backend: OpenAIBackend | AnthropicBackend, times: int = 1, *, limit: int = LIMIT
) -> Usage:
    """Ask one after the other, and return what was booked; an error is no less of a bill."""
    booked: list[Usage] = []
    for _ in range(times):
        before = len(booked)
        try:
            got = await backend.complete(PROMPT, Sampling(max_tokens=limit), book=booked.append)
            told: Usage | None = got.usage
        except BackendError as failed:
            told = failed.usage
        assert told == sum(booked[before:], Usage())
    return sum(booked, Usage())


async def _until(ready: Callable[[], bool], *requests: asyncio.Future[Any]) -> None:
    """Wait while the requests are under way."""
    while not ready():
        assert not any(request.done() for request in requests)
        await asyncio.sleep(0.01)


async def _given_up(
    backend: OpenAIBackend | AnthropicBackend, ready: Callable[[], bool], *, limit: int = LIMIT
) -> Usage:
    """Ask, give the request up once it is under way, and return what was booked."""
    booked: list[Usage] = []
    request = asyncio.ensure_future(
        backend.complete(PROMPT, Sampling(max_tokens=limit), book=booked.append)
    )
    await _until(ready, request)
    # What is sent of a stream by now is read.
    await asyncio.sleep(0.1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    return sum(booked, Usage())


def _cost(used: Usage, price: Price = PRICE) -> float:
    cost = price.cost(used)
    assert cost is not None
    return cost


# --- told, in every form ------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["whole", "stream"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
async def test_the_bill_is_what_the_provider_books_in_every_form_of_usage(
    form: Form, act: Act
) -> None:
    books = Books(acts=[act], forms=[form])
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend, 3)
    assert _cost(used) == pytest.approx(books.dollars, abs=EXACT)
    assert (used.calls, used.estimated_calls) == (3, 0)
    assert used.input_tokens == sum(entry.used.prompt for entry in books.entries)
    assert used.output_tokens == sum(entry.used.output for entry in books.entries)
    assert used.cached_tokens == sum(entry.used.cached for entry in books.entries) or "cost" in str(
        form.usage(books.entries[0].used, 1.0)
    )


@pytest.mark.parametrize("act", ["whole", "stream"])
@pytest.mark.parametrize(
    "form", [form for form in FORMS if form.markup is not None], ids=lambda form: form.name
)
async def test_the_provider_s_own_bill_counts_and_what_the_list_says_is_kept_beside_it(
    form: Form, act: Act
) -> None:
    books = Books(acts=[act], forms=[form])
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend, 3)
    assert used.billed_calls == 3
    assert used.billed == pytest.approx(books.dollars, abs=EXACT)
    assert books.dollars != pytest.approx(books.listed, abs=EXACT)
    assert _cost(used) == pytest.approx(books.dollars, abs=EXACT)
    assert used.billed_at_list == pytest.approx(PRICE.list_cost(used), abs=EXACT)


async def test_what_the_list_says_beside_a_bill_is_of_the_hour_of_the_request() -> None:
    quiet = dataclasses.replace(PRICE, output=PRICE.output and PRICE.output / 2)
    hourly = differing([quiet, PRICE], lambda *_: quiet)
    form = next(form for form in FORMS if form.name == "a cost, after the end")
    books = Books(acts=["stream", "cut", "stream"], forms=[form])
    with Endpoint(otherwise=books) as server:
        async with _backend(server, price=hourly) as backend:
            used = await _ask(backend, 2)
    assert (used.billed_calls, used.estimated_calls) == (2, 1)
    assert used.billed_at_list == pytest.approx(quiet.list_cost(used), abs=EXACT)
    # So what is booked is the bill, at the price of that hour.
    assert _cost(used, hourly.at()) == pytest.approx(used.billed, abs=EXACT)


async def test_all_forms_in_turn_with_faults_between_them_make_one_exact_bill() -> None:
    acts: list[Act] = []
    for number in range(2 * len(FORMS)):
        if number % 3 == 0:
            acts.append("500")
        if number % 4 == 1:
            acts.append("429")
        acts.append("whole" if number % 2 else "stream")
    books = Books(acts=acts)
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend, 2 * len(FORMS))
    assert {entry.form for entry in books.entries} == {form.name for form in FORMS}
    assert used.calls == books.asked > len(books.entries)
    assert used.estimated_calls == 0
    assert _cost(used) == pytest.approx(books.dollars, abs=EXACT)


async def test_thinking_as_long_as_what_was_cached_is_thinking() -> None:
    # Two equal numbers, of which only one is beside the others.
    used = Used(prompt=500, cached=64, said=20, thought=64)
    usage = {
        **three(500, 20, 584),
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 64},
    }
    with Endpoint(Reply(body=completion(usage=usage))) as server:
        async with _backend(server) as backend:
            booked = await _ask(backend)
    assert (booked.input_tokens, booked.output_tokens) == (500, 84)
    assert _cost(booked) == pytest.approx(RATES.dollars(used), abs=EXACT)


async def test_thinking_only_in_the_total_as_long_as_what_was_cached_is_thinking() -> None:
    used = Used(prompt=500, cached=64, said=20, thought=64)
    usage = {**three(500, 20, 584), "prompt_tokens_details": {"cached_tokens": 64}}
    with Endpoint(Reply(body=completion(usage=usage))) as server:
        async with _backend(server) as backend:
            booked = await _ask(backend)
    assert _cost(booked) == pytest.approx(RATES.dollars(used), abs=EXACT)


async def test_without_a_price_the_provider_s_bill_is_the_cost() -> None:
    form = next(form for form in FORMS if form.name == "a cost, after the end")
    books = Books(acts=["500", "whole", "429", "stream"], forms=[form])
    with Endpoint(otherwise=books) as server:
        async with _backend(server, price=UNKNOWN) as backend:
            used = await _ask(backend, 2)
    assert _cost(used, UNKNOWN) == pytest.approx(books.dollars, abs=EXACT)


async def test_without_a_price_what_the_provider_bills_nothing_for_costs_nothing() -> None:
    # The free models of a router, one answer of which is cut off.
    form = next(form for form in FORMS if form.name == "a cost, after the end")
    free = dataclasses.replace(form, markup=0.0)
    books = Books(acts=["stream", "cut", "stream", "stream"], forms=[free])
    with Endpoint(otherwise=books) as server:
        async with _backend(server, price=UNKNOWN) as backend:
            used = await _ask(backend, 2)
    assert (used.billed_calls, used.estimated_calls) == (2, 1)
    assert _cost(used, UNKNOWN) == 0.0


async def test_without_a_price_what_is_partly_billed_is_unknown() -> None:
    # A router bills through one provider and through another it does not.
    billed = next(form for form in FORMS if form.name == "a cost, after the end")
    books = Books(acts=["whole"], forms=[billed, FORMS[0]])
    with Endpoint(otherwise=books) as server:
        async with _backend(server, price=UNKNOWN) as backend:
            used = await _ask(backend, 4)
    assert used.billed_calls == 2
    assert UNKNOWN.cost(used) is None


# --- not told -----------------------------------------------------------------------------------

TELLING = [
    FORMS[0],
    next(form for form in FORMS if form.name == "cached at the top, cumulative"),
]
CUT: list[Act] = ["cut early", "cut", "cut late", "end early", "torn", "reset"]


@pytest.mark.parametrize("act", CUT)
@pytest.mark.parametrize("form", TELLING, ids=lambda form: form.name)
async def test_an_answer_that_is_cut_off_is_booked_high_and_marked(form: Form, act: Act) -> None:
    books = Books(acts=[act, "stream", "stream"], forms=[form], thought=lambda _: 900)
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend)
    assert len(books.untold) == used.estimated_calls == 1
    assert _cost(used) >= books.dollars


async def test_a_stream_that_ends_without_its_usage_is_booked_high_and_marked() -> None:
    # A proxy that drops the last chunk: the thinking before the answer does not show.
    books = Books(acts=["stream", "end late"], forms=[FORMS[0]], thought=lambda _: 900)
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend, 2)
    assert (used.calls, used.estimated_calls) == (2, 1)
    assert _cost(used) >= books.dollars


@pytest.mark.parametrize("act", CUT)
async def test_an_answer_that_is_cut_off_may_have_been_longer_than_all_before_it(act: Act) -> None:
    # The answers before thought little; this one thinks for long, which does not show.
    long = {4: 1_500}
    books = Books(
        acts=["stream", "stream", "stream", act, "stream", "stream"],
        forms=[FORMS[0]],
        thought=lambda number: long.get(number, 5),
    )
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend, 4)
    assert len(books.untold) == used.estimated_calls == 1
    assert _cost(used) >= books.dollars


@pytest.mark.parametrize("act", CUT)
async def test_answers_that_pass_their_limit_are_estimated_beyond_it_too(act: Act) -> None:
    # The limit of output tokens does not hold the thinking of this provider.
    books = Books(
        acts=["stream", act, "stream", "stream"],
        forms=[next(form for form in FORMS if form.name == "thinking beside")],
        thought=lambda _: 4 * LIMIT,
    )
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend, 2)
    assert len(books.untold) == used.estimated_calls == 1
    assert _cost(used) >= books.dollars


@pytest.mark.parametrize("act", CUT)
async def test_estimates_are_as_dear_as_the_provider_has_billed_before(act: Act) -> None:
    dear = dataclasses.replace(
        next(form for form in FORMS if form.name == "a cost, after the end"), markup=6.0
    )
    books = Books(
        acts=["stream", act, "stream", "stream"], forms=[dear], thought=lambda _: LIMIT - 50
    )
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend, 2)
    assert len(books.untold) == used.estimated_calls == 1
    assert _cost(used) >= books.dollars


@pytest.mark.parametrize("act", ["hold", "hold stream"])
@pytest.mark.parametrize("form", TELLING, ids=lambda form: form.name)
async def test_a_request_that_is_given_up_is_booked_high_and_marked(form: Form, act: Act) -> None:
    books = Books(
        acts=["stream", act],
        forms=[form],
        thought=lambda number: {1: 5}.get(number, 1_500),
    )
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            used = await _ask(backend)
            used += await _given_up(backend, lambda: books.held() == 1)
    assert (used.calls, used.estimated_calls) == (2, 1)
    assert _cost(used) >= books.dollars


async def test_what_is_given_up_is_taken_for_far_longer_than_all_before_it() -> None:
    # Likely, and no bound: with a limit of 32,000 that would be a hundred times the usual.
    books = Books(
        acts=["stream", "stream", "hold"],
        forms=[FORMS[0]],
        thought=lambda number: 7_500 if number == 3 else 900,
    )
    with Endpoint(otherwise=books) as server:
        async with _backend(server, context_window=200_000) as backend:
            used = await _ask(backend, 2, limit=32_000)
            used += await _given_up(backend, lambda: books.held() == 1, limit=32_000)
    assert (used.calls, used.estimated_calls) == (3, 1)
    assert _cost(used) >= books.dollars


async def test_without_a_price_what_is_given_up_costs_as_much_as_the_bills_say() -> None:
    form = next(form for form in FORMS if form.name == "a cost, after the end")
    books = Books(
        acts=["stream", "stream", "hold"],
        forms=[form],
        thought=lambda number: 1_500 if number == 3 else 100,
    )
    with Endpoint(otherwise=books) as server:
        async with _backend(server, price=UNKNOWN) as backend:
            used = await _ask(backend, 2)
            used += await _given_up(backend, lambda: books.held() == 1)
    assert (used.calls, used.estimated_calls) == (3, 1)
    assert _cost(used, UNKNOWN) >= books.dollars


async def test_all_requests_that_are_given_up_at_once_are_booked_high_and_marked() -> None:
    acts: list[Act] = ["stream", "hold", "hold stream", "hold", "hold stream"]
    books = Books(acts=acts, thought=lambda number: {1: 5}.get(number, 1_500))
    booked: list[Usage] = []
    with Endpoint(otherwise=books) as server:
        async with _backend(server) as backend:
            booked.append(await _ask(backend))
            requests = [
                asyncio.ensure_future(
                    backend.complete(PROMPT, Sampling(max_tokens=LIMIT), book=booked.append)
                )
                for _ in range(4)
            ]
            await _until(lambda: books.held() == 4, *requests)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
    used = sum(booked, Usage())
    assert (used.calls, used.estimated_calls) == (5, 4)
    assert _cost(used) >= books.dollars


async def test_what_waits_for_its_turn_or_for_another_try_is_not_billed_when_given_up() -> None:
    booked: list[Usage] = []
    books = Books(acts=["429"], wait="10")
    with Endpoint(otherwise=books) as server:
        async with _backend(server, in_flight=2, is_known=True) as backend:
            requests = [
                asyncio.ensure_future(
                    backend.complete(PROMPT, Sampling(max_tokens=LIMIT), book=booked.append)
                )
                for _ in range(4)
            ]
            await _until(lambda: len(booked) == 2, *requests)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
    used = sum(booked, Usage())
    assert books.entries == []
    assert (used.calls, used.estimated_calls) == (2, 0)
    assert _cost(used) == 0.0


async def test_an_error_in_the_middle_of_a_stream_is_billed_as_far_as_it_went() -> None:
    # The provider behind a router fails in the middle, and what it did is told and billed.
    for form in (FORMS[0], next(form for form in FORMS if form.name == "a cost, after the end")):
        books = Books(acts=["error late", "stream", "stream"], forms=[form])
        with Endpoint(otherwise=books) as server:
            async with _backend(server) as backend:
                used = await _ask(backend)
        assert len(books.entries) == used.calls == 2
        assert _cost(used) >= books.dollars - EXACT


async def test_an_error_in_the_middle_of_a_stream_that_tells_no_usage_is_booked_high() -> None:
    told = b"data: " + json.dumps(error("overloaded", 502)).encode() + b"\n\n"
    said = (
        b"data: "
        + json.dumps(
            {"choices": [{"index": 0, "delta": {"content": "word " * 300}, "finish_reason": None}]}
        ).encode()
        + b"\n\n"
    )
    with Endpoint(Reply(pieces=[said, told])) as server:
        async with _backend(server) as backend:
            used = await _ask(backend)
    assert (used.calls, used.estimated_calls) == (2, 1)
    # A word is a token, at the least.
    assert used.output_tokens >= 300


async def test_an_answer_that_the_server_broke_off_is_billed_as_it_tells() -> None:
    usage = _inside_cost(bill := 0.0123)
    with Endpoint(Reply(body=completion("do", finish="error", usage=usage))) as server:
        async with _backend(server) as backend:
            used = await _ask(backend)
    assert used.billed == pytest.approx(bill)
    assert _cost(used) == pytest.approx(bill + _cost(_words()), abs=EXACT)


async def test_an_answer_without_a_choice_is_billed_as_it_tells() -> None:
    usage = _inside_cost(bill := 0.0123)
    with Endpoint(Reply(body={"choices": [], "usage": usage})) as server:
        async with _backend(server) as backend:
            used = await _ask(backend)
    assert _cost(used) == pytest.approx(bill + _cost(_words()), abs=EXACT)


async def test_a_bill_without_a_usage_counts_and_its_tokens_are_marked_as_an_estimate() -> None:
    body = completion(usage={"cost": 0.0123})
    with Endpoint(Reply(body=body)) as server:
        async with _backend(server) as backend:
            used = await _ask(backend)
    assert _cost(used) == pytest.approx(0.0123)
    assert used.input_tokens > 0
    assert used.estimated_calls == 1


def _inside_cost(bill: float) -> dict[str, Any]:
    return {**three(400, 70), "cost": bill}


def _words() -> Usage:
    """What the plain answer of the loopback server uses."""
    return Usage(input_tokens=11, output_tokens=3)


# --- other wires --------------------------------------------------------------------------------


def _sse(*events: dict[str, Any]) -> list[bytes]:
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


CLAUDE_USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 900,
    "cache_read_input_tokens": 100,
    "output_tokens": 1,
}
CLAUDE = _sse(
    {"type": "message_start", "message": {"role": "assistant", "usage": CLAUDE_USAGE}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "word " * 100},
        }
        for _ in range(4)
    ),
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 777},
    },
    {"type": "message_stop"},
)
CLAUDE_BILL = RATES.dollars(Used(prompt=1_012, cached=100, written=900, said=777))
CLAUDE_PATH = "/v1/messages"


def _claude(server: Endpoint) -> AnthropicBackend:
    return AnthropicBackend(
        name="test:claude",
        model="claude",
        base_url=server.url,
        api_key="sk-0123456789",
        context_window=65_536,
        price=PRICE,
        timing=Timing(idle=60.0, patience=20.0, first_wait=0.001),
    )


async def test_a_message_of_anthropic_s_is_billed_as_its_cache_was_read_and_written() -> None:
    with Endpoint(Reply(pieces=CLAUDE), paths=[CLAUDE_PATH]) as server:
        async with _claude(server) as backend:
            used = await _ask(backend)
    assert _cost(used) == pytest.approx(CLAUDE_BILL, abs=EXACT)
    assert used.estimated_calls == 0


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("pieces", [1, 4, 6])
async def test_a_message_of_anthropic_s_that_is_cut_off_is_booked_high_and_marked(
    pieces: int, cut: bool
) -> None:
    # Its first event tells one token of output, whatever comes. A proxy may end it in good order.
    lost = Reply(pieces=CLAUDE[:pieces], cut=cut)
    with Endpoint(lost, Reply(pieces=CLAUDE), paths=[CLAUDE_PATH]) as server:
        async with _claude(server) as backend:
            used = await _ask(backend)
    assert (used.calls, used.estimated_calls) == (2, 1)
    assert _cost(used) >= 2 * CLAUDE_BILL


async def test_a_message_of_anthropic_s_that_is_given_up_is_booked_high_and_marked() -> None:
    held = Reply(pieces=CLAUDE[:4], endless=b"event: ping\ndata: {}\n\n")
    with Endpoint(Reply(pieces=CLAUDE), held, paths=[CLAUDE_PATH]) as server:
        async with _claude(server) as backend:
            used = await _ask(backend)
            used += await _given_up(backend, lambda: len(server.completions) == 2)
    assert (used.calls, used.estimated_calls) == (2, 1)
    assert _cost(used) >= 2 * CLAUDE_BILL


RESPONSE_USAGE = {
    "input_tokens": 700,
    "input_tokens_details": {"cached_tokens": 600},
    "output_tokens": 950,
    "output_tokens_details": {"reasoning_tokens": 900},
    "total_tokens": 1_650,
}
_ITEM = {
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "done"}],
}
RESPONSE = _sse(
    {"type": "response.created", "response": {"status": "in_progress", "output": []}},
    {"type": "response.output_text.delta", "output_index": 1, "delta": "done"},
    {"type": "response.output_item.done", "output_index": 1, "item": _ITEM},
    {
        "type": "response.completed",
        "response": {"status": "completed", "output": [_ITEM], "usage": RESPONSE_USAGE},
    },
)
RESPONSE_BILL = RATES.dollars(Used(prompt=700, cached=600, said=50, thought=900))
RESPONSES_PATH = "/v1/responses"
RESPONSES = ModelProfile(api="responses")


@pytest.mark.parametrize("whole", [True, False])
async def test_a_response_is_billed_as_it_tells(whole: bool) -> None:
    body = {"status": "completed", "output": [_ITEM], "usage": RESPONSE_USAGE}
    reply = Reply(body=body) if whole else Reply(pieces=RESPONSE)
    with Endpoint(reply, paths=[RESPONSES_PATH]) as server:
        async with _backend(server, profile=RESPONSES) as backend:
            used = await _ask(backend)
    assert _cost(used) == pytest.approx(RESPONSE_BILL, abs=EXACT)
    assert used.estimated_calls == 0


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_a_response_that_is_cut_off_is_booked_high_and_marked(pieces: int, cut: bool) -> None:
    lost = Reply(pieces=RESPONSE[:pieces], cut=cut)
    with Endpoint(lost, otherwise=Reply(pieces=RESPONSE), paths=[RESPONSES_PATH]) as server:
        async with _backend(server, profile=RESPONSES) as backend:
            used = await _ask(backend)
        sent = len(server.completions)
    assert (used.calls, used.estimated_calls) == (sent, 1)
    assert _cost(used) >= sent * RESPONSE_BILL


# --- money that may be spent --------------------------------------------------------------------

BESIDE = next(form for form in FORMS if form.name == "thinking beside")
BILLING = next(form for form in FORMS if form.name == "a cost, after the end")


async def _spend(server: Endpoint, budget: Budget, *, in_flight: int, most: int = 200) -> int:
    """Draw until the budget is spent; return how many draws there were."""
    drawn = 0
    async with _backend(server, in_flight=in_flight) as backend:
        budgets = Budgets(budget)

        async def draw() -> None:
            nonlocal drawn
            while drawn < most:
                metered = MeteredBackend(backend, PRICE, budgets, "t")
                try:
                    await metered.complete(PROMPT, Sampling(max_tokens=LIMIT))
                except BudgetSpentError:
                    return
                except BackendError:
                    # Lost twice: that is paid, and the next one asks.
                    continue
                finally:
                    drawn += 1

        await asyncio.gather(*(draw() for _ in range(in_flight)))
    return drawn


@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize(
    ("form", "thought"),
    [(BESIDE, 10 * LIMIT), (dataclasses.replace(BILLING, markup=8.0), LIMIT - 100)],
    ids=["thinking beyond the limit", "a bill dearer than the list"],
)
@pytest.mark.parametrize("acts", [["stream"], ["stream", "cut", "500", "stream", "torn"]], ids=str)
async def test_a_budget_is_passed_by_no_more_than_what_was_in_flight(
    form: Form, thought: int, in_flight: int, acts: list[Act]
) -> None:
    books = Books(acts=acts, forms=[form], thought=lambda _: thought)
    budget = Budget(0.6)
    with Endpoint(otherwise=books) as server:
        assert 0 < await _spend(server, budget, in_flight=in_flight) < 200
    dearest = max(entry.dollars for entry in books.entries)
    assert budget.spent >= books.dollars - EXACT
    assert books.dollars <= 0.6 + in_flight * dearest


async def test_a_budget_holds_to_the_cent_where_the_limit_holds_the_provider() -> None:
    books = Books(acts=["stream", "500", "whole", "429"], forms=FORMS[:9])
    budget = Budget(0.05)
    with Endpoint(otherwise=books) as server:
        assert 0 < await _spend(server, budget, in_flight=3) < 200
    assert budget.spent == pytest.approx(books.dollars, abs=EXACT)
    assert books.dollars <= 0.05
