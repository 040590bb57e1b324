"""Providers by the word before the colon of a model's name: where they answer, and with which key.

How a provider departs from the common form of a request is learnt from it; here stands only what
no refusal teaches, since it would be taken and not heeded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.endpoint.profile import ModelProfile


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A provider."""

    base_url: str
    """Where it answers; {VARIABLE} stands for a variable of the environment."""
    key_variable: str
    example: str
    """A model's name."""
    price_list: str = ""
    """Its id in genai-prices, where that is not the word before the colon."""
    needs_key: bool = True
    profile: ModelProfile = field(default_factory=ModelProfile)
    note: str = ""


_IGNORES_SEED = {"seed": "it ignores seeds"}

PRESETS: Mapping[str, Preset] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        example="openai:gpt-4o-mini",
        profile=ModelProfile(limit_field="max_completion_tokens"),
    ),
    "anthropic": Preset(
        base_url="https://api.anthropic.com",
        key_variable="ANTHROPIC_API_KEY",
        example="anthropic:claude-haiku-4-5",
        # It lowers a temperature above 1 without a word.
        profile=ModelProfile(left_out=_IGNORES_SEED, highest_temperature=1.0),
    ),
    "gemini": Preset(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variable="GEMINI_API_KEY",
        example="gemini:gemini-2.5-flash",
        price_list="google",
    ),
    "mistral": Preset(
        base_url="https://api.mistral.ai/v1",
        key_variable="MISTRAL_API_KEY",
        example="mistral:mistral-large-latest",
    ),
    "xai": Preset(
        base_url="https://api.x.ai/v1",
        key_variable="XAI_API_KEY",
        example="xai:grok-4",
        price_list="x-ai",
    ),
    "deepseek": Preset(
        base_url="https://api.deepseek.com/v1",
        key_variable="DEEPSEEK_API_KEY",
        example="deepseek:deepseek-v4-flash",
        profile=ModelProfile(left_out=_IGNORES_SEED),
    ),
    "groq": Preset(
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        example="groq:openai/gpt-oss-120b",
    ),
    "cerebras": Preset(
        base_url="https://api.cerebras.ai/v1",
        key_variable="CEREBRAS_API_KEY",
        example="cerebras:gpt-oss-120b",
    ),
    "fireworks": Preset(
        base_url="https://api.fireworks.ai/inference/v1",
        key_variable="FIREWORKS_API_KEY",
        example="fireworks:accounts/fireworks/models/gpt-oss-120b",
    ),
    "together": Preset(
        base_url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        example="together:openai/gpt-oss-120b",
    ),
    "openrouter": Preset(
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        example="openrouter:qwen/qwen3-coder",
    ),
    "azure": Preset(
        base_url="{AZURE_OPENAI_ENDPOINT}/openai/v1",
        key_variable="AZURE_OPENAI_API_KEY",
        example="azure:gpt-5-mini",
        profile=ModelProfile(limit_field="max_completion_tokens"),
        note="a deployment of your own resource",
    ),
    "bedrock": Preset(
        base_url="https://bedrock-runtime.{AWS_REGION}.amazonaws.com/openai/v1",
        key_variable="AWS_BEARER_TOKEN_BEDROCK",
        example="bedrock:openai.gpt-oss-120b-1:0",
        price_list="aws",
    ),
    "ollama": Preset(
        base_url="http://127.0.0.1:11434/v1",
        key_variable="OLLAMA_API_KEY",
        example="ollama:qwen3-coder",
        needs_key=False,
        note="your own server",
    ),
}
"""By the word before the colon."""

_VARIABLE = re.compile(r"\{(\w+)\}")

# Families that think before they answer. Any other model is found out by its first answer; for
# these, that would cost an answer that is cut off, which is real money and minutes.
_THINKS = re.compile(
    r"(?<![a-z0-9])(?:o[1-9]\b|gpt-(?:[5-9]|oss)|gemini-(?:2\.5|[3-9])|grok-(?:3-mini|[4-9])"
    r"|deepseek-(?:r\d|v[4-9])|kimi-k[3-9]|glm-(?:4\.[5-9]|4p[5-9]|[5-9])|minimax-m\d"
    r"|qwq|magistral)|think|reason",
    re.IGNORECASE,
)


class AddressMissingError(ValueError):
    """A variable of the environment that is part of a provider's address is not set."""

    def __init__(self, variable: str) -> None:
        super().__init__(variable)
        self.variable = variable


def base_url_of(provider: str) -> str:
    """Return where a provider answers: PROVIDER_BASE_URL wins. Raises AddressMissingError."""
    other = os.environ.get(f"{provider.upper()}_BASE_URL", "").strip()
    if other:
        return other
    url = PRESETS[provider].base_url
    for variable in _VARIABLE.findall(url):
        value = os.environ.get(variable, "").strip().rstrip("/")
        if not value:
            raise AddressMissingError(variable)
        url = url.replace(f"{{{variable}}}", value.removesuffix("/openai/v1"))
    return url


def is_known_to_think(model: str) -> bool:
    """Whether a model is of a family that thinks before it answers."""
    return _THINKS.search(model) is not None
