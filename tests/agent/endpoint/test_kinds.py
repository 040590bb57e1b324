"""Every kind of endpoint, as its users meet it: the same right patch, and the bill to the token."""

from __future__ import annotations

import asyncio
import functools
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from agent.backend import (
    BackendUnusableError,
    Completion,
    Message,
    Sampling,
    Tool,
    ToolsRefusedError,
    Usage,
)
from agent.endpoint.anthropic import AnthropicBackend
from agent.endpoint.attempt import Timing
from agent.endpoint.backend import EndpointBackend
from agent.endpoint.openai import OpenAIBackend
from agent.endpoint.profile import ModelProfile, profile_from_json, profile_to_json
from agent.loop import Loop
from agent.monkeys import Monkeys
from agent.oneshot import Oneshot
from agent.presets import is_known_to_think
from agent.protocol import NATIVE
from agent.strategy import Proposal, Strategy
from sandbox.fake import FakeHost
from tests.agent.answers import Used, events_reply
from tests.agent.loopback import Endpoint, Reply
from tests.agent.personas.anthropic import Claude
from tests.agent.personas.every import PERSONAS
from tests.agent.personas.forms import ENDS, Bare, KeepAlive, Slow, Tagged
from tests.agent.personas.open_models import Zhipu
from tests.agent.personas.openai import ResponsesOnly, ToolsOnResponses
from tests.agent.personas.persona import Persona
from tests.agent.solver import RIGHT, SPOIL, Said, Shapes
from tests.agent.test_loop import ISSUE
from tests.agent.test_monkeys import Tree
from tests.agent.test_oneshot import shapes

SAMPLES = 4
SAMPLING = Sampling(seed=7)
FIXED = f"-    return width + height\n+    return {RIGHT}\n"
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
# What of a request is no setting.
FORM = {"model", "messages", "input", "system", "tools", "stream", "stream_options", "store"}
FORM |= {"include"}
TIMING = Timing(idle=5.0, longest=20.0, patience=2.0, reach_patience=1.0, first_wait=0.01)

REFUSING = [make for make in PERSONAS if make.refuses_setting]


@pytest.fixture(scope="module", autouse=True)
def certificates() -> Iterator[None]:
    """Read the certificates once, which no loopback server needs and every client reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@asynccontextmanager
async def asking(persona: Persona, **options: Any) -> AsyncIterator[EndpointBackend]:
    models = persona.models if persona.models is not None else [{"id": persona.model}]
    with Endpoint(otherwise=persona, models=[*models], paths=PATHS) as server:
        kind = AnthropicBackend if persona.sdk == "anthropic" else OpenAIBackend
        backend = kind(
            **{
                "name": f"test:{persona.model}",
                "model": persona.model,
                "base_url": server.url + persona.query,
                "api_key": "sk-none",
                "thinks": is_known_to_think(persona.model),
                "timing": replace(TIMING, idle=persona.idle),
                **options,
            }
        )
        async with backend:
            yield backend


def strategies() -> dict[str, tuple[Strategy, FakeHost]]:
    return {
        "oneshot": (Oneshot(), shapes().host),
        "rank": (Oneshot(context="rank"), shapes().host),
        "monkeys": (Monkeys(), Tree().host),
        "loop": (Loop(), Shapes().host),
    }


def wanted(persona: Persona, sampling: Sampling = SAMPLING) -> Sampling:
    if persona.effort is None:
        return sampling
    return replace(sampling, reasoning_effort=persona.effort, required=("reasoning_effort",))


async def drawn(
    persona: Persona, backend: EndpointBackend, kind: str, sampling: Sampling = SAMPLING
) -> list[Proposal]:
    strategy, host = strategies()[kind]
    sampling = wanted(persona, sampling)
    draws = (strategy.propose(ISSUE, backend, host, sampling) for _ in range(SAMPLES))
    return await asyncio.gather(*draws)


def assert_booked(persona: Persona, usages: Sequence[Usage]) -> None:
    """Hold what was counted against the provider's books."""
    used, books = sum(usages, Usage()), persona.books
    assert used.estimated_calls == books.untold
    if not books.untold:
        counted = (used.input_tokens, used.cached_tokens, used.cache_write_tokens)
        assert counted == (books.prompt, books.cached, books.written)
        assert used.output_tokens == books.output
    else:
        assert used.input_tokens >= books.prompt
    if not books.unpriced:
        assert used.billed_calls == books.answers
        assert used.billed == pytest.approx(books.bill)


