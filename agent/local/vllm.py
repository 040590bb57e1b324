"""A model that ksolve serves itself: vLLM started, watched, started again once, and stopped.

`vllm:NAME` is a short name of `weights` beside this file, a folder in Hugging Face form, or a
model's name on a hub, which vLLM fetches. `agent.local.serving` has the options with which it is
served. Requests go through `agent.endpoint.openai`, whose retries outlast a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from agent.backend import (
    BackendError,
    BackendUnusableError,
    Book,
    Completion,
    Message,
    Sampling,
    Tool,
    Usage,
    no_book,
)
from agent.endpoint.openai import OpenAIBackend
from agent.local.accelerators import Accelerators
from agent.local.cache import Progress, cache_root
from agent.local.served import Served
from agent.local.server_env import ServerProgram, ensure_server_program
from agent.local.serving import (
    ServeOptionError,
    check_serve,
    gpus_needed,
    read_serve,
    serve_texts,
)
from agent.local.vllm_server import ServerDiedError, VllmServer
from agent.local.weights import MODELS, ensure_weights

T = TypeVar("T")

_LOGS_KEPT = 10


class _Machine:
    """What the managed servers of one event loop share."""

    def __init__(self) -> None:
        # Servers are prepared one after another, so they ask for GPUs in the order they came.
        self.preparing = asyncio.Lock()
        self.accelerators: Accelerators | None = None


_machines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Machine]
_machines = weakref.WeakKeyDictionary()


class ManagedVllm:
    """A Backend with a server of its own.

    Within a process such servers run at once where there are GPUs for each, and take turns else.
    """

    def __init__(
        self,
        *,
        name: str,
        model: str,
        in_flight: int = 32,
        serve: Mapping[str, Any] | None = None,
        program: ServerProgram | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`model` is what follows `vllm:`; `progress` is told in words what is being done.

        `serve` are serving options, and `program` is the vLLM, by default the one of this machine.
        Raises ServeOptionError for an option that cannot be given.
        """
        self._name = name
        self._model = model
        self._in_flight = in_flight
        self._serve = read_serve(serve or {})
        self._program = program
        self._progress = progress
        self._stack = contextlib.AsyncExitStack()
        self._client: OpenAIBackend | None = None
        self._server: VllmServer | None = None
        self._gpus: tuple[str, ...] = ()
        self._on_processor = False
        self._greedy_only = False
        # Done, with the reason, when the server has ended and will not be started again.
        self._gone: asyncio.Future[str] | None = None

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
    def answer_tokens(self) -> int:
        """Output tokens of an answer where the sampling names no limit."""
        return self._entered().answer_tokens

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

    async def check(self) -> ServerProgram:
        """Return the vLLM that takes this model's name and options; installed first if need be.

        May be asked before a run is begun: nothing else is fetched and nothing is started. Raises
        BackendUnusableError, also for what the user can mend.
        """
        self._find()
        program = self._program
        if program is None:
            program = await self._in_thread(ensure_server_program)
        if self._serve:
            self._progress(f"{self._name}: asking vLLM whether it takes the serving options")
        try:
            self._greedy_only = await asyncio.to_thread(check_serve, self._serve, program)
        except ServeOptionError as error:
            raise BackendUnusableError(f"{self._name}: {error}", bad_input=True) from None
        needed, there = gpus_needed(self._serve), len(program.gpus)
        if needed > max(1, there):
            raise BackendUnusableError(
                f"{self._name}: its serving options take {needed} GPUs, and "
                + (f"{there} can be used here" if there else "this machine's processor serves it")
                + ": lower their parallel sizes, or serve it on a machine with more GPUs.",
                bad_input=True,
            )
        return program

    async def __aenter__(self) -> Self:
        """Fetch what is missing, start the server and wait until it is healthy."""
        async with contextlib.AsyncExitStack() as stack:
            machine = _machines.setdefault(asyncio.get_running_loop(), _Machine())
            async with machine.preparing:
                program = await self.check()
                folder = self._find()
                if self._model in MODELS:
                    folder = await self._in_thread(lambda tell: ensure_weights(self._model, tell))
            self._on_processor = not program.gpus
            if machine.accelerators is None:
                machine.accelerators = Accelerators(program.gpus)
            lent = machine.accelerators.lend(gpus_needed(self._serve))
            self._gpus = await stack.enter_async_context(lent)
            server = self._server = self._new_server(folder, program)
            stack.push_async_callback(server.stop)
            try:
                await server.start(self._progress)
            except ServerDiedError as error:
                raise self._explained(error, server.log) from None
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
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        """Draw one completion. Raises BackendUnusableError once the server has died twice.

        A server on several GPUs uses as many accelerator seconds in a second.
        """
        if self._greedy_only and sampling.temperature > 0.0:
            raise BackendUnusableError(
                f"{self._name}: on a processor this vLLM draws wrong samples with speculative "
                "decoding above temperature 0: set the temperature to 0, or leave the speculative "
                "serving options out.",
                bad_input=True,
            )
        request = self._entered().complete(
            messages, sampling, tools, book=lambda usage: book(self._on_all_gpus(usage))
        )
        try:
            answer = await self._unless_gone(request)
        except BackendError as error:
            error.usage = self._on_all_gpus(error.usage) if error.usage else None
            raise
        return dataclasses.replace(answer, usage=self._on_all_gpus(answer.usage))

    def _on_all_gpus(self, usage: Usage) -> Usage:
        seconds = usage.accelerator_seconds * max(1, len(self._gpus))
        return dataclasses.replace(usage, accelerator_seconds=seconds)

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

    def _find(self) -> Path | None:
        """Return the folder of a model that is named by one. Raises BackendUnusableError."""
        folder = Path(self._model).expanduser()
        if self._model in MODELS:
            return None
        if (folder / "config.json").is_file():
            return folder.resolve()
        if folder.exists() or not _HUB_NAME.fullmatch(self._model):
            raise BackendUnusableError(
                f"{self._name}: there is no model at {self._model!r}; name a folder with a "
                f"config.json, a model of a hub (ORGANISATION/NAME), or {' or '.join(MODELS)}.",
                bad_input=True,
            )
        return None

    def _explained(self, error: ServerDiedError, log: Path) -> BackendUnusableError:
        """Return what is told of a server that did not start: the options' fault, if there are."""
        if not self._serve or error.is_machines_fault:
            return error
        return BackendUnusableError(
            f"{self._name}: vLLM does not serve it with {', '.join(serve_texts(self._serve))} "
            f"({error.why}); change the serving options, or read more in its log {log}.",
            bad_input=True,
        )

    def _new_server(self, folder: Path | None, program: ServerProgram) -> VllmServer:
        served = Served(
            name=self._name,
            model=self._model,
            folder=folder,
            in_flight=self._in_flight,
            gpus=self._gpus,
            serve=self._serve,
        )
        return VllmServer(
            name=self._name,
            command=[*program.argv, *served.arguments()],
            environment=served.environment(),
            log=_new_log(self._model),
        )

    def _new_client(self, server: VllmServer) -> OpenAIBackend:
        return OpenAIBackend(
            name=self._name,
            model=self._model,
            base_url=server.base_url,
            api_key=server.key,
            in_flight=self._in_flight,
            accelerator=True,
            # Its own server takes what ksolve sends, so that no request has to go first.
            is_known=True,
            thinks=self._serve.get("reasoning_parser") is not None,
        )


_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class _CancelledInThreadError(Exception):
    """Ends the work of a thread that nobody waits for any more."""


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
