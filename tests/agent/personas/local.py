"""Servers of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from tests.agent.answers import Json, Used
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Delta, Persona, bad, flat
from tests.agent.solver import Said


class Ollama(Persona):
    """Lists a longer name; thinks in a field; an effort is no setting of every model."""

    name = "ollama"
    model = "qwen3-coder"
    models = ({"id": "qwen3-coder:latest", "object": "model", "owned_by": "library"},)
    thought_in = "reasoning"
    refuses_setting = "reasoning_effort"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "reasoning_effort" in body:
            return self.said(f'"{self.model}" does not support thinking')
        return None

    def said(self, message: str) -> Reply:
        return bad(message, kind="api_error")

    def finish(self, said: Said) -> str:
        return "stop"


class OllamaNoTools(Ollama):
    """A model that takes no tools."""

    name = "ollama-no-tools"
    model = "gemma3:4b"
    models = ({"id": "gemma3:4b", "object": "model", "owned_by": "library"},)
    takes_tools = False
    thought_in = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            return self.said("registry.ollama.ai/library/gemma3:4b does not support tools")
        return super().refusal(body, asked)


class LlamaCpp(Persona):
    """Its template fails under status 500: no system message, roles that alternate, no tools."""

    name = "llama.cpp"
    model = "gemma.gguf"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            return self.said("tools param requires --jinja flag")
        roles = [message["role"] for message in body["messages"]]
        if "system" in roles:
            return self.jinja("System role not supported")
        if any(one == other for one, other in pairwise(roles)):
            return self.jinja("Conversation roles must alternate user/assistant/user/assistant/...")
        return None

    def jinja(self, words: str) -> Reply:
        return self.said(
            "\n------------\nWhile executing CallExpression at line 19, column 27 in source:\n..."
            f"raise_exception(...)\n\nError: Jinja Exception: {words}"
        )

    def said(self, message: str) -> Reply:
        error = {"code": 500, "message": message, "type": "server_error"}
        return Reply(status=500, body={"error": error})

    def whole(self, said: Said, message: Json, used: Used) -> Json:
        return super().whole(said, message, used) | {"timings": {"prompt_n": 1, "cache_n": 5}}


class VllmNoTools(Persona):
    """Started without the options that tools need."""

    name = "vllm-no-tools"
    model = "Qwen/Qwen2.5-Coder-7B"
    models = ({"id": "Qwen/Qwen2.5-Coder-7B", "object": "model", "max_model_len": 32_768},)
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            said = (
                '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to '
                "be set"
            )
            return flat(said)
        return None


class Sglang(Persona):
    """Whole calls that all have index 0; thinking counted outside of the details."""

    name = "sglang"
    model = "deepseek-v3"
    thought_in = "reasoning_content"

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "total_tokens": used.prompt + used.output,
            "completion_tokens": used.output,
            "prompt_tokens_details": None,
            "reasoning_tokens": used.thinking,
        }

    def used(self, body: Json, said: Said) -> Used:
        return replace(super().used(body, said), cached=0)

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for call in calls:
            yield Delta(delta={"tool_calls": [call | {"index": 0}]})


class Nim(Persona):
    """A problem of a kind of its own, with places and words on lines of their own."""

    name = "nim"
    model = "meta/llama-3.1-70b-instruct"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        extra = [one for one in ("seed", "stream_options") if one in body]
        if not extra:
            return None
        detail = "\n".join(
            f"body -> {one}\n  Extra inputs are not permitted (type=extra_forbidden)"
            for one in extra
        )
        problem = {
            "type": "urn:inference-service:problem-details:unprocessable-entity",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": detail,
            "instance": "/v2/1",
            "requestId": "1",
        }
        return Reply(status=422, body=problem)

    def is_told(self, body: Json) -> bool:
        return True


class NimRepr(Nim):
    """The same as a text that Python would print."""

    name = "nim-repr"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        extra = [one for one in ("seed", "stream_options") if one in body]
        if not extra:
            return None
        faults = [
            {
                "type": "extra_forbidden",
                "loc": ("body", one),
                "msg": "Extra inputs are not permitted",
                "input": body[one],
            }
            for one in extra
        ]
        return Reply(status=400, body={"error": repr(faults)})