def assert_learnt_well(persona: Persona, profile: ModelProfile) -> None:
    """Hold what was learnt against what is refused: all of it at once, and nothing else."""
    assert persona.repeated == {}
    assert persona.named_again == set()
    assert len(persona.refusals) <= len(profile.notes) + persona.faults
    plain = ModelProfile()
    turns = ("strict_turns", "examples", "thinking_back")
    changed = {name for name in turns if getattr(profile, name) != getattr(plain, name)}
    assert changed <= persona.turns
    if not persona.says_what:
        return
    values = {name: getattr(SAMPLING, name) for name in ("temperature", "top_p", "seed")}
    for name in set(profile.left_out).intersection(values):
        assert not persona.takes({name: values[name]}), f"{name} would have been taken"
    if not profile.stream and persona.is_told({"stream": True}):
        assert not persona.takes({"stream": True})
    if not profile.stream_usage and profile.api == "chat":
        asked = {"stream": True, "stream_options": {"include_usage": True}}
        assert not persona.takes(asked)
    if not profile.system_role:
        system = {"role": "system", "content": "Be brief."}
        assert not persona.takes({"messages": [system, *persona.taken[-1]["messages"]]})


@pytest.mark.parametrize("kind", ["oneshot", "rank", "monkeys", "loop"])
@pytest.mark.parametrize("make", PERSONAS, ids=lambda make: make.name)
async def test_every_strategy_solves_the_issue_and_books_what_it_cost(
    make: type[Persona], kind: str
) -> None:
    persona = make()
    async with asking(persona) as backend:
        proposals = await drawn(persona, backend, kind)
    for proposal in proposals:
        assert (proposal.stop, proposal.patch.count(FIXED)) == ("patch", 1), proposal.note
        shown = [turn.message for turn in proposal.trajectory if turn.message.role == "assistant"]
        assert not any(SPOIL in message.content for message in shown)
    assert_booked(persona, [proposal.usage for proposal in proposals])
    assert_learnt_well(persona, backend.profile)
    if kind == "loop" and persona.takes_tools and not persona.speaks:
        assert any("tools" in body for body in persona.taken)
        spoken = [body for body in persona.taken if "tools" not in body]
        assert spoken == []


@pytest.mark.parametrize("tools", [False, True])
@pytest.mark.parametrize("make", PERSONAS, ids=lambda make: make.name)
async def test_refusals_are_met_once_and_what_was_sent_is_recorded(
    make: type[Persona], tools: bool
) -> None:
    persona = make()
    question = "Call the tool `submit` now, and say nothing." if tools else "You fix."
    prompt = [
        Message(role="system", content="You are brief."),
        Message(role="user", content=question),
    ]
    offered: Sequence[Tool] = NATIVE.tools if tools else ()
    async with asking(persona) as backend:
        requests = [backend.complete(prompt, wanted(persona), offered) for _ in range(SAMPLES)]
        got = await asyncio.gather(*requests, return_exceptions=True)
    if tools and not persona.takes_tools:
        assert all(isinstance(one, ToolsRefusedError) for one in got)
        assert persona.repeated == {}
        return
    answers = [one for one in got if isinstance(one, Completion)]
    assert len(answers) == SAMPLES, got
    assert_learnt_well(persona, backend.profile)
    for answer in answers:
        if not tools:
            assert RIGHT in answer.text
            is_shown = persona.shows_thinking or persona.thought_in
            assert answer.thinking.count("No, that is not right") == bool(is_shown)
        elif not persona.speaks:
            assert [call.name for call in answer.tool_calls] == ["submit"]
        assert "width - height" not in answer.text
        sent = {name: value for name, value in answer.sent.items() if name != "api"}
        assert sent in [settings(body) for body in persona.taken]
    assert_booked(persona, [answer.usage for answer in answers])


LEARNING = [make for make in REFUSING if make.refuses_setting != "reasoning_effort"]


@pytest.mark.parametrize("make", LEARNING, ids=lambda make: make.name)
async def test_what_was_learnt_and_kept_is_not_learnt_again(make: type[Persona]) -> None:
    persona = make()
    prompt = [
        Message(role="system", content="You are brief."),
        Message(role="user", content="You fix."),
    ]
    async with asking(persona) as backend:
        await backend.complete(prompt, wanted(persona))
    kept = profile_to_json(backend.profile)
    met = len(persona.refusals)
    assert met
    async with asking(persona, profile=profile_from_json(kept)) as backend:
        await backend.complete(prompt, wanted(persona))
    assert len(persona.refusals) == met


