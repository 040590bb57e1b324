"""OpenAI's models, on its own API, on Azure and behind relays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.agent.answers import Json, Used
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Persona, bad, only_default, unsupported
from tests.agent.solver import Said


class Gpt5(Persona):
    """A reasoning model of OpenAI's: typed refusals, one a time; thinking is not shown."""

    name = "gpt-5"
    model = "gpt-5-mini"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        return gpt5(body)


def gpt5(body: Json) -> Reply | None:
    if "max_tokens" in body:
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    if body.get("temperature", 1) != 1:
        return only_default("temperature", body["temperature"], 1)
    if "top_p" in body:
        return unsupported("top_p")
    return None


class O1Mini(Gpt5):
    """An early reasoning model: no system message, no stream, no tools."""

    name = "o1-mini"
    model = "o1-mini"
    takes_tools = False

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            return only_default("stream", True, False)
        for number, message in enumerate(body["messages"]):
            if message["role"] in {"system", "developer"}:
                place = f"messages[{number}].role"
                said = (
                    f"Unsupported value: '{place}' does not support '{message['role']}' with this "
                    "model."
                )
                return bad(said, place, "unsupported_value")
        if "tools" in body:
            return unsupported("tools")
        return super().refusal(body, asked)


class Unverified(Gpt5):
    """The same for an organisation that has not shown who it is: no stream."""

    name = "unverified"
    model = "o3"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("stream"):
            said = (
                "Your organization must be verified to stream this model. Please go to: "
                "https://platform.openai.com/settings/organization/general and click on Verify "
                "Organization. If you just verified, it can take up to 15 minutes for access to "
                "propagate."
            )
            return bad(said, "stream", "unsupported_value")
        return super().refusal(body, asked)


class ResponsesOnly(Persona):
    """A model that is only on the Responses API."""

    name = "responses-only"
    shows_thinking = True
    model = "gpt-5-codex"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if asked.page.endswith("/chat/completions"):
            said = "This model is only supported in v1/responses and not in v1/chat/completions."
            return bad(said, "model", status=404)
        for name in ("temperature", "top_p"):
            if name in body:
                return unsupported(name)
        for name in ("seed", "stream_options", "messages", "max_tokens", "reasoning_effort"):
            if name in body:
                return bad(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        return self._unlike(body["input"])

    def _unlike(self, items: Sequence[Json]) -> Reply | None:
        """Refuse calls of its own that come without the reasoning which came with them."""
        before: Json = {}
        for item in items:
            kind = item.get("type", "message")
            if kind == "reasoning" and item.get("encrypted_content") != "gAAAA":
                said = (
                    f"Item with id '{item.get('id')}' not found. Items are not persisted when "
                    "`store` is set to false."
                )
                return bad(said, "input", status=404)
            lone = before.get("role") == "user" or before.get("type") == "function_call_output"
            if kind == "function_call" and item["call_id"] in self.thought and lone:
                said = (
                    "Item 'fc_1' of type 'function_call' was provided without its required "
                    "'reasoning' item: 'rs_1'."
                )
                return bad(said, "input")
            before = item
        return None


class ToolsOnResponses(ResponsesOnly):
    """A model that chats, but takes tools on the Responses API only."""

    name = "tools-on-responses"
    shows_thinking = False
    model = "gpt-5.4"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if not asked.page.endswith("/chat/completions"):
            return super().refusal(body, asked)
        if "tools" in body:
            said = (
                "Function tools with reasoning_effort are not supported for gpt-5.4 in "
                "/v1/chat/completions. Please use /v1/responses instead."
            )
            return bad(said, "reasoning_effort")
        return gpt5(body)


class Copilot(Persona):
    """A relay without any error object."""

    name = "copilot"
    model = "gpt-5.1"
    refuses_setting = "top_p"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for name in ("temperature", "top_p", "seed", "max_tokens"):
            if name in body:
                return Reply(status=400, body={"detail": f"Unsupported parameter: {name}"})
        return None


class Azure(Gpt5):
    """An old version of the API: part of the address, without usage in streams."""

    name = "azure"
    model = "gpt-4o"
    query = "?api-version=2024-06-01"
    refuses_setting = ""

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "api-version=2024-06-01" not in asked.path:
            error = {"code": "404", "message": "Resource not found"}
            return Reply(status=404, body={"error": error})
        if "stream_options" in body:
            said = (
                "Unrecognized request argument supplied: stream_options. Please contact us through "
                "an Azure support request at: https://go.microsoft.com/fwlink/?linkid=2213926 for "
                "further questions."
            )
            return bad(said)
        return None

    def chunks(self, body: Json, said: Said, message: Json, used: Used) -> Iterator[Json]:
        yield {"choices": [], "id": "", "object": "", "prompt_filter_results": [{}]}
        yield from super().chunks(body, said, message, used)


class Busy(Gpt5):
    """Has too much to do just when it would take a request."""

    name = "busy"
    faults = 1

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        refused = super().refusal(body, asked)
        if refused or self.memory:
            return refused
        self.memory["busy"] = True
        return bad("Rate limit reached for gpt-5-mini.", code="rate_limit_exceeded", status=429)


class ResponsesRelay(ResponsesOnly):
    """A relay of it: new ids in every event, and a mark at the end."""

    name = "responses-relay"

    def reply(self, body: Json, said: Said, used: Used) -> Reply:
        plain = super().reply(body, said, used)
        events = [
            re.sub(rb'"id": "(rs|fc|msg)_[^"]*"', b'"id": "%d"' % number, piece)
            for number, piece in enumerate(plain.pieces)
        ]
        return replace(plain, pieces=[*events, b"data: [DONE]\n\n"] if events else ())
