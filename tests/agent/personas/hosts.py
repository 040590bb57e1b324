"""Hosts of models of many families."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from tests.agent.answers import SIGNATURE, Json, Used, pieces
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Delta, Persona, bad
from tests.agent.solver import Said


class Xai(Persona):
    """An error that is a text; thinking beside the completion; a bill in ticks."""

    name = "xai"
    model = "grok-4"
    tells_bill = True
    refuses_setting = "reasoning_effort"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        code = "Client specified an invalid argument"
        if "seed" in body:
            said = "Argument not supported on this model: seed"
            return Reply(status=400, body={"code": code, "error": said})
        if "top_p" in body:
            said = "Argument not supported on this model: topP"
            return Reply(status=400, body={"code": code, "error": said})
        if "reasoning_effort" in body:
            said = "Model grok-4 does not support parameter reasoningEffort."
            return Reply(status=400, body={"code": "invalid-argument", "error": said})
        return None

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.answer,
            "total_tokens": used.prompt + used.output,
            "prompt_tokens_details": {"text_tokens": used.prompt, "cached_tokens": used.cached},
            "completion_tokens_details": {"reasoning_tokens": used.thinking},
            "num_sources_used": 0,
            "cost_in_usd_ticks": round(self.bill(used) * 1e10),
        }


class Groq(Persona):
    """Thinks in a field that it refuses back; names of tools with marks on them."""

    name = "groq"
    turns = frozenset({"thinking_back"})
    model = "openai/gpt-oss-120b"
    thought_in = "reasoning"
    refuses_setting = "reasoning_effort"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "reasoning_effort" in body:
            return self.said("`reasoning_effort` is not supported with this model")
        for number, message in enumerate(body["messages"]):
            for key in set(message) - {"role", "content", "tool_calls", "tool_call_id", "name"}:
                place = f"'messages.{number}'"
                return self.said(
                    f"{place} : for 'role:assistant' the following must be satisfied[({place} : "
                    f"property '{key}' is unsupported)]"
                )
        return None

    def said(self, message: str, **more: Any) -> Reply:
        error = {"message": message, "type": "invalid_request_error", **more}
        return Reply(status=400, body={"error": error})

    def calls(self, said: Said) -> list[Json]:
        made = super().calls(said)
        for call in made:
            call["function"]["name"] += "<|channel|>commentary"
        return made

    def message(self, said: Said) -> Json:
        message = super().message(said)
        return (
            message if message["content"] else {k: v for k, v in message.items() if k != "content"}
        )

    def is_told(self, body: Json) -> bool:
        return True

    def last_chunks(self, body: Json, said: Said, used: Used) -> Iterator[Json]:
        last = self.chunk({}, self.finish(said))
        yield last | {"x_groq": {"id": "req_1", "usage": self.usage(used) | {"total_time": 0.5}}}


class GroqFailed(Groq):
    """Fails once to read a call of its model's: no refusal, and worth another try."""

    name = "groq-failed"
    faults = 1

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if refused := super().refusal(body, asked):
            return refused
        if "tools" in body and not self.memory:
            self.memory["failed"] = True
            # The model has written something.
            self.book(body, self.used(body, Said()))
            self.books.untold += 1
            said = "Failed to call a function. Please adjust your prompt."
            return self.said(said, code="tool_use_failed", failed_generation="<tool>{")
        return None


class Cerebras(Persona):
    """Its error stands alone and names all fields at once."""

    name = "cerebras"
    turns = frozenset({"thinking_back"})
    model = "gpt-oss-120b"
    thought_in = "reasoning"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        places = [f"body.{one}" for one in ("seed", "top_p") if one in body]
        for number, message in enumerate(body["messages"]):
            if "reasoning" in message:
                places.append(f"messages.{number}.assistant.reasoning")
        if not places:
            return None
        said = "\n".join(f"{one}: property '{one}' is unsupported" for one in places)
        error = {"message": said, "type": "invalid_request_error", "param": "validation_error"}
        return Reply(status=400, body=error | {"code": "wrong_api_format"})


class Fireworks(Persona):
    """Counts its faults, and takes long answers only in streams."""

    name = "fireworks"
    model = "accounts/fireworks/models/qwen3-coder"
    refuses_setting = "seed"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        extra = [one for one in ("seed", "stream_options") if one in body]
        if extra:
            faults = [
                f"Extra inputs are not permitted, field: '{one}', value: {body[one]}"
                for one in extra
            ]
            count = (
                "1 request validation error" if len(faults) == 1 else "2 request validation errors"
            )
            said = f"{count}: {'; '.join(faults)}"
            kind = "invalid_request_error"
            error = {"object": "error", "type": kind, "code": kind, "message": said}
            return Reply(status=400, body={"error": error})
        if body.get("max_tokens", 0) > 4_096 and not body.get("stream"):
            said = "Requests with max_tokens > 4096 must have stream=true"
            return bad(said, "max_tokens", "BAD_REQUEST", kind="error")
        return None

    def is_told(self, body: Json) -> bool:
        return True


