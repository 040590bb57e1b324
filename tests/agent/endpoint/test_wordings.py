"""Refusals in the words of many providers and relays: each teaches what it is about, at once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent.backend import (
    BackendError,
    BackendUnusableError,
    Message,
    Sampling,
    ToolsRefusedError,
)
from agent.endpoint.faults import UnknownModelError
from agent.endpoint.profile import ModelProfile
from agent.protocol import NATIVE
from tests.agent.answers import Json, events_reply
from tests.agent.endpoint.test_kinds import asking
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Persona, bad, flat
from tests.agent.personas.windows import Window
from tests.agent.solver import RIGHT

PROMPT = [
    Message(role="system", content="You are brief."),
    Message(role="user", content="You fix."),
]
TOOL_PROMPT = [Message(role="user", content="Call the tool `submit` now, and say nothing.")]
MOST = 2_048
"""Output tokens that an answer may have, where they are refused."""

Condition = Callable[[Json], bool]


@dataclass(frozen=True, kw_only=True)
class Wording:
    """A refusal, when it comes, and what it teaches."""

    name: str
    when: Condition
    reply: Reply
    learns: Mapping[str, Any]
    sampling: Sampling = field(default_factory=lambda: Sampling(seed=7))
    start: ModelProfile = field(default_factory=ModelProfile)


class Worded(Persona):
    """A plain endpoint with one refusal."""

    def __init__(self, when: Condition, reply: Reply) -> None:
        super().__init__()
        self._when, self._reply = when, reply

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        return self._reply if self._when(body) else None

    def is_told(self, body: Json) -> bool:
        return True


def sends(name: str) -> Condition:
    return lambda body: name in body


def is_long(body: Json) -> bool:
    limits = (body.get("max_tokens", 0), body.get("max_completion_tokens", 0))
    return any(limit > MOST for limit in limits)


def has_system(body: Json) -> bool:
    return any(message["role"] == "system" for message in body.get("messages", ()))


def raw(body: object, status: int = 400) -> Reply:
    return Reply(status=status, body=body)


def nested(message: object, status: int = 400, **more: Any) -> Reply:
    return raw({"error": {"message": message, **more}}, status)


SEED = {"left_out": {"seed"}}
SHORT = {"most_output_tokens": MOST}
FOLDED = {"system_role": False}
QUIET = {"stream_usage": False}
EFFORT = {"left_out": {"reasoning_effort"}}


def effort(word: str) -> Sampling:
    return Sampling(reasoning_effort=word)


def seed(name: str, reply: Reply) -> Wording:
    return Wording(name=name, when=sends("seed"), reply=reply, learns=SEED)


def short(name: str, reply: Reply) -> Wording:
    return Wording(name=name, when=is_long, reply=reply, learns=SHORT)


def folded(name: str, reply: Reply) -> Wording:
    return Wording(name=name, when=has_system, reply=reply, learns=FOLDED)


def quiet(name: str, reply: Reply) -> Wording:
    return Wording(name=name, when=sends("stream_options"), reply=reply, learns=QUIET)


def forbidden(place: Sequence[object]) -> Json:
    return {
        "type": "extra_forbidden",
        "loc": [*place],
        "msg": "Extra inputs are not permitted",
        "input": 7,
    }


_DETAIL = [forbidden(["body", "seed"])]
_UNKNOWN = 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'

WORDINGS: tuple[Wording, ...] = (
    seed("openai-argument", bad("Unrecognized request argument supplied: seed")),
    seed("fastapi", raw({"detail": _DETAIL}, 422)),
    seed("fastapi-bare", raw(_DETAIL, 422)),
    seed(
        "mistral-json-in-a-text",
        raw(
            {
                "object": "error",
                "message": json.dumps({"detail": _DETAIL}),
                "type": "internal_error_proxy",
                "param": None,
                "code": "1000",
            },
            400,
        ),
    ),
    seed(
        "mistral-list",
        raw(
            {
                "object": "Error",
                "detail": _DETAIL,
                "message": _DETAIL,
                "type": "invalid_request_error",
                "code": 3001,
            },
            422,
        ),
    ),
    seed("mistral-repr", flat(repr([forbidden(("body", "seed"))]))),
    seed("google-in-a-text", nested(json.dumps({"error": {"message": _UNKNOWN}}), code=400)),
    seed("groq-other", nested("property 'seed' is unsupported, did you mean 'temperature'?")),
    seed("cerebras", raw({"message": "body.seed: property 'body.seed' is unsupported"}, 422)),
    seed(
        "fireworks-old",
        nested("[{'loc': ('body', 'seed'), 'msg': 'extra fields not permitted', 'input': 7}]"),
    ),
    seed("nim-list", nested("Validation: Unsupported parameter(s): seed", type="Bad Request")),
    seed("text", Reply(status=400, body=b'Bad request: json: unknown field "seed"')),
    seed("detail", raw({"detail": "Unsupported parameter: seed"})),
    seed(
        "github-repr",
        nested(
            "litellm.BadRequestError: GithubException - Error code: 400 - {'error': {'message': "
            "\"Unsupported parameter: 'seed' is not supported with this model.\", 'type': "
            "'invalid_request_error', 'param': 'seed', 'code': 'unsupported_parameter'}}",
            type=None,
            param=None,
            code="400",
        ),
    ),
    seed(
        "router",
        nested(
            'Error from provider(foo,bar: 400): {"error":{"message":"Unknown parameter: '
            "'seed'.\"}}Error: Error from provider\n    at sendRequest (/app/dist/cli.js:1:2)"
        ),
    ),
    seed(
        "relay",
        nested("Unsupported parameter: 'seed' (request id: 2025112713345678901234567)", param=""),
    ),
    seed("xai-text", raw("Model grok-4 does not support parameter seed.")),
    seed(
        "open-options",
        raw({"success": False, "errors": [{"code": 5006, "message": "unknown field: seed"}]}),
    ),
    Wording(
        name="xai-camel-case",
        when=sends("top_p"),
        reply=raw({"code": "invalid-argument", "error": "Argument not supported: topP"}),
        learns={"left_out": {"top_p"}},
    ),
    Wording(
        name="claude-new",
        when=sends("temperature"),
        reply=nested(
            "temperature is not supported for claude-fable-5 when set to non-default values",
            type="invalid_request_error",
        ),
        learns={"left_out": {"temperature"}},
    ),
    Wording(
        name="litellm-gpt-5",
        when=sends("temperature"),
        reply=nested(
            "litellm.UnsupportedParamsError: gpt-5-nano doesn't support temperature=0.8 while "
            "reasoning is active. Only temperature=1 is supported unless reasoning_effort resolves "
            "to 'none'. To drop unsupported params set "
            "`litellm.drop_params = True`. Received Model Group=gpt\nAvailable Model Group "
            "Fallbacks=None",
            type="invalid_request_error",
            code="400",
        ),
        learns={"left_out": {"temperature"}},
    ),
    Wording(
        name="bedrock-place",
        when=sends("temperature"),
        reply=raw(
            {
                "message": (
                    "Malformed input request: #: extraneous key [temperature] is not permitted, "
                    "please reformat your input and try again."
                )
            }
        ),
        learns={"left_out": {"temperature"}},
    ),
    Wording(
        name="copilot-limit",
        when=sends("max_tokens"),
        reply=nested(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            code="invalid_request_body",
        ),
        learns={"limit_field": "max_completion_tokens", "left_out": {"max_tokens"}},
    ),
    Wording(
        name="mistral-limit",
        when=sends("max_completion_tokens"),
        reply=raw(
            {
                "object": "error",
                "message": {"detail": [forbidden(["body", "max_completion_tokens"])]},
                "type": "invalid_request_error",
            },
            422,
        ),
        learns={"limit_field": "max_tokens", "left_out": {"max_completion_tokens"}},
        start=ModelProfile(limit_field="max_completion_tokens"),
    ),
    short(
        "openai",
        bad(
            f"max_tokens is too large: 4096. This model supports at most {MOST} completion tokens, "
            "whereas you provided 4096.",
            "max_tokens",
        ),
    ),
    short(
        "claude",
        nested(
            f"max_tokens: 4096 > {MOST}, which is the maximum allowed number of output tokens for "
            "claude-3-5-haiku-20241022",
            type="invalid_request_error",
        ),
    ),
    short(
        "groq",
        nested(
            f"`max_tokens` must be less than or equal to `{MOST}`, the maximum value for "
            "`max_tokens` is less than the `context_window` for this model",
            param="max_tokens",
        ),
    ),
    short(
        "groq-old",
        nested(f"max_tokens for `llama-3.1-8b-instant` must be less than or equal to {MOST}"),
    ),
    short(
        "deepseek", bad(f"Invalid max_tokens value, the valid range of max_tokens is [1, {MOST}]")
    ),
    short(
        "ark",
        nested(
            "The parameter `max_tokens` specified in the request are not valid: integer above "
            f"maximum value, expected a value <= {MOST}, but got 4096 instead. Request id: 0217",
            code="InvalidParameter",
            param="max_tokens",
        ),
    ),
    short(
        "sentence-as-parameter",
        nested(
            "Param Incorrect",
            type="upstream_error",
            code="400",
            param=(
                f"max_tokens is too large: 4096. This model supports at most {MOST} completion "
                "tokens, whereas you provided 4096."
            ),
        ),
    ),
    short(
        "siliconflow",
        raw(
            {
                "code": 400,
                "reason": "INVALID_REQUEST_BODY",
                "message": f"max_tokens (current value: 4096) must be between 0 and {MOST} ",
                "metadata": {},
            }
        ),
    ),
    short("416", nested(f"max_tokens must not be larger than {MOST}", 416)),
    short(
        "vertex",
        raw(
            [
                {
                    "error": {
                        "code": 400,
                        "message": (
                            "Unable to submit request because it has a maxOutputTokens value of "
                            f"4096 but the supported range is from 1 (inclusive) to {MOST + 1} "
                            "(exclusive). Update the value and try again."
                        ),
                        "status": "INVALID_ARGUMENT",
                    }
                }
            ]
        ),
    ),
    Wording(
        name="bedrock-limit",
        when=is_long,
        # Taken at its word.
        learns={"most_output_tokens": MOST - 1},
        reply=raw(
            {
                "message": (
                    "The model returned the following errors: The maximum tokens you requested "
                    f"exceeds the model limit of {MOST}. Try again with a maximum tokens value "
                    f"that is lower than {MOST}."
                )
            }
        ),
    ),
    folded(
        "minimax",
        raw(
            {
                "type": "error",
                "error": {
                    "type": "bad_request_error",
                    "message": (
                        "invalid params, chat content has invalid message role: system (2013)"
                    ),
                    "http_code": "400",
                },
                "request_id": "1",
            }
        ),
    ),
    folded(
        "google", raw([{"error": {"message": "Developer instruction is not enabled for gemma"}}])
    ),
    folded("gemma-500", nested("Internal server error: System role not supported", 500)),
    folded(
        "lm-studio",
        raw(
            {
                "error": (
                    'Error rendering prompt with jinja template: "System role not supported". '
                    "This is usually an issue with the model's prompt template."
                )
            }
        ),
    ),
    folded(
        "roles", flat("1 validation error: messages.0.role: Input should be 'user' or 'assistant'")
    ),
    quiet(
        "azure-data", bad("Validation error at #/stream_options: Extra inputs are not permitted")
    ),
    quiet("bedrock", raw({"message": "extraneous key [include_usage] is not permitted"})),
    quiet("bedrock-500", nested("extraneous key [stream_options] is not permitted", 500)),
    quiet(
        "fireworks", nested("Extra inputs are not permitted, field: 'stream_options', value: True.")
    ),
    Wording(
        name="streams-only",
        when=lambda body: not body.get("stream"),
        reply=nested(
            "This model only support stream mode, please enable the stream parameter to access the "
            "model. ",
            code="invalid_parameter_error",
        ),
        learns={},
        start=ModelProfile(stream=False),
    ),
    Wording(
        name="streams-only-to-think",
        when=lambda body: not body.get("stream"),
        reply=nested("parameter.enable_thinking must be set to false for non-streaming calls"),
        learns={},
        start=ModelProfile(stream=False),
    ),
    Wording(
        name="streams-only-modelscope",
        when=lambda body: not body.get("stream"),
        reply=nested("enable thinking can not be support when `stream=False`."),
        learns={},
        start=ModelProfile(stream=False),
    ),
    Wording(
        name="effort-of-a-list",
        when=sends("reasoning_effort"),
        reply=bad(
            "Invalid value: 'xhigh'. Supported values are: 'low', 'medium', and 'high'.",
            "reasoning_effort",
            "invalid_value",
        ),
        learns=EFFORT,
        sampling=effort("xhigh"),
    ),
    Wording(
        name="effort-by-its-value",
        when=sends("reasoning_effort"),
        reply=nested("Invalid value: 'xhigh'. Supported values are: 'low', 'medium', and 'high'."),
        learns=EFFORT,
        sampling=effort("xhigh"),
    ),
    Wording(
        name="effort-groq",
        when=sends("reasoning_effort"),
        reply=nested("`reasoning_effort` must be one of `none` or `default`"),
        learns=EFFORT,
        sampling=effort("low"),
    ),
    Wording(
        name="effort-openrouter",
        when=sends("reasoning_effort"),
        reply=nested('reasoning.effort: Invalid option: expected one of "max"|"xhigh"', code=400),
        learns=EFFORT,
        sampling=effort("low"),
    ),
    Wording(
        name="effort-mandatory",
        when=sends("reasoning_effort"),
        reply=nested("Reasoning is mandatory for this endpoint and cannot be disabled.", code=400),
        learns=EFFORT,
        sampling=effort("none"),
    ),
    Wording(
        name="effort-ollama",
        when=sends("reasoning_effort"),
        reply=raw(b'{"error":{"message":"think value "medium" is not supported for this model"}}'),
        learns=EFFORT,
        sampling=effort("medium"),
    ),
    Wording(
        name="effort-ollama-500",
        when=sends("reasoning_effort"),
        reply=raw({"error": 'invalid think value: "none" (must be "high", "medium", "low")'}, 500),
        learns=EFFORT,
        sampling=effort("none"),
    ),
    Wording(
        name="responses-copilot",
        when=sends("messages"),
        reply=nested(
            "The /chat/completions endpoint is not supported for this model",
            code="unsupported_api_for_model",
        ),
        learns={"api": "responses", "thinks": True},
        sampling=Sampling(),
    ),
)


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.name)
async def test_a_refusal_teaches_what_it_is_about_and_nothing_else(wording: Wording) -> None:
    persona = Worded(wording.when, wording.reply)
    async with asking(persona, profile=wording.start) as backend:
        answer = await backend.complete(PROMPT, wording.sampling)
    assert RIGHT in answer.text
    assert len(persona.refusals) == 1
    assert changes(backend.profile, wording.start) == wording.learns


def changes(profile: ModelProfile, start: ModelProfile) -> dict[str, Any]:
    """Return what a profile has that none has from the start, apart from its notes."""
    found = {}
    for one in dataclasses.fields(ModelProfile):
        value = getattr(profile, one.name)
        if one.name == "left_out" and value != start.left_out:
            found["left_out"] = set(value)
        elif value != getattr(start, one.name) and one.name not in {"left_out", "notes", "stream"}:
            found[one.name] = value
    return found


def event(body: object, before: str = "") -> Reply:
    """Refuse under status 200, in a stream."""
    return events_reply([f"{before}data: {json.dumps(body)}\n\n"])


_TOO_LONG = (
    f"max_tokens is too large: 4096. This model supports at most {MOST} completion tokens, whereas "
    "you provided 4096."
)
_TYPED = {"message": _TOO_LONG, "type": "BadRequestError", "param": None, "code": 400}
LATE = {
    "error": event({"error": _TYPED}),
    "error-text": event({"error": _TOO_LONG, "error_type": "validation"}),
    "error-event": event({"error": {"message": _TOO_LONG}}, "event: error\n"),
    "flat": event({"object": "error", **_TYPED}),
    "dashscope": event(
        {"code": "InvalidParameter", "message": _TOO_LONG, "request_id": "1"},
        "event:error\n:HTTP_STATUS/400\n",
    ),
    "detail": event({"detail": _TOO_LONG}),
    "siliconflow": event({"code": 20015, "message": _TOO_LONG, "data": None}),
    "code-as-text": event({"error": {"message": _TOO_LONG, "type": None, "code": "400"}}),
    "whole": raw({"error": _TYPED}, 200),
    "whole-flat": raw({"object": "error", **_TYPED}, 200),
    "choice": event(
        {
            "id": "gen-1",
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": ""},
                    "finish_reason": "error",
                    "error": {"message": _TOO_LONG, "code": 400},
                }
            ],
        }
    ),
    "with-end": events_reply([f"data: {json.dumps({'error': _TYPED})}\n\n", "data: [DONE]\n\n"]),
}


@pytest.mark.parametrize("reply", LATE.values(), ids=LATE.keys())
async def test_a_refusal_under_status_200_teaches_the_same(reply: Reply) -> None:
    persona = Worded(is_long, reply)
    async with asking(persona) as backend:
        answer = await backend.complete(PROMPT, Sampling())
    assert RIGHT in answer.text
    assert len(persona.refusals) == 1
    assert changes(backend.profile, ModelProfile()) == SHORT


_LIMITED = {"message": "litellm.RateLimitError: slow down", "type": None, "code": "429"}
_SORRY = "The server had an error while processing your request. Sorry about that!"
HEALING = {
    "overloaded": event(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        "event: error\n",
    ),
    "limited": event({"error": _LIMITED}),
    "server": event({"error": {"message": _SORRY, "type": "server_error", "code": None}}),
    "vllm": event({"object": "error", "message": "Internal server error", "code": 500}),
    "dashscope": event(
        {"code": "InternalError", "message": "An internal error has occured.", "request_id": "1"},
        "event:error\n:HTTP_STATUS/500\n",
    ),
    "text": event({"error": "upstream disconnected"}),
    "500": nested(_SORRY, 500, type="server_error"),
    "500-support": nested("Internal error: contact support with the id of this request.", 500),
    "500-tools": nested("The tool parser failed; if this persists, contact support.", 500),
    "500-stream": nested("Error in stream: not supported state.", 500),
    "502-page": raw(b"<html><body>Bad gateway: invalid response, no support.</body></html>", 502),
    "503": nested("The model is overloaded. Please try again later.", 503),
    "529": raw({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, 529),
    "tool-use-failed": nested(
        "Failed to call a function. Please adjust your prompt.", code="tool_use_failed"
    ),
}


@pytest.mark.parametrize("reply", HEALING.values(), ids=HEALING.keys())
async def test_a_fault_that_heals_is_waited_out_and_teaches_nothing(reply: Reply) -> None:
    persona = Worded(lambda _: not persona.refusals, reply)
    async with asking(persona) as backend:
        answer = await backend.complete(TOOL_PROMPT, Sampling(seed=7), NATIVE.tools)
    assert [call.name for call in answer.tool_calls] == ["submit"]
    assert len(persona.refusals) == 1
    assert changes(backend.profile, ModelProfile()) == {}


EFFORTS = [wording for wording in WORDINGS if wording.name.startswith("effort")]


@pytest.mark.parametrize("wording", EFFORTS, ids=lambda wording: wording.name)
async def test_an_effort_that_was_asked_for_and_is_refused_is_named(wording: Wording) -> None:
    persona = Worded(wording.when, wording.reply)
    sampling = dataclasses.replace(wording.sampling, required=("reasoning_effort",))
    async with asking(persona) as backend:
        with pytest.raises(BackendUnusableError, match="--reasoning-effort"):
            await backend.complete(PROMPT, sampling)
    assert persona.taken == []


async def test_a_limit_of_the_users_own_that_leaves_no_room_for_the_prompt_is_named() -> None:
    persona = Window()
    sampling = Sampling(max_tokens=4_096, required=("max_tokens",))
    async with asking(persona) as backend:
        with pytest.raises(BackendError, match="--max-tokens"):
            await backend.complete(PROMPT, sampling)


NO_TOOLS = {
    "google": raw([{"error": {"message": "Function calling is not enabled for models/gemma-3"}}]),
    "groq": nested("`tool calling` is not supported with this model"),
    "bedrock": raw({"message": "This model doesn't support tool use."}),
    "llama.cpp-old": nested("Unsupported param: tools", 500),
    "llama.cpp": nested("tools param requires --jinja flag", 500),
    "mistral": raw({"detail": [forbidden(["body", "tools"])]}, 422),
    "openai": bad(
        "Unsupported parameter: 'tools' is not supported with this model.",
        "tools",
        "unsupported_parameter",
    ),
    "openrouter": nested('No endpoints found that support tool use. Try disabling "bash".', 404),
    "openrouter-choice": nested(
        "No endpoints found that support the provided 'tool_choice' value.", 404
    ),
    "vllm": flat('"auto" tool choice requires --enable-auto-tool-choice to be set'),
}


@pytest.mark.parametrize("reply", NO_TOOLS.values(), ids=NO_TOOLS.keys())
async def test_a_model_without_tools_keeps_its_settings_and_is_asked_once(reply: Reply) -> None:
    persona = Worded(sends("tools"), reply)
    async with asking(persona) as backend:
        with pytest.raises(ToolsRefusedError):
            await backend.complete(TOOL_PROMPT, Sampling(seed=7), NATIVE.tools)
        await backend.complete(PROMPT, Sampling(seed=7))
    assert len(persona.refusals) == 1
    assert changes(backend.profile, ModelProfile()) == {"tools": False}
    assert {"seed", "temperature", "top_p"} <= persona.taken[0].keys()


NO_HELP = {
    "no-chat": bad(
        "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did "
        "you mean to use v1/completions?",
        "model",
        status=404,
    ),
    "not-pulled": nested('model "x" not found, try pulling it first', 404, type="api_error"),
    "no-endpoint": nested("No endpoints found for foo/bar.", 404, code=404),
    "old-version": nested(
        "Model o3 is enabled only for api versions 2024-12-01-preview and later",
        code="BadRequest",
    ),
    "no-credit": nested("Your credit balance is too low to access the API.", 400),
}


@pytest.mark.parametrize("tools", [False, True])
@pytest.mark.parametrize("name", NO_HELP)
async def test_what_no_other_request_helps_against_is_told_in_the_providers_words(
    name: str, tools: bool
) -> None:
    persona = Worded(lambda _: True, NO_HELP[name])
    async with asking(persona) as backend:
        with pytest.raises(BackendError) as caught:
            await backend.complete(PROMPT, Sampling(seed=7), NATIVE.tools if tools else ())
    body = NO_HELP[name].body
    assert body["error"]["message"].rstrip(".")[:60] in str(caught.value)
    assert not isinstance(caught.value, ToolsRefusedError)
    assert backend.profile == ModelProfile()
    if name in {"no-chat", "not-pulled", "no-endpoint"}:
        assert isinstance(caught.value, UnknownModelError)
        assert len(persona.refusals) <= 2


async def test_a_field_of_the_users_own_that_is_refused_is_named_with_its_option() -> None:
    persona = Worded(sends("min_p"), bad("Unrecognized request argument supplied: min_p"))
    async with asking(persona) as backend:
        with pytest.raises(BackendUnusableError, match=r"`min_p`.*--extra-body"):
            await backend.complete(PROMPT, Sampling(extra_body='{"min_p": 0.1}'))


async def test_a_limit_of_the_users_own_that_is_too_high_says_which_is_not() -> None:
    reply = bad(f"max_tokens is too large: 4096. This model supports at most {MOST} tokens.")
    persona = Worded(is_long, reply)
    async with asking(persona) as backend:
        with pytest.raises(BackendUnusableError, match=f"--max-tokens {MOST}"):
            await backend.complete(PROMPT, Sampling(max_tokens=4_096, required=("max_tokens",)))
