"""From the name of a model on the command line to a backend and its price.

`openai:gpt-...` and the like name a provider of `PRESETS`; `vllm:...` a model that ksolve serves
itself; `http://host:port/v1#name` an endpoint that is running; `scripted:FILE` the shipped fake.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agent.backend import Backend
from agent.endpoint.request import COMMON, Dialect
from agent.endpoint.retry import ATTEMPTS_BILLED
from agent.price import UNKNOWN, Price, context_window_of, price_of
from agent.scripted import ScriptedBackend, script_from_file

ENDPOINT_KEY = "KSOLVE_API_KEY"
"""The environment variable whose key is sent to endpoints given by their address, if it is set."""

PATIENCE = 300.0
"""Seconds for which a request of a sweep is sent again where the endpoint is in trouble."""


class ModelNameError(ValueError):
    """A model name means nothing, or what it needs is missing; the message is one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model ready to be asked."""

    name: str
    # As the user gave it.
    backend: Backend
    price: Price


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A provider: where it answers, which variable holds its key, and how it departs."""

    base_url: str
    key_variable: str
    example: str
    url_variable: str = ""
    # A variable that may hold another address.
    dialect: Dialect = COMMON


PRESETS: Mapping[str, Preset] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        example="openai:gpt-4o-mini",
        url_variable="OPENAI_BASE_URL",
        # Its newer models refuse `max_tokens`.
        dialect=Dialect(limit_field="max_completion_tokens"),
    ),
    "deepseek": Preset(
        base_url="https://api.deepseek.com/v1",
        key_variable="DEEPSEEK_API_KEY",
        example="deepseek:deepseek-v4-flash",
        dialect=Dialect(seed=False),
    ),
    "openrouter": Preset(
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        example="openrouter:qwen/qwen3-coder",
    ),
    "anthropic": Preset(
        base_url="https://api.anthropic.com/v1",
        key_variable="ANTHROPIC_API_KEY",
        example="anthropic:claude-haiku-4-5",
        # It ignores seeds, and lowers a temperature above 1 without a word.
        dialect=Dialect(seed=False, highest_temperature=1.0),
    ),
    "together": Preset(
        base_url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        example="together:openai/gpt-oss-120b",
    ),
}
"""Providers by the word before the colon, which is also their id in genai-prices."""

_OTHER_FORMS = ("vllm:MODEL", "http://HOST:PORT/v1#MODEL", "scripted:FILE")


def known_presets() -> Mapping[str, Preset]:
    """Return the providers that a model name may begin with."""
    return PRESETS


def resolve(
    spec: str,
    *,
    price: Price | None = None,
    in_flight: int | None = None,
    request_timeout: float = 600.0,
    patience: float = PATIENCE,
    progress: Callable[[str], None] = lambda _: None,
) -> Model:
    """Build the backend that a model name stands for; nothing is asked or started yet.

    `price` overrides what is listed. `in_flight` defaults to what suits the kind of model.
    `request_timeout` is seconds for one attempt of a request, `patience` those after its first
    failure within which it may be sent again. `progress` is told in words what a managed server is
    doing. Raises ModelNameError.
    """
    kind, _, rest = spec.partition(":")
    known = {*PRESETS, "vllm", "http", "https", "scripted"}
    if kind not in known or not rest:
        forms = ", ".join([*(f"{name}:MODEL" for name in PRESETS), *_OTHER_FORMS])
        raise ModelNameError(f"The model {spec!r} is of no known form: use one of {forms}.")
    if kind == "scripted":
        return _scripted(spec, Path(rest), price or UNKNOWN, in_flight or 8)
    if kind in PRESETS:
        return _hosted(spec, price, in_flight or 16, request_timeout, patience)
    in_flight = in_flight or 32
    if price is not None and price.hour is not None:
        seconds = ATTEMPTS_BILLED * request_timeout / in_flight
        price = dataclasses.replace(price, request_seconds=seconds)
    if kind == "vllm":
        from agent.local.vllm import ManagedVllm

        served = ManagedVllm(name=spec, model=rest, in_flight=in_flight, progress=progress)
        return Model(name=spec, backend=served, price=price or UNKNOWN)
    return _running(spec, price, in_flight, request_timeout, patience)


def _hosted(
    spec: str, price: Price | None, in_flight: int, request_timeout: float, patience: float
) -> Model:
    from agent.endpoint.openai import OpenAIBackend

    provider, _, model = spec.partition(":")
    preset = PRESETS[provider]
    key = os.environ.get(preset.key_variable, "").strip()
    if not key:
        raise ModelNameError(
            f"The model {spec!r} needs an API key: put it into the environment variable "
            f"{preset.key_variable}."
        )
    if price is not None and price.hour is not None:
        raise ModelNameError(
            f"The model {spec!r} is billed by the token: give its price as in=...,out=... ."
        )
    base_url = os.environ.get(preset.url_variable, "") if preset.url_variable else ""
    backend = OpenAIBackend(
        name=spec,
        model=model,
        base_url=base_url or preset.base_url,
        api_key=key,
        key_variable=preset.key_variable,
        in_flight=in_flight,
        context_window=context_window_of(provider, model),
        dialect=preset.dialect,
        request_timeout=request_timeout,
        patience=patience,
    )
    return Model(name=spec, backend=backend, price=price or price_of(provider, model))


def _running(
    spec: str, price: Price | None, in_flight: int, request_timeout: float, patience: float
) -> Model:
    from agent.endpoint.openai import OpenAIBackend

    url, _, model = spec.partition("#")
    try:
        address = urlsplit(url)
    except ValueError:
        address = urlsplit("")
    if not address.hostname or not model:
        raise ModelNameError(
            f"The model {spec!r} is not complete: write address and model, such as "
            "http://localhost:8000/v1#Qwen2.5-Coder-7B."
        )
    if address.username or address.query:
        # The name of a model is stored with its samples and printed.
        raise ModelNameError(
            f"The address of the model at {address.hostname} holds more than host and path: "
            f"put its key into the environment variable {ENDPOINT_KEY}."
        )
    price = price or price_of(url, model)
    backend = OpenAIBackend(
        name=spec,
        model=model,
        base_url=url,
        api_key=os.environ.get(ENDPOINT_KEY, "").strip() or None,
        key_variable=ENDPOINT_KEY,
        in_flight=in_flight,
        # What nobody bills by the token is the user's own server.
        accelerator=price.input is None,
        request_timeout=request_timeout,
        patience=patience,
    )
    return Model(name=spec, backend=backend, price=price)


def _scripted(spec: str, path: Path, price: Price, in_flight: int) -> Model:
    try:
        script = script_from_file(path)
    except OSError as error:
        raise ModelNameError(f"The answers of {spec!r} cannot be read: {error}.") from error
    except ValueError as error:
        raise ModelNameError(str(error)) from error
    return Model(
        name=spec, backend=ScriptedBackend(script, name=spec, in_flight=in_flight), price=price
    )