class Bedrock(Persona):
    """Says in words what it refuses, and nothing else."""

    name = "bedrock"
    model = "openai.gpt-oss-20b-1:0"

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if body.get("max_tokens", 1) > 2_048:
            return self.said(
                "The maximum tokens you requested exceeds the model limit of 2048. Try again with "
                "a maximum tokens value that is lower than 2048."
            )
        if any(message["role"] == "system" for message in body["messages"]):
            return self.said(
                "This model doesn't support system messages. Try again without a system message "
                "or use a model that supports system messages."
            )
        if "tools" in body and body.get("stream"):
            return self.said("This model doesn't support tool use in streaming mode.")
        return None

    def said(self, message: str) -> Reply:
        return Reply(status=400, body={"message": message})


class Databricks(Persona):
    """Refuses in words; thinks in parts of its content."""

    name = "databricks"
    shows_thinking = True
    model = "databricks-claude-opus"
    refuses_setting = "temperature"

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "stream_options" in body:
            return self.said("extraneous key [stream_options] is not permitted")
        if "temperature" in body:
            return self.said(f"Model {self.model} does not support the temperature parameter.")
        return None

    def said(self, message: str) -> Reply:
        return Reply(status=400, body={"error_code": "BAD_REQUEST", "message": message})

    def is_told(self, body: Json) -> bool:
        return True

    def message(self, said: Said) -> Json:
        summary = [{"type": "summary_text", "text": said.thinking, "signature": SIGNATURE}]
        parts: list[Json] = [{"type": "reasoning", "summary": summary}]
        text = [{"type": "text", "text": said.text}] if said.text else []
        return super().message(said) | {"content": parts + text}

    def deltas(self, said: Said, message: Json) -> Iterator[Delta]:
        for piece in pieces(said.thinking):
            summary = [{"type": "summary_text", "text": piece, "signature": ""}]
            part = {"type": "reasoning", "summary": summary}
            yield Delta(delta={"role": "assistant", "content": [part]})
        for piece in pieces(said.text):
            yield Delta(delta={"role": "assistant", "content": piece})
        yield from self.call_deltas(message.get("tool_calls", []))


class Perplexity(Persona):
    """Tells its usage in every chunk, its price as an object, and its message twice."""

    name = "perplexity"
    shows_thinking = True
    model = "sonar-reasoning"
    tells_bill = True
    takes_tools = False

    @property
    def thinks(self) -> bool:
        return True

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        if "tools" in body:
            return self.said("Tool calling is not supported for this model")
        roles = [one["role"] for one in body["messages"] if one["role"] != "system"]
        if any(one == other for one, other in pairwise(roles)):
            return self.said(
                "After the (optional) system message(s), user and assistant roles should be "
                "alternating."
            )
        return None

    def said(self, message: str) -> Reply:
        error = {"message": message, "type": "invalid_message", "code": 400}
        return Reply(status=400, body={"error": error})

    def message(self, said: Said) -> Json:
        return {"role": "assistant", "content": f"<think>\n{said.thinking}</think>{said.text}"}

    def usage(self, used: Used) -> Json:
        return {
            "prompt_tokens": used.prompt,
            "completion_tokens": used.output,
            "total_tokens": used.prompt + used.output,
            "search_context_size": "low",
            "cost": {"request_cost": 0.0, "total_cost": self.bill(used)},
        }

    def used(self, body: Json, said: Said) -> Used:
        return replace(super().used(body, said), cached=0)

    def is_told(self, body: Json) -> bool:
        return True

    def chunks(self, body: Json, said: Said, message: Json, used: Used) -> Iterator[Json]:
        text = message["content"]
        parts = pieces(text)
        for number, piece in enumerate(parts):
            share = replace(used, answer=min(number + 1, used.answer), thinking=0)
            yield self.chunk({"content": piece}) | {"usage": self.usage(share)}
        last = self.chunk({"role": "assistant", "content": ""}, "stop")
        last["choices"][0]["message"] = message
        yield last | {"object": "chat.completion.done", "usage": self.usage(used)}
