"""Relays: OpenRouter and LiteLLM."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.agent.answers import SIGNATURE, Json, Used, events_reply, pieces
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.mistral import Mistral
from tests.agent.personas.persona import Delta, Persona
from tests.agent.solver import Said


class OpenRouter(Persona):
    """Comments before the answer; its usage after the end; details of thinking to send back."""

    name = "openrouter"
    model = "anthropic/claude-sonnet-4"
    tells_bill = True
    thought_in = "reasoning"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            for call in message.get("tool_calls", ()):
                thought = self.thought.get(call["id"])
                if thought and message.get("reasoning_details") != [self._detail(thought)]:
                    return self.wrapped(
                        "Anthropic",
                        {
                            "type": "error",
                            "error": {
                                "type": "invalid_request_error",
                                "message": (
                                    f"messages.{number}.content.0.type: Expected `thinking` or "
                                    "`redacted_thinking`, but found `tool_use`."
                                ),
                            },
                        },
                    )
        return None

    def wrapped(self, provider: str, body: Json) -> Reply:
        metadata = {"raw": json.dumps(body), "provider_name": provider}
        error = {"message": "Provider returned error", "code": 400, "metadata": metadata}
        return Reply(status=400, body={"error": error})

    def _detail(self, thought: str) -> Json:
        return {
            "type": "reasoning.text",
            "text": thought,
            "signature": SIGNATURE,
            "format": "anthropic-claude-v1",
            "index": 0,
        }

    def message(self, said: Said) -> Json:
        message = super().message(said)
        if said.thinking:
            message["reasoning_details"] = [self._detail(said.thinking)]
        return message

    def is_told(self, body: Json) -> bool:
        return True

    def usage(self, used: Used) -> Json:
        cost = self.bill(used)
        return super().usage(used) | {
            "cost": cost,
            "is_byok": False,
            "cost_details": {"upstream_inference_cost": cost},
        }

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        events = [self.event(chunk) for chunk in self.chunks(body, said, message, used)]
        waiting = [": OPENROUTER PROCESSING\n\n"] * 3
        return events_reply([*waiting, *events, "data: [DONE]\n\n"])

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield Delta(delta={"role": "assistant", "content": ""})
        for piece in pieces(said.thinking):
            detail = self._detail(piece) | {"signature": ""}
            yield Delta(delta={"content": "", "reasoning": piece, "reasoning_details": [detail]})
        if said.thinking:
            last = self._detail("")
            del last["text"]
            yield Delta(delta={"content": "", "reasoning": None, "reasoning_details": [last]})
        for piece in pieces(said.text):
            yield Delta(delta={"content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        yield self.chunk({"content": ""}, self.finish(said))
        after = self.chunk({"role": "assistant", "content": ""})
        yield after | {"usage": self.usage(used)}


class OpenRouterNoTools(OpenRouter):
    """No provider behind it takes tools for this model."""

    name = "openrouter-no-tools"
    model = "google/gemma-3-12b"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            said = (
                "No endpoints found that support tool use. To learn more about provider routing, "
                "visit: https://openrouter.ai/docs/guides/routing/provider-selection"
            )
            return Reply(status=404, body={"error": {"message": said, "code": 404}})
        return None


class OpenRouterBroken(OpenRouter):
    """Breaks its first answer off in the stream, and bills it."""

    name = "openrouter-broken"

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        if self.memory:
            return super().streamed(body, said, message, used)
        self.memory["broken"] = True
        chunks = [*self.chunks(body, said, message, used)]
        last = chunks[-1] | {"error": {"code": 502, "message": "Provider disconnected"}}
        events = [self.event(chunk) for chunk in [*chunks[:4], last]]
        return events_reply([*events, "data: [DONE]\n\n"])


class Hidden(OpenRouter):
    """A proxy before it that calls its first failure an end, and hides what it was."""

    name = "hidden-failure"
    tells_bill = False

    def is_told(self, body: Json) -> bool:
        return Persona.is_told(self, body)

    def usage(self, used: Used) -> Json:
        return Persona.usage(self, used)

    def streamed(self, body: Json, said: Said, message: Json, used: Used) -> Reply:
        if self.memory:
            return super().streamed(body, said, message, used)
        self.memory["broken"] = True
        begun = replace(said, text="It", calls=())
        chunks = [*self.chunks(body, begun, self.message(begun), used)]
        for chunk in chunks:
            for choice in chunk["choices"]:
                if choice["finish_reason"]:
                    error = {"code": 429, "message": "Provider returned error"}
                    hidden = {"native_finish_reason": "error", "error": error}
                    choice |= {"finish_reason": "stop", "provider_specific_fields": hidden}
        return events_reply([self.event(chunk) for chunk in chunks])


class OpenRouterWrapped(OpenRouter):
    """What the provider behind it says comes as a text in its own error."""

    name = "openrouter-wrapped"
    turns = frozenset({"strict_turns"})
    model = "mistralai/mistral-large"
    refuses_setting = "seed"
    thought_in = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        strict = Mistral()
        sent = {name: value for name, value in body.items() if name != "stream_options"}
        refused = strict.refusal(sent, asked)
        return self.wrapped("Mistral", refused.body) if refused else None

    def new_id(self, name: str, number: int) -> str:
        return f"AbCd{len(self.ids):05d}"

    def message(self, said: Said) -> Json:
        return Persona.message(self, said)

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        return Persona.deltas(self, said, message)


class LiteLLM(Persona):
    """Lists patterns of names; packs what is behind it into a text; prices in the stream."""

    name = "litellm"
    takes_top_p = True
    model = "anthropic/claude-opus-4-1"
    models = ({"id": "anthropic/*", "object": "model"}, {"id": "*", "object": "model"})
    tells_bill = True
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "seed" in body:
            return self.said(
                "litellm.UnsupportedParamsError: anthropic does not support parameters: ['seed'], "
                f"for model={self.model}. To drop these, set `litellm.drop_params=True` or for "
                "proxy:\n\n`litellm_settings:\n drop_params: true`\n. \n If you want to use these "
                "params dynamically send allowed_openai_params=['seed'] in your request."
            )
        if "temperature" in body and "top_p" in body:
            inner = {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": (
                        "`temperature` and `top_p` cannot both be specified for this model. "
                        "Please use only one."
                    ),
                },
            }
            return self.said(
                f"litellm.BadRequestError: AnthropicException - b'{json.dumps(inner)}'. Received "
                f"Model Group={self.model}\nAvailable Model Group Fallbacks=None"
            )
        return None

    def said(self, message: str) -> Reply:
        error = {"message": message, "type": None, "param": None, "code": "400"}
        return Reply(status=400, body={"error": error})

    def used(self, body: Json, said: Said) -> Used:
        used = super().used(body, said)
        return replace(used, written=used.prompt // 5)

    def usage(self, used: Used) -> Json:
        told = super().usage(used) | {
            "cache_creation_input_tokens": used.written,
            "cache_read_input_tokens": used.cached,
            "cost": self.bill(used),
        }
        told["prompt_tokens_details"]["cache_creation_tokens"] = used.written
        return told


class LiteLLMHeader(LiteLLM):
    """Tells a price in a header, where it does not stream; the model behind it does not."""

    name = "litellm-header"
    model = "bedrock/mistral-large"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            inner = {"message": "This model doesn't support streaming."}
            return self.said(
                f"litellm.BadRequestError: BedrockException - {json.dumps(inner)}. Received Model "
                f"Group={self.model}\nAvailable Model Group Fallbacks=None"
            )
        return super().refusal(body, asked)

    def usage(self, used: Used) -> Json:
        told = super().usage(used)
        del told["cost"]
        return told

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        plain = super().reply(body, said, used)
        headers = {
            "x-litellm-response-cost": str(self.bill(used)),
            "x-litellm-key-spend": "12.5",
            "x-litellm-response-cost-original": "99",
        }
        return replace(plain, headers={**plain.headers, **headers})


class Doubled(Persona):
    """Says what it thinks in two fields at once."""

    name = "doubled"
    thought_in = "reasoning_content"

    def message(self, said: Said) -> Json:
        return super().message(said) | {"reasoning": said.thinking}

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> Json:
        thought = delta.get("reasoning_content")
        return super().chunk({**delta, "reasoning": thought} if thought else delta, finish)


class LiteLLMThinks(LiteLLM):
    """Gives blocks of thinking with their signatures, and wants them back."""

    name = "litellm-thinks"
    thought_in = "reasoning_content"
    turns = frozenset({"examples"})

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            for call in message.get("tool_calls", ()):
                thought = self.thought.get(call["id"])
                if thought and message.get("thinking_blocks") != [self._block(thought)]:
                    said = (
                        "The model returned the following errors: "
                        f"messages.{number}.content.0.type: Expected `thinking` or "
                        "`redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a "
                        "final `assistant` message must start with a thinking block (preceeding "
                        "the lastmost set of `tool_use` and `tool_result` blocks)."
                    )
                    inner = json.dumps({"message": said})
                    return self.said(
                        f"litellm.BadRequestError: BedrockException - {inner}. Received Model "
                        f"Group={self.model}\nAvailable Model Group Fallbacks=None"
                    )
        return super().refusal(body, asked)

    def _block(self, thought: str) -> Json:
        return {"type": "thinking", "thinking": thought, "signature": SIGNATURE}

    def message(self, said: Said) -> Json:
        message = super().message(said)
        return message | (
            {"thinking_blocks": [self._block(said.thinking)]} if said.thinking else {}
        )

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        yield Delta(delta={"role": "assistant", "content": ""})
        for piece in pieces(said.thinking):
            block = {"type": "thinking", "thinking": piece, "signature": None}
            yield Delta(delta={"reasoning_content": piece, "thinking_blocks": [block]})
        if said.thinking:
            yield Delta(delta={"content": "", "thinking_blocks": [self._block("")]})
        for piece in pieces(said.text):
            yield Delta(delta={"content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))
