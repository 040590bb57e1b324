"""Windows that only a refusal tells: prompts are made to fit them, also that of the one sample."""

from __future__ import annotations

from typing import Any

import pytest

from agent.backend import Message, Sampling
from agent.endpoint.attempt import Timing
from agent.endpoint.estimate import estimate_prompt
from agent.endpoint.openai import OpenAIBackend
from agent.strategy import Proposal, drawn_in_window
from tests.agent.loopback import Asked, Endpoint, Reply, completion, error

LONG = [Message(role="user", content="def f(x): return x\n" * 2_000)]
SHORT = [Message(role="user", content="def f(x): return x")]


def _backend(server: Endpoint, **options: Any) -> OpenAIBackend:
    timing = Timing(first_wait=0.001, patience=0.1)
    return OpenAIBackend(name="t:m", model="m", base_url=server.url, timing=timing, **options)


def _refusing(refusal: Reply, most: int) -> Any:
    def answer(asked: Asked) -> Reply:
        said = sum(len(message["content"]) for message in asked.body["messages"])
        return refusal if said > most else Reply(body=completion("done"))

    return answer


@pytest.mark.parametrize(
    "refusal",
    [
        Reply(
            status=400,
            body={
                "error": {
                    "code": 400,
                    "message": "request (9000 tokens) exceeds the available context size",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 9_000,
                    "n_ctx": 3_000,
                }
            },
        ),
        Reply(status=500, body=error("the request exceeds the available context size")),
        Reply(
            status=413,
            body=error("Request too large for m on tokens per minute: Limit 3000, Requested 9000"),
        ),
    ],
    ids=["told in a field", "not told", "by the minute"],
)
async def test_a_prompt_is_made_anew_for_the_window_that_a_refusal_tells(refusal: Reply) -> None:
    drawn: list[int] = []
    with Endpoint(otherwise=_refusing(refusal, most=5_000)) as server:
        async with _backend(server) as backend:

            async def draw() -> Proposal:
                drawn.append(backend.context_window)
                fits = estimate_prompt(LONG) < backend.context_window
                stop: Any = "patch"
                try:
                    await backend.complete(LONG if fits else SHORT, Sampling())
                except Exception as fault:  # noqa: BLE001 - told by its name
                    stop = "context" if "ContextOverflow" in type(fault).__name__ else "other"
                return Proposal(
                    patch="",
                    stop=stop,
                    note="",
                    usage=(await backend.complete(SHORT, Sampling())).usage,
                    seconds=0.0,
                    prompt_digest="",
                    trajectory=(),
                )

            got = await drawn_in_window(backend, draw)
    assert got.stop == "patch"
    assert len(drawn) == 2
    assert drawn[1] < drawn[0]


async def test_credit_for_fewer_tokens_lowers_the_limit() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.body["max_tokens"] > 1_500:
            message = (
                "This request requires more credits, or fewer max_tokens. You requested up to "
                f"{asked.body['max_tokens']} tokens, but can only afford 1500."
            )
            return Reply(status=402, body=error(message, 402))
        return Reply(body=completion("done"))

    with Endpoint(otherwise=answer) as server:
        async with _backend(server) as backend:
            got = await backend.complete(SHORT, Sampling())
    assert got.sent["max_tokens"] == 1_500
