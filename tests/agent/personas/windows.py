"""Refusals of prompts and answers that do not fit into a window."""

from __future__ import annotations

from typing import ClassVar

from tests.agent.answers import Json
from tests.agent.loopback import Asked, Reply
from tests.agent.personas.persona import Persona, bad, flat
from tests.agent.solver import Said


class Window(Persona):
    """A window that no list tells, and that prompt and answer share."""

    name = "window-vllm"
    model = "local"
    models = ()
    window: ClassVar[int] = 3_000

    def refusal(self, body: Json, asked: Asked) -> Reply | None:
        prompt = self.used(body, Said()).prompt
        wanted = int(body.get("max_tokens") or body.get("max_completion_tokens") or 16)
        return self.said(prompt, wanted) if prompt + wanted > self.window else None

    def said(self, prompt: int, wanted: int) -> Reply:
        return flat(
            f"'max_tokens' or 'max_completion_tokens' is too large: {wanted}. This model's maximum "
            f"context length is {self.window} tokens and your request has {prompt} input tokens "
            f"({wanted} > {self.window} - {prompt})."
        )


class WindowNew(Window):
    """As newer versions of vLLM say it, where the prompt's tokens are only a floor."""

    name = "window-vllm-new"

    def said(self, prompt: int, wanted: int) -> Reply:
        least = self.window - wanted + 1
        message = (
            f"This model's maximum context length is {self.window} tokens. However, you requested "
            f"{wanted} output tokens and your prompt contains at least {least} input tokens, for "
            f"a total of at least {self.window + 1} tokens. Please reduce the length of the input "
            "prompt or the number of requested output tokens. (parameter=input_tokens, "
            f"value={least})"
        )
        error = {"message": message, "type": "BadRequestError", "param": "input_tokens"}
        return Reply(status=400, body={"error": error | {"code": 400}})


class WindowOpenAI(Window):
    """As OpenAI and DeepSeek say it."""

    name = "window-openai"

    def said(self, prompt: int, wanted: int) -> Reply:
        return bad(
            f"This model's maximum context length is {self.window} tokens. However, you requested "
            f"{prompt + wanted} tokens ({prompt} in the messages, {wanted} in the completion). "
            "Please reduce the length of the messages or completion.",
            "messages",
            "context_length_exceeded",
        )


class WindowSglang(Window):
    """As SGLang says it."""

    name = "window-sglang"

    def said(self, prompt: int, wanted: int) -> Reply:
        return flat(
            f"Requested token count exceeds the model's maximum context length of {self.window} "
            f"tokens. You requested a total of {prompt + wanted} tokens: {prompt} tokens from the "
            f"input messages and {wanted} tokens for the completion. Please reduce the number of "
            "tokens in the input messages or the completion to fit within the limit."
        )


class WindowTgi(Window):
    """As text-generation-inference says it, under another name of the limit."""

    name = "window-tgi"

    def said(self, prompt: int, wanted: int) -> Reply:
        said = (
            f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {self.window}. "
            f"Given: {prompt} `inputs` tokens and {wanted} `max_new_tokens`"
        )
        return Reply(status=422, body={"error": said, "error_type": "validation"})


class WindowOpenRouter(Window):
    """As OpenRouter says it."""

    name = "window-openrouter"

    def said(self, prompt: int, wanted: int) -> Reply:
        said = (
            f"This endpoint's maximum context length is {self.window} tokens. However, you "
            f"requested about {prompt + wanted} tokens ({prompt} of text input, {wanted} in the "
            'output). Please reduce the length of either one, or use the "middle-out" transform '
            "to compress your prompt automatically."
        )
        return Reply(status=400, body={"error": {"message": said, "code": 400}})


class WindowClaude(Window):
    """As Anthropic and relays of it say it."""

    name = "window-claude"

    def said(self, prompt: int, wanted: int) -> Reply:
        return bad(
            f"input length and `max_tokens` exceed context limit: {prompt} + {wanted} > "
            f"{self.window}, decrease input length or `max_tokens` and try again"
        )


class WindowKimi(Window):
    """As Moonshot says it."""

    name = "window-kimi"

    def said(self, prompt: int, wanted: int) -> Reply:
        return bad(
            f"Invalid request: Your request exceeded model token limit: {self.window} (requested: "
            f"{prompt + wanted})"
        )
