"""From the name of a model on the command line to a backend and its price.

`openai:gpt-...` and the like name a provider of `agent.presets`; `vllm:...` a model that ksolve
serves itself; `http://host:port/v1#name` an endpoint that is running; `scripted:FILE` the shipped
fake.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from agent.backend import Backend
from agent.endpoint.attempt import Timing
from agent.endpoint.retry import ATTEMPTS_BILLED
from agent.presets import PRESETS, AddressMissingError, base_url_of, is_known_to_think
from agent.price import UNKNOWN, Price, context_window_of, price_of
from agent.scripted import ScriptedBackend, script_from_file

ENDPOINT_KEY = "KSOLVE_API_KEY"
"""The environment variable whose key is sent to endpoints given by their address, if it is set."""

# Fields of an address that hold what must not be stored or printed.
_SECRETS = ("key", "token", "secret", "password", "sig", "credential")
_OTHER_FORMS = ("vllm:MODEL", "http://HOST:PORT/v1#MODEL", "scripted:FILE")


class ModelNameError(ValueError):
    """A model name means nothing, or what it needs is missing; the message is one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model ready to be asked."""

    name: str
    """As the user gave it."""
    backend: Backend
    price: Price


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptions:
    """What is said of a model beside its name."""

    price: Price | None = None
    """In place of what is listed."""
    in_flight: int | None = None
    """Requests under way at once; by default what suits the kind of model."""
    context_window: int | None = None
    """Tokens that prompt and answer may have together."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request; $NAME stands for a variable of the environment."""
    serve: Mapping[str, Any] = field(default_factory=dict)
    """Options of vLLM, for a model that is served here."""
    timing: Timing = field(default_factory=Timing)


_NO_OPTIONS = ModelOptions()


