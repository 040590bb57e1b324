"""One vLLM process on a loopback port: started, waited for, ended with all its children.

What is served and with which settings is the caller's business, and so is starting it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import socket
import sys
import time
import urllib.request
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.backend import BackendUnusableError
from agent.local.child import last_line

_SUPERVISOR = Path(__file__).with_name("vllm_supervisor.py")
_LOOK = 0.5
"""Seconds between questions whether the server is healthy."""

_SILENCE = 600.0
"""Seconds without a word in the log after which a server that is not healthy counts as stuck."""

_KILLED = 128 + signal.SIGKILL
_TOLD = 300
"""Characters of a cause."""

_PREFIX = re.compile(r"^\(\w+ pid=\d+\) ?(?:[A-Z]+ [\d-]+ [\d:]+ \[[^]]*\] ?)?")
_CAUSE = re.compile(r"[\w.]*(?:Error|Exception)\b.*:|.* died unexpectedly")
_INVALID = re.compile(r"\S*ValidationError: \d+ validation errors? for ")
"""The first line of a refusal by pydantic; the field, where it is one, and the reason follow."""


class ServerDiedError(BackendUnusableError):
    """A server ended before it was ready; `why`, without a full stop, is what its log tells."""

    def __init__(self, name: str, why: str, log: Path) -> None:
        super().__init__(f"{name}: the model server did not start ({why}); its log is {log}.")
        self.why = why

    @property
    def is_machines_fault(self) -> bool:
        """Whether other settings would not have helped: it was killed, or the system refused."""
        return self.why.startswith(("it was killed", "OSError"))


class VllmServer:
    """A server that does not outlive this process, even when that is killed."""

    def __init__(
        self, *, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        """`name` is for messages; `command` lacks only address and port."""
        self._name = name
        self._command = command
        self._environment = environment
        self._process: Process | None = None
        self._port = 0
        # Where in the log the words of the present process begin.
        self._log_start = 0
        self.log = log
        # Nobody else on this machine is to use the server.
        self.key = secrets.token_urlsafe()

    @property
    def base_url(self) -> str:
        """Where the server answers in OpenAI's way; known, and the same for ever, once started."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int | None:
        """The process that leads the server's process group, None before the first start."""
        return self._process.pid if self._process else None

    async def start(self, tell: Callable[[str], None]) -> None:
        """Start, also again, and return when it is healthy. Raises BackendUnusableError."""
        self._port = self._port or _free_port()
        try:
            await self._launch()
            await self._healthy(tell)
        except BaseException:
            await self.stop()
            raise

    async def ended(self) -> str:
        """Wait until the server has ended; return why, as far as its log tells."""
        assert self._process is not None
        code = await self._process.wait()
        if code == _KILLED:
            return "it was killed, as happens where memory is short"
        log = self.log.read_bytes()[self._log_start :].decode(errors="replace")
        return telling_line(log) or f"exit code {code}"

    async def stop(self) -> None:
        """End the server and wait until all its processes are gone."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await asyncio.shield(process.wait())
        # The supervisor has seen to it, unless it was killed itself.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    async def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(_SUPERVISOR), str(os.getpid())),
                *(*self._command, "--host", "127.0.0.1", "--port", str(self._port)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment, "VLLM_API_KEY": self.key},
                # Out of reach of the terminal's Ctrl-C, which is ours to answer.
                start_new_session=True,
            )

    async def _healthy(self, tell: Callable[[str], None]) -> None:
        assert self._process is not None
        started = heard = time.monotonic()
        size = 0
        while self._process.returncode is None:
            if await asyncio.to_thread(_answers, f"http://127.0.0.1:{self._port}/health"):
                return
            now = time.monotonic()
            if self.log.stat().st_size != size:
                size, heard = self.log.stat().st_size, now
            if now - heard > _SILENCE:
                raise BackendUnusableError(
                    f"{self._name}: the model server has said nothing for {_SILENCE:.0f} s and "
                    f"is not ready; its log is {self.log}."
                )
            tell(f"{self._name}: starting the model server ({now - started:.0f} s)")
            await asyncio.sleep(_LOOK)
        raise ServerDiedError(self._name, await self.ended(), self.log)


def telling_line(log: str) -> str:
    """Return what a vLLM log says about why it ended, without a full stop."""
    lines = [_PREFIX.sub("", line) for line in log.splitlines()]
    # The first error is the cause; later ones tell what it led to.
    cause = next((number for number, line in enumerate(lines) if _CAUSE.match(line.strip())), None)
    if cause is None:
        return last_line("\n".join(lines))[:_TOLD].rstrip(".")
    says = lines[cause].strip()
    if invalid := _INVALID.match(says):
        wrong = next((at for at in range(cause + 1, len(lines)) if lines[at][:1] == " "), cause)
        parts = [says[invalid.end() :], *map(str.strip, lines[cause + 1 : wrong + 1])]
        says = ": ".join(parts).replace("Value error, ", "").partition(" [type=")[0]
    return says[:_TOLD].rstrip(".")


def _answers(url: str) -> bool:
    # A proxy of the environment must not stand between us and our own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
