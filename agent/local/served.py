"""The settings with which vLLM serves a model: what suits the device, and what the user gave.

What the user gave wins, and is never said twice. On a processor the settings are those that were
found to work with vLLM 0.32.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agent.backend import BackendUnusableError
from agent.local.serving import serve_arguments
from agent.local.weights import MODELS

_GIB = 2**30
_KV_LEAST, _KV_MOST = 1, 4
"""GiB of KV cache on a CPU; 4 hold 350,000 tokens of the 0.5B model, 150,000 of the 1.5B."""

_PROGRAM = 3 * _GIB
"""What the server takes beside weights and KV cache: three processes, and working memory."""

_CPU_CONTEXT = 8192
"""Tokens; a longer prompt takes a CPU minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A model as it is to be served."""

    name: str
    """For messages."""
    model: str
    folder: Path | None
    """In Hugging Face form; None for a model that vLLM fetches."""
    in_flight: int
    gpus: tuple[str, ...]
    """As CUDA_VISIBLE_DEVICES names them; none: this processor."""
    serve: Mapping[str, Any]

    def arguments(self) -> list[str]:
        """Return the arguments of vLLM's command line, without its address."""
        # What was sampled has to follow from our settings, not from a file of the model.
        options: dict[str, Any] = {"generation_config": "vllm"}
        options |= {"served_model_name": self.model, "enable_prompt_tokens_details": True}
        if parser := self.serve.get("tool_call_parser", tool_parser(self.model)):
            options |= {"enable_auto_tool_choice": True, "tool_call_parser": parser}
        if self.gpus:
            options |= {"max_model_len": "auto"}
        else:
            options |= {"dtype": "bfloat16", "enforce_eager": True}
            options |= {"max_num_seqs": self.in_flight, "max_model_len": _context(self.folder)}
            # vLLM 0.32 dies on a CPU when it reads a prompt in pieces and the request has a seed.
            options |= {"enable_chunked_prefill": False}
            # The engine would spin on a core while it waits for a worker process, so it does the
            # work itself; and bound to a core, it would wait for whatever else runs there.
            options |= {"distributed_executor_backend": "uni"}
        return [str(self.folder or self.model), *serve_arguments({**options, **self.serve})]

    def environment(self) -> dict[str, str]:
        """Return the variables of the server. Raises BackendUnusableError for want of memory."""
        environment = {"VLLM_NO_USAGE_STATS": "1", "PYTHONDONTWRITEBYTECODE": ""}
        speculation = self.serve.get("speculative_config")
        # A draft model may be one of a hub.
        if self.folder and not (isinstance(speculation, dict) and "model" in speculation):
            environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        if self.gpus:
            environment |= {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)}
            if "CUDA_VISIBLE_DEVICES" not in os.environ:
                environment |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
            return environment
        environment |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
        environment |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        environment |= {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
        environment |= {"VLLM_HOST_IP": "127.0.0.1"}
        if self.serve.get("kv_cache_memory_bytes") is None:
            environment |= {"VLLM_CPU_KVCACHE_SPACE": str(self._kv_space())}
        return environment

    def _kv_space(self) -> int:
        """Return the GiB of KV cache that leave half of what is free to everybody else."""
        folder = self.folder
        weights = sum(file.stat().st_size for file in folder.glob("*.safetensors")) if folder else 0
        free = psutil.virtual_memory().available - weights - _PROGRAM
        if free < _KV_LEAST * _GIB:
            needed = weights + _PROGRAM + _KV_LEAST * _GIB
            raise BackendUnusableError(
                f"{self.name}: serving it needs {needed / 1e9:.1f} GB of free memory, and "
                f"{psutil.virtual_memory().available / 1e9:.1f} GB are free: end other programs, "
                "or choose a smaller model."
            )
        return max(_KV_LEAST, min(_KV_MOST, free // 2 // _GIB))


_TOOL_PARSERS = {
    "qwen3-coder": "qwen3_coder",
    "qwen": "hermes",
    "hermes": "hermes",
    "llama-3": "llama3_json",
    "llama-4": "llama4_pythonic",
    "mistral": "mistral",
    "devstral": "mistral",
    "deepseek-v3": "deepseek_v3",
    "glm-4": "glm45",
    "gpt-oss": "openai",
}
"""By a part of a model's name, the first that fits: how the server reads its calls of tools.

Source: vLLM's documentation, "Tool Calling".
"""


def tool_parser(model: str) -> str | None:
    """Return vLLM's parser for the tool calls of a model, None when none is known."""
    return next((parser for part, parser in _TOOL_PARSERS.items() if part in model.lower()), None)


def server_memory_needed(name: str) -> int:
    """Return the bytes of free memory with which one of `weights.MODELS` is served well."""
    return MODELS[name].bytes + _PROGRAM + _KV_MOST * _GIB // 2


def _context(folder: Path | None) -> int:
    """Return the longest context to serve on a CPU."""
    if folder is None:
        return _CPU_CONTEXT
    config = json.loads((folder / "config.json").read_text())
    return min(_CPU_CONTEXT, int(config.get("max_position_embeddings", _CPU_CONTEXT)))
