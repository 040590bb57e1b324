"""A model that ksolve serves itself: vLLM started, watched, started again once, and stopped.

`vllm:NAME` is a short name of `weights` beside this file, a folder in Hugging Face form, or a
model's name on a hub, which vLLM fetches. Requests go through `agent.endpoint.openai`, whose
retries outlast a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

from agent.backend import BackendUnusableError, Completion, Message, Sampling, Tool
from agent.endpoint.openai import OpenAIBackend
from agent.local.cache import Progress, cache_root
from agent.local.server_env import ServerProgram, ensure_server_program
from agent.local.vllm_server import VllmServer
from agent.local.weights import MODELS, ensure_weights

T = TypeVar("T")

_GIB = 2**30
_KV_LEAST, _KV_MOST = 1, 4
# GiB of KV cache on a CPU; 4 hold 350,000 tokens of the 0.5B model, 150,000 of the 1.5B.
_PROGRAM = 3 * _GIB
# What the server takes beside weights and KV cache: three processes, and working memory.
_CPU_CONTEXT = 8192
# Tokens; a longer prompt takes a CPU minutes.
_LOGS_KEPT = 10

# One managed server at a time has the accelerator and the memory; more would starve each other.
_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
_turns = weakref.WeakKeyDictionary()


def server_memory_needed(name: str) -> int:
    """Return the bytes of free memory with which one of `weights.MODELS` is served well."""
    return MODELS[name].bytes + _PROGRAM + _KV_MOST * _GIB // 2


class ManagedVllm:
    """A Backend with a server of its own. Within a process such servers take turns."""

    def __init__(
        self,
        *,
        name: str,
        model: str,
        in_flight: int = 32,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`model` is what follows `vllm:`; `progress` is told in words what is being done."""
        self._name = name
        self._model = model
        self._in_flight = in_flight
        self._progress = progress
        self._stack = contextlib.AsyncExitStack()
        self._client: OpenAIBackend | None = None
        self._server: VllmServer | None = None
        self._on_processor = False
        self._gone: asyncio.Future[str] | None = None
        # Done, with the reason, when the server has ended and will not be started again.

    @property
    def name(self) -> str:
        """The model name as the user gave it."""
        return self._name

    @property
    def in_flight(self) -> int:
        """How many requests are worked on at once."""
        return self._in_flight

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer may have together, as the server says."""
        return self._entered().context_window

    @property
    def uses_processor(self) -> bool:
        """Whether the server has no accelerator of its own."""
        return self._on_processor

    @property
    def address(self) -> tuple[str, str]:
        """Where the server answers in OpenAI's way, and its key. Known once entered."""
        assert self._server is not None, "the backend is used outside of `async with`"
        return self._server.base_url, self._server.key

    @property
    def server_pid(self) -> int | None:
        """The leader of the server's process group, None where no server was started."""
        return self._server.pid if self._server else None

    async def __aenter__(self) -> Self:
        """Fetch what is missing, start the server and wait until it is healthy."""
        async with contextlib.AsyncExitStack() as stack:
            turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
            await stack.enter_async_context(turn)
            folder = await self._in_thread(self._fetch)
            program = await self._in_thread(ensure_server_program)
            self._on_processor = program.device == "cpu"
            server = self._server = self._new_server(folder, program)
            stack.push_async_callback(server.stop)
            await server.start(self._progress)
            self._client = await stack.enter_async_context(self._new_client(server))
            self._gone = asyncio.get_running_loop().create_future()
            watch = asyncio.create_task(self._watch(server, self._gone))
            stack.push_async_callback(_cancel, watch)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server; none of its processes is left."""
        await self._stack.aclose()

    async def count_tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Count by the model's own tokenizer and chat template."""
        return await self._unless_gone(self._entered().count_tokens(messages, tools))

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool] = ()
    ) -> Completion:
        """Draw one completion. Raises BackendUnusableError once the server has died twice."""
        return await self._unless_gone(self._entered().complete(messages, sampling, tools))

    def _entered(self) -> OpenAIBackend:
        assert self._client is not None, "the backend is used outside of `async with`"
        return self._client

    async def _unless_gone(self, request: Awaitable[T]) -> T:
        """Wait for a request, which would go on hoping for a server that never comes back."""
        gone = self._gone
        assert gone is not None
        task = asyncio.ensure_future(request)
        try:
            either: list[asyncio.Future[Any]] = [task, gone]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise BackendUnusableError(gone.result())
            return task.result()
        finally:
            await _cancel(task)

    async def _watch(self, server: VllmServer, gone: asyncio.Future[str]) -> None:
        """Start the server again when it ends, once."""
        why = await server.ended()
        self._progress(f"{self._name}: the model server died ({why}) and is started again")
        try:
            await server.stop()
            await server.start(self._progress)
        except BackendUnusableError as error:
            gone.set_result(str(error))
            return
        self._progress(f"{self._name}: the model server is back")
        why = await server.ended()
        gone.set_result(
            f"{self._name}: the model server died a second time ({why}); its log is {server.log}."
        )

    async def _in_thread(self, work: Callable[[Progress], T]) -> T:
        """Run what blocks; when this is cancelled, `work` is stopped at its next report."""
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()

        def report(stage: str, share: float | None) -> None:
            if cancelled.is_set():
                raise _CancelledInThreadError
            text = stage if share is None else f"{stage} ({share:.0%})"
            loop.call_soon_threadsafe(self._progress, text)

        try:
            return await asyncio.to_thread(work, report)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def _fetch(self, progress: Progress) -> Path | None:
        """Return the model's folder, None for a model that vLLM fetches from a hub."""
        if self._model in MODELS:
            return ensure_weights(self._model, progress)
        folder = Path(self._model).expanduser()
        if (folder / "config.json").is_file():
            return folder.resolve()
        if folder.exists() or not _HUB_NAME.fullmatch(self._model):
            raise BackendUnusableError(
                f"{self._name}: there is no model at {self._model!r}; name a folder with a "
                f"config.json, a model of a hub (ORGANISATION/NAME), or {' or '.join(MODELS)}.",
                bad_input=True,
            )
        return None

    def _new_server(self, folder: Path | None, program: ServerProgram) -> VllmServer:
        command = [*program.argv, str(folder or self._model), "--served-model-name", self._model]
        # What was sampled has to follow from our settings, not from a file of the model.
        command += ["--generation-config", "vllm", "--enable-prompt-tokens-details"]
        if parser := tool_parser(self._model):
            command += ["--enable-auto-tool-choice", "--tool-call-parser", parser]
        environment = {"VLLM_NO_USAGE_STATS": "1", "PYTHONDONTWRITEBYTECODE": ""}
        if folder:
            environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        if program.device == "cpu":
            command += ["--dtype", "bfloat16", "--enforce-eager"]
            command += ["--max-num-seqs", str(self._in_flight)]
            command += ["--max-model-len", str(_context(folder))]
            # vLLM 0.32 dies on a CPU when it reads a prompt in pieces and the request has a seed.
            command += ["--no-enable-chunked-prefill"]
            # The engine would spin on a core while it waits for a worker process, so it does the
            # work itself; and bound to a core, it would wait for whatever else runs there.
            command += ["--distributed-executor-backend", "uni"]
            environment |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
            environment |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind"}
            environment |= {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
            environment |= {"VLLM_HOST_IP": "127.0.0.1"}
            environment |= {"VLLM_CPU_KVCACHE_SPACE": str(self._kv_space(folder))}
        else:
            command += ["--max-model-len", "auto"]
        return VllmServer(
            name=self._name, command=command, environment=environment, log=_new_log(self._model)
        )

    def _new_client(self, server: VllmServer) -> OpenAIBackend:
        return OpenAIBackend(
            name=self._name,
            model=self._model,
            base_url=server.base_url,
            api_key=server.key,
            in_flight=self._in_flight,
            accelerator=True,
        )

    def _kv_space(self, folder: Path | None) -> int:
        """Return the GiB of KV cache that leave half of what is free to everybody else."""
        weights = sum(file.stat().st_size for file in folder.glob("*.safetensors")) if folder else 0
        free = psutil.virtual_memory().available - weights - _PROGRAM
        if free < _KV_LEAST * _GIB:
            needed = weights + _PROGRAM + _KV_LEAST * _GIB
            raise BackendUnusableError(
                f"{self._name}: serving it needs {needed / 1e9:.1f} GB of free memory, and "
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
# By a part of a model's name, the first that fits: how the server reads its calls of tools.
# Source: vLLM's documentation, "Tool Calling".


def tool_parser(model: str) -> str | None:
    """Return vLLM's parser for the tool calls of a model, None when none is known."""
    return next((parser for part, parser in _TOOL_PARSERS.items() if part in model.lower()), None)


_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class _CancelledInThreadError(Exception):
    """Ends the work of a thread that nobody waits for any more."""


def _context(folder: Path | None) -> int:
    """Return the longest context to serve on a CPU."""
    if folder is None:
        return _CPU_CONTEXT
    config = json.loads((folder / "config.json").read_text())
    return min(_CPU_CONTEXT, int(config.get("max_position_embeddings", _CPU_CONTEXT)))


def _new_log(model: str) -> Path:
    """Return where the next server's log goes; the oldest logs make room."""
    folder = cache_root() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    logs = sorted(folder.glob("vllm-*.log"), key=lambda log: log.stat().st_mtime)
    for old in logs[: -_LOGS_KEPT + 1]:
        old.unlink(missing_ok=True)
    slug = re.sub(r"[^\w.-]+", "-", model).strip("-")[-60:]
    return folder / f"vllm-{slug}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"


async def _cancel(task: asyncio.Future[T]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
