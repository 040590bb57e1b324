"""A server process ends with its owner, however the owner ends; a stand-in serves instead of vLLM.

The stand-in is a small program with a child of its own that ignores SIGTERM and has left the
process group: the worst that a model server's workers can do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from agent.backend import BackendUnusableError
from agent.local.vllm_server import VllmServer, telling_line

STAND_IN = """
import http.server, os, signal, subprocess, sys
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if self.path == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

OWNER = """
import asyncio, sys
from pathlib import Path
from agent.local.vllm_server import VllmServer
async def main():
    server = VllmServer(
        name="m", command=[sys.executable, "-c", sys.argv[1]], environment={}, log=Path(sys.argv[2])
    )
    await server.start(lambda _: None)
    print(server.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def server(tmp_path: Path, program: str = STAND_IN) -> VllmServer:
    return VllmServer(
        name="vllm:m",
        command=[sys.executable, "-c", program],
        environment={},
        log=tmp_path / "server.log",
    )


def processes(leader: int) -> list[psutil.Process]:
    first = psutil.Process(leader)
    return [first, *first.children(recursive=True)]


def gone(running: list[psutil.Process]) -> bool:
    deadline = time.monotonic() + 60
    while any(process.is_running() for process in running) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(process.is_running() for process in running)


async def test_a_stop_leaves_no_process_not_even_one_that_ignores_it(tmp_path: Path) -> None:
    one = server(tmp_path)
    await one.start(lambda _: None)
    assert one.pid
    running = processes(one.pid)
    assert len(running) == 3
    await one.stop()
    assert gone(running)


def test_a_killed_owner_takes_the_server_and_its_children_along(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, STAND_IN, str(tmp_path / "log")], stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout
        running = processes(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
    assert gone(running)


async def test_a_killed_supervisor_leaves_no_server_behind_a_stop(tmp_path: Path) -> None:
    one = server(tmp_path, STAND_IN.replace(", start_new_session=True", ""))
    await one.start(lambda _: None)
    assert one.pid
    running = processes(one.pid)
    os.kill(one.pid, signal.SIGKILL)
    await one.ended()
    await one.stop()
    assert gone(running)


async def test_a_dead_server_can_be_started_again_at_its_address(tmp_path: Path) -> None:
    one = server(tmp_path)
    await one.start(lambda _: None)
    address, leader = one.base_url, one.pid
    assert leader
    running = processes(leader)
    running[1].kill()
    assert "it was killed" in await one.ended()
    await one.start(lambda _: None)
    assert one.base_url == address
    assert one.pid != leader
    await one.stop()
    assert gone(running)


async def test_what_kept_it_from_starting_is_one_sentence_with_the_log(tmp_path: Path) -> None:
    one = server(tmp_path, "raise OSError('address already in use')")
    with pytest.raises(BackendUnusableError) as raised:
        await one.start(lambda _: None)
    assert str(raised.value) == (
        "vllm:m: the model server did not start (OSError: address already in use); "
        f"its log is {tmp_path / 'server.log'}."
    )


async def test_a_cancelled_start_leaves_no_process(tmp_path: Path) -> None:
    one = server(tmp_path, "import time; time.sleep(600)")
    starting = asyncio.create_task(one.start(lambda _: None))
    async with asyncio.timeout(60):
        while one.pid is None or len(processes(one.pid)) < 2:  # noqa: ASYNC110 - no event there
            await asyncio.sleep(0.05)
    running = processes(one.pid)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    assert gone(running)


NO_ROOM = """\
(EngineCore pid=1) ERROR 11-23 15:19:31 [core.py:1512] Traceback (most recent call last):
(EngineCore pid=1) ERROR 11-23 15:19:31 [core.py:1512] ValueError: No room for the KV cache.
(APIServer pid=2) RuntimeError: Engine core initialization failed.
"""
DEAD_WORKER = """\
(EngineCore pid=1) ERROR 11-23 15:19:31 [x.py:3] Worker VllmWorker-0 died unexpectedly (exit -9).
(EngineCore pid=1) ERROR 11-23 15:19:31 [core.py:1512] RuntimeError: cancelled
"""
NO_MODEL = """\
pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
  Value error, The checkpoint has no model type. [type=value_error, input_value=ArgsKwargs(())]
    For further information visit the documentation.
"""
NO_METHOD = """\
(APIServer pid=1) pydantic_core._pydantic_core.ValidationError: 1 validation error for SpecConfig
(APIServer pid=1) method
(APIServer pid=1)   Input should be 'ngram' or 'eagle' [type=literal_error, input_value='gram']
"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (NO_ROOM, "ValueError: No room for the KV cache"),
        (DEAD_WORKER, "Worker VllmWorker-0 died unexpectedly (exit -9)"),
        (NO_MODEL, "ModelConfig: The checkpoint has no model type"),
        (NO_METHOD, "SpecConfig: method: Input should be 'ngram' or 'eagle'"),
        ("INFO: one\nINFO: two\n\n", "INFO: two"),
        ("", ""),
    ],
)
def test_the_log_is_read_for_the_cause_not_for_what_followed(log: str, line: str) -> None:
    assert telling_line(log) == line