def resolve(
    spec: str,
    options: ModelOptions = _NO_OPTIONS,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> Model:
    """Build the backend that a model name stands for; nothing is asked or started yet.

    `progress` is told in words what a managed server is doing. Raises ModelNameError.
    """
    kind, _, rest = spec.partition(":")
    kind = kind.lower()
    known = {*PRESETS, "vllm", "http", "https", "scripted"}
    if kind not in known or not rest:
        forms = ", ".join([*(f"{name}:MODEL" for name in PRESETS), *_OTHER_FORMS])
        raise ModelNameError(f"The model {spec!r} is of no known form: use one of {forms}.")
    if options.serve and kind != "vllm":
        raise ModelNameError(
            f"The model {spec!r} is not served by ksolve, so it takes no --serve: name it as "
            "vllm:MODEL, or leave --serve out."
        )
    if kind == "scripted":
        return _scripted(spec, Path(rest), options)
    if kind in PRESETS:
        return _hosted(spec, options, progress)
    if options.price is not None and options.price.hour is not None:
        in_flight = options.in_flight or 32
        seconds = ATTEMPTS_BILLED * options.timing.idle / in_flight * _gpus(options)
        price = dataclasses.replace(options.price, request_seconds=seconds)
        options = dataclasses.replace(options, price=price)
    if kind == "vllm":
        from agent.local.vllm import ManagedVllm

        served = ManagedVllm(
            name=spec,
            model=rest,
            in_flight=options.in_flight or 32,
            serve=options.serve,
            progress=progress,
        )
        return Model(name=spec, backend=served, price=options.price or UNKNOWN)
    return _running(spec, options)


def _gpus(options: ModelOptions) -> int:
    """Return how many accelerators a model takes, each of which costs its hours."""
    if not options.serve:
        return 1
    from agent.local.serving import gpus_needed

    return gpus_needed(options.serve)


def _hosted(spec: str, options: ModelOptions, progress: Callable[[str], None]) -> Model:
    provider, _, model = spec.partition(":")
    preset = PRESETS[provider]
    key = os.environ.get(preset.key_variable, "").strip()
    if preset.needs_key and not key:
        raise ModelNameError(
            f"The model {spec!r} needs an API key: put it into the environment variable "
            f"{preset.key_variable}."
        )
    if preset.needs_key and options.price is not None and options.price.hour is not None:
        raise ModelNameError(
            f"The model {spec!r} is billed by the token: give its price as in=...,out=... ."
        )
    try:
        base_url = base_url_of(provider)
    except AddressMissingError as error:
        raise ModelNameError(
            f"The model {spec!r} needs an address: put it into the environment variable "
            f"{error.variable}."
        ) from None
    listed = preset.price_list or provider
    price = options.price or price_of(listed, model, options.context_window or 0)
    shared: dict[str, Any] = {
        "name": spec,
        "model": model,
        "api_key": key or None,
        "key_variable": preset.key_variable,
        "headers": _expanded(spec, options.headers),
        "in_flight": options.in_flight or 16,
        "context_window": options.context_window or context_window_of(listed, model),
        "thinks": is_known_to_think(model),
        "profile": preset.profile,
        "price": price,
        "timing": options.timing,
    }
    if provider == "anthropic" and importlib.util.find_spec("anthropic"):
        from agent.endpoint.anthropic import AnthropicBackend

        return Model(name=spec, backend=AnthropicBackend(base_url=base_url, **shared), price=price)
    from agent.endpoint.openai import OpenAIBackend

    if provider == "anthropic":
        # Its compatibility layer, which has no cached prompts and no thinking.
        base_url = base_url.rstrip("/").removesuffix("/v1") + "/v1"
        progress(f"{spec}: `pip install 'ksolve[anthropic]'` makes it cheaper by cached prompts")
    backend = OpenAIBackend(base_url=base_url, accelerator=not preset.needs_key, **shared)
    return Model(name=spec, backend=backend, price=price)


def _running(spec: str, options: ModelOptions) -> Model:
    from agent.endpoint.openai import OpenAIBackend

    url, _, model = spec.partition("#")
    try:
        address = urlsplit(url)
    except ValueError:
        address = urlsplit("")
    if not address.hostname or not model:
        raise ModelNameError(
            f"The model {spec!r} is not complete: write address and model, such as "
            "http://localhost:8000/v1#Qwen2.5-Coder-7B; `ksolve models ADDRESS` lists the models."
        )
    # The name of a model is stored with its samples and printed.
    secret = next(
        (n for n, _ in parse_qsl(address.query) if any(word in n.lower() for word in _SECRETS)), ""
    )
    if address.username or secret:
        raise ModelNameError(
            f"The address of the model at {address.hostname} holds a key: put it into the "
            f"environment variable {ENDPOINT_KEY}, or into a --header."
        )
    price = options.price or price_of(url, model, options.context_window or 0)
    backend = OpenAIBackend(
        name=spec,
        model=model,
        base_url=url,
        api_key=os.environ.get(ENDPOINT_KEY, "").strip() or None,
        key_variable=ENDPOINT_KEY,
        headers=_expanded(spec, options.headers),
        in_flight=options.in_flight or 32,
        context_window=options.context_window or context_window_of(url, model),
        thinks=is_known_to_think(model),
        # What nobody bills by the token is the user's own server.
        accelerator=price.input is None,
        price=price,
        timing=options.timing,
    )
    return Model(name=spec, backend=backend, price=price)


def _expanded(spec: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Put variables of the environment into headers. Raises ModelNameError for one not set."""
    expanded = {}
    for name, value in headers.items():
        expanded[name] = text = os.path.expandvars(value)
        if text == value and value.startswith("$"):
            raise ModelNameError(
                f"The header {name} of {spec!r} needs the environment variable {value[1:]}: set it."
            )
    return expanded


def _scripted(spec: str, path: Path, options: ModelOptions) -> Model:
    try:
        script = script_from_file(path)
    except OSError as error:
        raise ModelNameError(f"The answers of {spec!r} cannot be read: {error}.") from error
    except ValueError as error:
        raise ModelNameError(str(error)) from error
    return Model(
        name=spec,
        backend=ScriptedBackend(script, name=spec, in_flight=options.in_flight or 8),
        price=options.price or UNKNOWN,
    )