def settings(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in FORM}


async def test_one_refused_value_of_our_own_does_not_forbid_the_users() -> None:
    persona = Zhipu()
    sampling = Sampling(temperature=0.8, required=("temperature",))
    async with asking(persona) as backend:
        proposals = await drawn(persona, backend, "rank", sampling)
    assert [proposal.patch.count(FIXED) for proposal in proposals] == [1] * SAMPLES
    assert [body["temperature"] for body in persona.taken[1:]] == [0.8] * SAMPLES


@pytest.mark.parametrize(
    "make", [make for make in PERSONAS if make.takes_top_p], ids=lambda make: make.name
)
async def test_of_two_that_exclude_each_other_what_the_user_asked_for_stays(
    make: type[Persona],
) -> None:
    persona = make()
    async with asking(persona) as backend:
        await backend.complete(
            [Message(role="user", content="You fix.")], Sampling(top_p=0.5, required=("top_p",))
        )
    assert persona.taken[0]["top_p"] == 0.5


@pytest.mark.parametrize("make", PERSONAS, ids=lambda make: make.name)
async def test_answers_that_come_whole_are_read_and_booked_alike(make: type[Persona]) -> None:
    persona = make()
    prompt = [Message(role="user", content="You fix.")]
    async with asking(persona, profile=ModelProfile(stream=False)) as backend:
        answer = await backend.complete(prompt, wanted(persona))
    assert RIGHT in answer.text
    assert "width - height" not in answer.text
    if persona.shows_thinking or persona.thought_in:
        assert answer.thinking.count("No, that is not right") == 1
    assert_booked(persona, [answer.usage])


BROKEN: dict[str, tuple[type[Persona], list[dict[str, Any]]]] = {
    "responses-error": (
        ResponsesOnly,
        [
            {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
            {"type": "error", "error": {"type": "server_error", "message": "Sorry about that!"}},
            {"type": "response.failed", "response": {"id": "resp_1", "status": "failed"}},
        ],
    ),
    "responses-flat-error": (
        ResponsesOnly,
        [{"type": "error", "code": "server_error", "message": "Sorry about that!", "param": None}],
    ),
    "responses-failed": (
        ResponsesOnly,
        [
            {
                "type": "response.failed",
                "response": {
                    "id": "resp_1",
                    "status": "failed",
                    "output": [],
                    "error": {"code": "server_error", "message": "Sorry about that!"},
                },
            }
        ],
    ),
    "responses-cut": (
        ResponsesOnly,
        [
            {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
            {"type": "response.output_text.delta", "output_index": 0, "delta": "It has"},
        ],
    ),
    "responses-error-after-words": (
        ResponsesOnly,
        [
            {"type": "response.output_text.delta", "output_index": 0, "delta": "It has"},
            {"type": "error", "error": {"type": "server_error", "message": "Sorry about that!"}},
        ],
    ),
    "chat-error-after-words": (
        Persona,
        [
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "It has"}}]},
            {"error": {"type": "server_error", "message": "Sorry about that!", "code": None}},
        ],
    ),
    "chat-cut": (
        Persona,
        [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "It has"}}]}],
    ),
    "claude-overloaded-error": (
        Claude,
        [
            {
                "type": "message_start",
                "message": {
                    "id": "msg_1",
                    "content": [],
                    "usage": {"input_tokens": 9, "output_tokens": 1},
                },
            },
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ],
    ),
    "claude-cut": (
        Claude,
        [
            {
                "type": "message_start",
                "message": {
                    "id": "msg_1",
                    "content": [],
                    "usage": {"input_tokens": 9, "output_tokens": 1},
                },
            },
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            },
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": "It has"},
            },
        ],
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_an_answer_that_breaks_off_is_asked_for_again(kind: str) -> None:
    make, events = BROKEN[kind]
    persona = make()
    sent = [f"event: {one.get('type', 'message')}\ndata: {json.dumps(one)}\n\n" for one in events]
    answer_whole = persona.reply

    def reply(body: dict[str, Any], said: Said, used: Used) -> Reply:
        if persona.books.answers == 1:
            return events_reply(sent)
        return answer_whole(body, said, used)

    persona.reply = reply  # type: ignore[method-assign]
    async with asking(persona) as backend:
        answer = await backend.complete([Message(role="user", content="You fix.")], wanted(persona))
    assert RIGHT in answer.text
    assert persona.books.answers == 2
    assert persona.repeated == {}
    if ("error" not in kind and "failed" not in kind) or "after" in kind:
        # What was begun may be billed; an error in its place is not.
        assert answer.usage.estimated_calls == 1
        assert answer.usage.output_tokens >= persona.books.output


