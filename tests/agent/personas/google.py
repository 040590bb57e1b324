"""Gemini's compatible API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.agent.answers import Json, Used
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Delta, Persona
from tests.agent.solver import Said


class Gemini(Persona):
    """Unknown names in a list; thinking only in the total; signatures that have to come back."""

    name = "gemini"
    turns = frozenset({"examples"})
    model = "gemini-3-flash"
    refuses_setting = "seed"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        unknown = [one for one in ("seed", "frequency_penalty") if one in body]
        if unknown:
            said = [
                f'Invalid JSON payload received. Unknown name "{one}": Cannot find field.'
                for one in unknown
            ]
            violations = [{"description": one} for one in said]
            details = [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": violations,
                }
            ]
            return self.said("\n".join(said), details=details)
        for number, message in enumerate(body["messages"]):
            for call in message.get("tool_calls", [])[:1]:
                google = call.get("extra_content", {}).get("google", {})
                if google.get("thought_signature") != f"sig-{call['id']}" and not self._is_first(
                    google, message
                ):
                    return self.said(
                        "Function call is missing a thought_signature in functionCall parts. This "
                        "is required for tools to work correctly, and missing thought_signature "
                        "may lead to degraded model performance. Additional data, function call "
                        f"`default_api:{call['function']['name']}` , position {number}. Please "
                        "refer to https://ai.google.dev/gemini-api/docs/thought-signatures for "
                        "more details."
                    )
        return None

    def _is_first(self, google: Json, message: Json) -> bool:
        return str(google.get("thought_signature", "")).startswith("sig-")

    def said(self, message: str, **more: Any) -> Reply:
        error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT", **more}
        return Reply(status=400, body=[{"error": error}])

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for call in made[:1]:
            call["extra_content"] = {"google": {"thought_signature": f"sig-{call['id']}"}}
        return [call | {"id": ""} for call in made]

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.answer,
            "total_tokens": used.prompt + used.output,
        }

    def used(self, body: Json, said: Said) -> Used:
        used = super().used(body, said)
        return Used(
            prompt=used.prompt,
            cached=0,
            written=0,
            answer=used.answer,
            thinking=used.thinking,
        )

    def finish(self, said: Said) -> str:
        return "stop"

    def call_deltas(self, calls: Sequence[Json]) -> Iterator[Delta]:
        for call in calls:
            yield Delta(delta={"tool_calls": [call | {"index": None}]})


class EmptyParameters(Gemini):
    """Takes no tool without parameters."""

    name = "empty-parameters"
    turns = frozenset({"examples"})

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, tool in enumerate(body.get("tools", ())):
            if not tool["function"].get("parameters", {}).get("properties", {"any": 1}):
                return self.said(
                    f"* GenerateContentRequest.tools[0].function_declarations[{number}].parameters."
                    "properties: should be non-empty for OBJECT type\n"
                )
        return super().refusal(body, asked)


class GeminiNames(Gemini):
    """Wants the name of the tool beside what came of it."""

    name = "gemini-names"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        for number, message in enumerate(body["messages"]):
            if message["role"] == "tool" and not message.get("name"):
                return self.said(
                    f"* GenerateContentRequest.contents[{number}].parts[0].function_response.name: "
                    "Name cannot be empty.\n"
                )
        return super().refusal(body, asked)
