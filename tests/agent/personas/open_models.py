"""DeepSeek, Kimi, Z.ai, DashScope and MiniMax, and who serves their models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tests.agent.answers import Json, Used, events_reply, pieces
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Delta, Persona, bad
from tests.agent.solver import Said


class DeepSeek(Persona):
    """Wants its thinking back with every call, also where it is empty; few tokens of answer."""

    name = "deepseek"
    turns = frozenset({"examples"})
    model = "deepseek-reasoner"
    thought_in = "reasoning_content"
    most: ClassVar[int] = 8_192

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("max_tokens", 1) > self.most:
            said = f"Invalid max_tokens value, the valid range of max_tokens is [1, {self.most}]"
            return bad(said, code="invalid_request_error")
        for message in body["messages"]:
            if message.get("tool_calls") and "reasoning_content" not in message:
                said = (
                    "The `reasoning_content` in the thinking mode must be passed back to the API."
                )
                return bad(said, code="invalid_request_error")
        return None

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        """Think nothing before a second call: that has to come back as nothing."""
        is_second = any("sed" in str(arguments) for _, arguments in said.calls)
        return super().reply(body, replace(said, thinking="") if is_second else said, used)

    def usage(self, used: Used) -> Json:
        return super().usage(used) | {
            "prompt_cache_hit_tokens": used.cached,
            "prompt_cache_miss_tokens": used.prompt - used.cached,
        }

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        usage = {"usage": self.usage(used)} if self.is_told(body) else {}
        yield self.chunk({"content": "", "reasoning_content": None}, self.finish(said)) | usage


class DeepSeekR1(Persona):
    """Refuses its thinking back, turns that do not alternate, and tools."""

    name = "deepseek-r1"
    model = "deepseek-r1"
    thought_in = "reasoning_content"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            said = "deepseek-reasoner does not support Function Calling"
            return bad(said, code="invalid_request_error")
        before = ""
        for number, message in enumerate(body["messages"]):
            if message["role"] == before:
                said = (
                    "deepseek-reasoner does not support successive user or assistant messages "
                    f"(messages[{number - 1}] and messages[{number}] in your input). You should "
                    "interleave the user/assistant messages in the message sequence."
                )
                return bad(said, code="invalid_request_error")
            before = message["role"]
            if "reasoning_content" in message:
                said = f"messages[{number}]: reasoning_content is not allowed in the input"
                return bad(said, code="invalid_request_error")
        return None


class Kimi(Persona):
    """One temperature only; thinking back with calls, never empty; ids that it reads itself."""

    name = "kimi"
    turns = frozenset({"examples"})
    model = "kimi-k2-thinking"
    thought_in = "reasoning_content"
    refuses_setting = "temperature"

    def new_id(self, name: str, number: int) -> str:
        return f"functions.{name}:{number}"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("temperature", 1) != 1:
            return self.said("invalid temperature: only 1 is allowed for this model")
        for number, message in enumerate(body["messages"]):
            if not message.get("content") and not message.get("tool_calls"):
                return self.said(
                    f"Invalid request: the message at position {number} with role "
                    f"'{message['role']}' must not be empty"
                )
            if message.get("tool_calls") and not message.get("reasoning_content"):
                return self.said(
                    "thinking is enabled but reasoning_content is missing in assistant tool call "
                    f"message at index {number}"
                )
        return None

    def said(self, message: str) -> Reply:
        error = {"message": message, "type": "invalid_request_error"}
        return Reply(status=400, body={"error": error})

    def usage(self, used: Used) -> Json:
        told = super().usage(used) | {"cached_tokens": used.cached}
        del told["prompt_tokens_details"]
        return told

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        last = self.chunk({}, self.finish(said))
        if self.is_told(body):
            last["choices"][0]["usage"] = self.usage(used)
        yield last


class Zai(Persona):
    """Names nothing of what it refuses."""

    name = "z.ai"
    says_what = False
    faults = 1
    model = "glm-4.6"
    thought_in = "reasoning_content"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "seed" in body:
            said = "Invalid API parameter, please check the documentation."
            return Reply(status=400, body={"error": {"code": "1210", "message": said}})
        return None

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        yield self.chunk({"content": ""}, self.finish(said)) | {"usage": self.usage(used)}

    def is_told(self, body: Json) -> bool:
        return True


class Zhipu(Persona):
    """Takes no temperature of 0 or 1, and says so in Chinese."""

    name = "zhipu"
    model = "glm-4-plus"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if not 0 < body.get("temperature", 0.5) < 1:
            error = {"code": "1214", "message": "temperature参数非法。请检查文档。"}
            return Reply(status=400, body={"error": error})
        return None


class DashScope(Persona):
    """Only streams; goes on with a call under an empty id."""

    name = "dashscope"
    model = "qwq-plus"
    thought_in = "reasoning_content"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if not body.get("stream"):
            return self.said(
                "This model only support stream mode, please enable the stream parameter to "
                "access the model. "
            )
        return None

    def said(self, message: str) -> Reply:
        error = {
            "code": "invalid_parameter_error",
            "param": None,
            "message": message,
            "type": "invalid_request_error",
        }
        return Reply(status=400, body={"error": error, "id": "chatcmpl-1", "request_id": "1"})

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> Json:
        return super().chunk(delta, finish) | {"usage": None}

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for index, call in enumerate(calls):
            function = call["function"]
            begun = call | {"index": index, "function": function | {"arguments": ""}}
            yield Delta(delta={"content": None, "tool_calls": [begun]})
            for piece in [*pieces(function["arguments"]), ""]:
                part = {"index": index, "id": "", "type": "function"}
                yield Delta(delta={"tool_calls": [part | {"function": {"arguments": piece}}]})


class DashScopeLate(DashScope):
    """Refuses in the stream, under status 200."""

    name = "dashscope-late"
    model = "qwen-max"
    thought_in = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("max_tokens", 1) > 2_048:
            said = (
                "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 2048]"
            )
            refused = self.said(said)
            return events_reply([f"data: {json.dumps(refused.body)}\n\n"])
        return super().refusal(body, asked)


class MiniMax(Persona):
    """Refuses under status 200 and names nothing; thinks in its text."""

    name = "minimax"
    shows_thinking = True
    says_what = False
    faults = 1
    model = "MiniMax-M2"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "seed" in body:
            base = {
                "status_code": 2013,
                "status_msg": "invalid params, invalid chat setting (2013)",
            }
            return Reply(body={"id": "1", "choices": None, "usage": None, "base_resp": base})
        return None

    def message(self, said: Said) -> Json:
        message = super().message(said)
        message["content"] = f"<think>\n{said.thinking}\n</think>\n\n{said.text}"
        return message

    def usage(self, used: Used) -> Json:
        return super().usage(used) | {"total_characters": 0}

    def whole(self, said: Said, message: Json, used: Used) -> Json:
        base = {"status_code": 0, "status_msg": ""}
        return super().whole(said, message, used) | {"base_resp": base, "input_sensitive": False}


class DeepSeekOld(DeepSeek):
    """The same demand in the words of the version before, at its place."""

    name = "deepseek-v3.2"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            if message.get("tool_calls") and "reasoning_content" not in message:
                return bad(
                    "Missing `reasoning_content` field in the assistant message at message index "
                    f"{number}. For more information, please refer to "
                    "https://api-docs.deepseek.com/guides/thinking_mode#tool-calls",
                    code="invalid_request_error",
                )
        return None


class SiliconFlow(Kimi):
    """Moonshot's model in a form of its own."""

    name = "siliconflow"

    def said(self, message: str) -> Reply:
        return Reply(status=400, body={"code": 20015, "message": message, "data": None})


class NewApi(Kimi):
    """The same behind a relay that adds its own number."""

    name = "new-api"

    def said(self, message: str) -> Reply:
        error = {"type": "<nil>", "message": f"{message} (request id: 20251127131234567890)"}
        return Reply(status=400, body={"error": error, "type": "error"})
