"""Claude models, through the compatible API and through Anthropic's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.agent.answers import SIGNATURE, Json, Used, claude
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Delta, Persona
from tests.agent.solver import Said


class ClaudeBoth(Persona):
    """Anthropic's compatible endpoint for a model that takes one of two samplers."""

    name = "claude-both"
    takes_top_p = True
    model = "claude-opus-4-1"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "temperature" in body and "top_p" in body:
            return self.said(
                "`temperature` and `top_p` cannot both be specified for this model. Please use "
                "only one."
            )
        return None

    def said(self, message: str) -> Reply:
        kind = "invalid_request_error"
        error = {"code": kind, "message": message, "type": kind, "param": None}
        return Reply(status=400, body={"error": error})

    def usage(self, used: Used) -> Json:
        return super().usage(used) | {"prompt_tokens_details": None}

    def used(self, body: Json, said: Said) -> Used:
        return replace(super().used(body, said), cached=0)

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        """Number calls as the blocks that they are; the text was the first."""
        for one in super().call_deltas(calls):
            [part] = one.delta["tool_calls"]
            yield Delta(delta={"tool_calls": [part | {"index": part["index"] + 1}]})


class ClaudeDeprecated(ClaudeBoth):
    """The same for a model that takes neither, and says so one after the other."""

    name = "claude-deprecated"
    model = "claude-opus-4-7"
    takes_top_p = False
    refuses_setting = "temperature"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for name in ("temperature", "top_p"):
            if name in body:
                return self.said(f"`{name}` is deprecated for this model.")
        return None


class Claude(Persona):
    """Anthropic's own API: an effort, thinking with signatures, a cache written and read."""

    name = "claude"
    shows_thinking = True
    model = "claude-opus-4-7"
    sdk = "anthropic"
    effort = "low"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for name in ("temperature", "top_p"):
            if name in body:
                return self.said(f"`{name}` is deprecated for this model.")
        if body.get("thinking", {}).get("type") == "enabled":
            return self.said(
                '"thinking.type.enabled" is not supported for this model. Use '
                '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
            )
        return self._unlike(body)

    def _unlike(self, body: Json) -> Reply | None:
        if body.get("thinking", {}).get("type") not in {"adaptive", "enabled"}:
            return None
        for number, message in enumerate(body["messages"]):
            blocks = message["content"]
            uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
            first = blocks[0]
            if not any(one in self.thought for one in uses):
                continue
            if first["type"] != "thinking":
                return self.said(
                    f"messages.{number}.content.0.type: Expected `thinking` or "
                    f"`redacted_thinking`, but found `{first['type']}`. When `thinking` is "
                    "enabled, a final `assistant` message must start with a thinking block "
                    "(preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
                )
            if (first["thinking"], first["signature"]) != (self.thought[uses[0]], SIGNATURE):
                return self.said(
                    f"messages.{number}.content.0: Invalid `signature` in `thinking` block"
                )
        return None

    def said(self, message: str) -> Reply:
        error = {"type": "invalid_request_error", "message": message}
        return Reply(status=400, body={"type": "error", "error": error, "request_id": "req_1"})

    def used(self, body: Json, said: Said) -> Used:
        used = super().used(body, said)
        marks = json.dumps(body).count("cache_control")
        thinks = body.get("thinking", {}).get("type") in {"adaptive", "enabled"}
        return replace(
            used,
            cached=used.cached if marks else 0,
            written=used.prompt // 4 if marks else 0,
            thinking=used.thinking if thinks else 0,
        )

    def is_told(self, body: Json) -> bool:
        return True

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        return claude(body, said, used, self.calls(said))


class ClaudeBudget(Claude):
    """An older model of the same: thinking by a budget, and temperature 1 with it."""

    name = "claude-budget"
    model = "claude-of-old"
    refuses_setting = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        thinking = body.get("thinking", {})
        has_both = "temperature" in body and "top_p" in body
        faults = {
            "This model does not support the effort parameter.": "output_config" in body,
            "adaptive thinking is not supported on this model": (
                thinking.get("type") == "adaptive"
            ),
            "`temperature` may only be set to 1 when thinking is enabled. Please consult our "
            "documentation at https://docs.claude.com/en/docs/build-with-claude/"
            "extended-thinking#important-considerations-when-using-extended-thinking": (
                bool(thinking) and body.get("temperature", 1) != 1
            ),
            "`temperature` and `top_p` cannot both be specified for this model. Please use only "
            "one.": has_both,
            "`max_tokens` must be greater than `thinking.budget_tokens`.": (
                thinking.get("budget_tokens", 0) >= body["max_tokens"]
            ),
        }
        said = next((said for said, is_so in faults.items() if is_so), "")
        return self.said(said) if said else self._unlike(body)