@pytest.mark.parametrize("make", [Slow, KeepAlive], ids=lambda make: make.name)
async def test_an_answer_may_take_longer_than_it_may_be_silent(make: type[Persona]) -> None:
    persona = make()
    async with asking(persona) as backend:
        proposals = await drawn(persona, backend, "oneshot")
    for proposal in proposals:
        assert proposal.patch.count(FIXED) == 1
        assert proposal.seconds > persona.idle
    assert_booked(persona, [proposal.usage for proposal in proposals])


async def test_a_slow_first_answer_does_not_hold_the_others_back() -> None:
    persona = Slow()
    prompt = [Message(role="user", content="You fix.")]

    async def ended(backend: EndpointBackend) -> float:
        await backend.complete(prompt, SAMPLING)
        return time.monotonic()

    async with asking(persona) as backend:
        first, *_ = await asyncio.gather(*(ended(backend) for _ in range(SAMPLES)))
    assert max(asked.at for asked in persona.asked) < first


MARKS = [
    ("<think>", "</think>"),
    ("<thinking>\n", "\n</thinking>\n"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>\n"),
    ("\n\n<think>\n", "\n</think>"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    ("<|channel>thought\n", "\n<channel|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("analysis", "assistantfinal"),
    ("", "</think>\n\n"),
    ("", "[/THINK]\n"),
    ("<think>", "</think>\n\n<response>\n"),
    ("<think>", "</think>\n<answer>\n"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("marks", MARKS, ids=lambda marks: "".join(marks).strip())
async def test_a_draft_between_the_marks_of_any_family_is_not_the_answer(
    marks: tuple[str, str], stream: bool
) -> None:
    persona = Tagged(marks)
    async with asking(persona, profile=ModelProfile(stream=stream)) as backend:
        [proposal, *_] = await drawn(persona, backend, "oneshot")
    assert proposal.patch.count(FIXED) == 1
    answer = proposal.trajectory[-1].message
    assert "width - height" not in answer.content
    assert answer.thinking.endswith("No, that is not right.")


async def test_characters_that_end_lines_elsewhere_are_kept() -> None:
    persona = Bare()
    async with asking(persona) as backend:
        answer = await backend.complete([Message(role="user", content="You fix.")], SAMPLING)
    assert answer.thinking.startswith(ENDS)
    assert answer.thinking.endswith("No, that is not right.")


async def test_an_effort_that_was_asked_for_goes_along_to_the_other_api() -> None:
    persona = ToolsOnResponses()
    sampling = Sampling(reasoning_effort="low", required=("reasoning_effort",))
    async with asking(persona) as backend:
        proposals = await drawn(persona, backend, "loop", sampling)
    assert [proposal.patch.count(FIXED) for proposal in proposals] == [1] * SAMPLES
    assert {json.dumps(body["reasoning"]) for body in persona.taken} == {'{"effort": "low"}'}


@pytest.mark.parametrize("make", REFUSING, ids=lambda make: make.name)
async def test_a_setting_that_was_asked_for_and_is_refused_is_one_clear_sentence(
    make: type[Persona],
) -> None:
    persona = make()
    name = persona.refuses_setting
    value = {"temperature": 0.3, "top_p": 0.5, "seed": 3, "reasoning_effort": "low"}[name]
    sampling = Sampling(**{name: value}, required=(name,))  # type: ignore[arg-type]
    prompt = [Message(role="user", content="You fix.")]
    async with asking(persona) as backend:
        with pytest.raises(BackendUnusableError) as caught:
            await backend.complete(prompt, sampling)
    said = str(caught.value)
    assert caught.value.bad_input
    assert f"--{name.replace('_', '-')}" in said
    assert said.endswith(".")
    assert "\n" not in said
    assert persona.taken == []
