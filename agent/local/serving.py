"""How a model is served: options of vLLM's server, given by the user and checked before it starts.

Serving options are a mapping of vLLM's own names, with underscores, to values of JSON: on the
command line NAME=VALUE, in sweep.toml a table. They are part of what a solver is. None leaves an
option to vLLM. What ksolve itself has to hold, such as the address, cannot be given.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.local.cache import cache_root
from agent.local.server_env import ServerProgram

_CHECK = Path(__file__).with_name("serving_check.py")
_CHECK_PATIENCE = 300.0
"""Seconds within which vLLM's parser has to answer; its import takes some 15 on two cores."""

_NAME = re.compile(r"[a-zA-Z]\w*")
_PART = re.compile(r"[\w-]+")
_PARALLEL = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "prefill_context_parallel_size",
    "data_parallel_size",
)
"""Options whose product is the number of GPUs that a server takes."""

_HELD = {
    **dict.fromkeys(
        ("host", "port", "uds", "root_path", "grpc", "grpc_port", "headless"),
        "ksolve decides where its servers answer",
    ),
    "api_key": "ksolve makes a new key for every server",
    **dict.fromkeys(("model", "model_tag", "served_model_name"), "the model is named by --model"),
    "config": "give the options of that file one by one, so that the run keeps them",
    "hf_token": "put it into the environment variable HF_TOKEN, so that no run keeps it",
    "device_ids": "ksolve chooses among the GPUs that CUDA_VISIBLE_DEVICES leaves it",
    "enable_prompt_tokens_details": "ksolve needs it to count cached tokens",
}
"""Options that are not the user's to give, each with the reason."""

_WEB_SERVER = re.compile(r"(^|_)(ssl|uvicorn)_")


class ServeOptionError(ValueError):
    """A serving option means nothing, or cannot be given; the message is one sentence."""


def parse_serve(texts: Sequence[str]) -> dict[str, Any]:
    """Serving options from texts such as `max_model_len=8192` or `speculative_config.method=ngram`.

    A value is read as JSON where it is JSON, else it is text. Dots lead into a table, whose parts
    may be given one by one. Raises ServeOptionError.
    """
    serve: dict[str, Any] = {}
    for text in texts:
        path, equals, written = text.partition("=")
        if not equals or not written:
            raise ServeOptionError(
                f"The serving option {text!r} has no value: write NAME=VALUE, such as "
                "max_model_len=8192."
            )
        name, *inner = path.strip().split(".")
        table: Any = serve
        key = name.replace("-", "_")
        for part in inner:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                break
            key = part
        if not isinstance(table, dict) or key in table:
            raise ServeOptionError(
                f"The serving option {path.strip()} is given twice: leave one of them out."
            )
        table[key] = _value(written)
    return read_serve(serve)


def read_serve(serve: Mapping[str, Any]) -> dict[str, Any]:
    """Serving options under vLLM's names, with underscores, as a table of a file holds them.

    Raises ServeOptionError for what is no option, cannot be given, or is not a value of JSON.
    """
    options: dict[str, Any] = {}
    for given, value in serve.items():
        name = given.strip().replace("-", "_")
        if not _NAME.fullmatch(name):
            raise ServeOptionError(
                f"The serving option {given!r} is no name: write it as vLLM does, without dashes "
                "in front, such as max_model_len."
            )
        if name in options:
            raise ServeOptionError(f"The serving option {name} is given twice: leave one out.")
        if why := _HELD.get(name) or (_WEB_SERVER.search(name) and "ksolve runs the web server"):
            raise ServeOptionError(f"The serving option {name} cannot be given: {why}.")
        try:
            options[name] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError):
            raise ServeOptionError(
                f"The serving option {name} has a value that is no JSON ({value!r}): write a "
                "number, a text, true, false, a list or a table."
            ) from None
    gpus_needed(options)
    return options


def serve_texts(serve: Mapping[str, Any]) -> list[str]:
    """Serving options as texts that `parse_serve` reads back, tables by their parts."""
    texts: list[str] = []
    for name, value in serve.items():
        if isinstance(value, Mapping) and value and all(map(_PART.fullmatch, value)):
            texts += [f"{name}.{text}" for text in serve_texts(value)]
        else:
            # A text stands as it is, unless it would be read as something else.
            plain = isinstance(value, str) and value and _value(value) == value
            texts.append(f"{name}={value if plain else json.dumps(value)}")
    return texts


def serve_arguments(serve: Mapping[str, Any]) -> list[str]:
    """Serving options as arguments of vLLM's command line."""
    return [argument for name, value in serve.items() for argument in _arguments(name, value)]


def gpus_needed(serve: Mapping[str, Any]) -> int:
    """The number of GPUs that a server with these options takes. Raises ServeOptionError."""
    sizes = {name: serve[name] for name in _PARALLEL if serve.get(name) is not None}
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ServeOptionError(
                f"The serving option {name} is {size!r}: it takes a whole number of at least 1."
            )
    return math.prod(sizes.values())


def check_serve(serve: Mapping[str, Any], program: ServerProgram) -> bool:
    """Ask the installed vLLM whether it takes these options; no model is loaded.

    Returns whether only greedy answers, those at temperature 0, are right with them. Takes some 15
    seconds; an answer is kept for as long as that vLLM is. What depends on the model shows when
    the server starts. Raises ServeOptionError.
    """
    options = [[name, value, _arguments(name, value)] for name, value in serve.items()]
    if not options:
        return False
    question = json.dumps(options)
    installed = os.lstat(program.argv[0]).st_mtime_ns
    known_by = [program.argv[0], str(installed), _CHECK.read_text(), question]
    digest = hashlib.sha256(json.dumps(known_by).encode()).hexdigest()
    kept = cache_root() / "serving" / f"{digest[:32]}.json"
    try:
        answer = json.loads(kept.read_text())
    except (OSError, ValueError):
        try:
            asked = subprocess.run(
                # Not beside this file, where `vllm` would be the module of that name.
                [program.python, "-P", str(_CHECK)],
                input=question,
                capture_output=True,
                text=True,
                timeout=_CHECK_PATIENCE,
                check=True,
                env={**os.environ, "VLLM_NO_USAGE_STATS": "1"},
            )
            answer = json.loads(asked.stdout.splitlines()[-1])
        except (OSError, ValueError, LookupError, subprocess.SubprocessError):
            # A vLLM of another make; it will say itself what it does not take.
            return False
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(answer))
    if answer["refusal"]:
        raise ServeOptionError(answer["refusal"])
    return bool(answer["greedy_only"])


def _arguments(name: str, value: object) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if value is None:
        return []
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if isinstance(value, list):
        return [flag, *map(_written, value)]
    return [f"{flag}={_written(value)}"]


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
