"""Managed servers with serving options on a machine of three GPUs, which a stand-in pretends.

The stand-in is started as vLLM is, with vLLM's arguments. It writes down what it was started with
and answers as little as a server may.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.backend import BackendUnusableError, Message, Sampling, Usage
from agent.local.server_env import ServerProgram
from agent.local.vllm import ManagedVllm

STAND_IN = """\
#!{python}
import http.server, json, os, pathlib, sys, time
if "--quantization=broken" in sys.argv:
    sys.exit("ValueError: broken is not supported on this device.")
port = int(sys.argv[sys.argv.index("--port") + 1])
keys = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
started = {{"argv": sys.argv[1:], **{{key: os.environ.get(key) for key in keys}}}}
(pathlib.Path(__file__).parent / f"started-{{port}}").write_text(json.dumps(started))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({{"data": [{{"id": name, "object": "model"}}]}})
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        time.sleep(0.5)
        message = {{"role": "assistant", "content": "yes"}}
        choice = {{"index": 0, "finish_reason": "stop", "message": message}}
        usage = {{"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}
        self.answer({{"id": "1", "object": "chat.completion", "created": 1, "model": name,
                     "choices": [choice], "usage": usage}})
    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())
(name,) = [a.partition("=")[2] for a in sys.argv if a.startswith("--served-model-name=")]
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerProgram:
    """A vLLM that takes every option, on three GPUs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    vllm, python = tmp_path / "vllm", tmp_path / "python"
    vllm.write_text(STAND_IN.format(python=sys.executable))
    python.write_text('#!/bin/sh\necho \'{"refusal": null, "greedy_only": false}\'\n')
    for script in (vllm, python):
        script.chmod(0o755)
    return ServerProgram(argv=(str(vllm), "serve"), python=str(python), gpus=("0", "1", "2"))


def managed(
    program: ServerProgram, folder: Path, serve: Mapping[str, Any] | None = None
) -> ManagedVllm:
    (folder / "config.json").write_text("{}")
    return ManagedVllm(name="vllm:m", model=str(folder), serve=serve, program=program)


def started(backend: ManagedVllm, folder: Path) -> dict[str, Any]:
    port = backend.address[0].removesuffix("/v1").rpartition(":")[2]
    found: dict[str, Any] = json.loads((folder / f"started-{port}").read_text())
    return found


async def test_servers_run_at_once_where_they_fit_and_wait_where_not(
    program: ServerProgram, tmp_path: Path
) -> None:
    one = managed(program, tmp_path)
    two = managed(program, tmp_path, {"tensor_parallel_size": 2})
    three = managed(program, tmp_path, {"data_parallel_size": 2})
    async with asyncio.timeout(60):
        async with one:
            async with two:
                assert started(one, tmp_path)["CUDA_VISIBLE_DEVICES"] == "0"
                assert started(two, tmp_path)["CUDA_VISIBLE_DEVICES"] == "1,2"
                assert started(two, tmp_path)["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
                waiting = asyncio.create_task(three.__aenter__())
                await asyncio.sleep(1)
                assert three.server_pid is None
            await waiting
            assert started(three, tmp_path)["CUDA_VISIBLE_DEVICES"] == "1,2"
        await three.__aexit__(None, None, None)


async def test_a_second_on_two_gpus_is_two_accelerator_seconds(
    program: ServerProgram, tmp_path: Path
) -> None:
    booked: list[Usage] = []
    backend = managed(program, tmp_path, {"tensor_parallel_size": 2})
    async with asyncio.timeout(60), backend:
        question = [Message(role="user", content="Is it?")]
        answer = await backend.complete(question, Sampling(max_tokens=8), book=booked.append)
    usage = answer.usage
    assert usage.accelerator_seconds == pytest.approx(2 * usage.seconds, rel=0.2)
    assert sum(booked, Usage()).accelerator_seconds == pytest.approx(usage.accelerator_seconds)


async def test_what_the_user_gives_takes_the_place_of_our_own(
    program: ServerProgram, tmp_path: Path
) -> None:
    serve = {
        "max_model_len": 4096,
        "tool_call_parser": "hermes",
        "generation_config": None,
        "speculative_config": {"method": "ngram", "num_speculative_tokens": 4},
    }
    async with asyncio.timeout(60), managed(program, tmp_path, serve) as backend:
        arguments = started(backend, tmp_path)["argv"]
    names = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    assert len(names) == len(set(names))
    assert {"--max-model-len=4096", "--tool-call-parser=hermes"} <= set(arguments)
    assert "--enable-auto-tool-choice" in arguments
    assert "--generation-config" not in names
    assert '--speculative-config={"method": "ngram", "num_speculative_tokens": 4}' in arguments


@pytest.mark.parametrize("gpus", [("0", "1", "2"), ()])
async def test_more_gpus_than_there_are_is_bad_input(
    gpus: tuple[str, ...], program: ServerProgram, tmp_path: Path
) -> None:
    here = ServerProgram(argv=program.argv, python=program.python, gpus=gpus)
    backend = managed(here, tmp_path, {"tensor_parallel_size": 4})
    with pytest.raises(BackendUnusableError, match=r"take 4 GPUs, and .* more GPUs\.$") as raised:
        await backend.check()
    assert raised.value.bad_input


async def test_a_refused_option_is_told_before_a_server_is_waited_for(
    program: ServerProgram, tmp_path: Path
) -> None:
    answer = json.dumps({"refusal": "No such option.", "greedy_only": False})
    (tmp_path / "python").write_text(f"#!/bin/sh\necho '{answer}'\n")
    fit = ServerProgram(argv=program.argv, python=program.python, gpus=("0",))
    async with asyncio.timeout(60), managed(fit, tmp_path):
        with pytest.raises(BackendUnusableError, match=r"^vllm:m: No such option\.$") as raised:
            async with managed(fit, tmp_path, {"quantisation": "fp8"}):
                pytest.fail("it started")
    assert raised.value.bad_input


async def test_a_server_that_dies_of_its_options_says_so_and_gives_its_gpus_back(
    program: ServerProgram, tmp_path: Path
) -> None:
    serve = {"quantization": "broken", "tensor_parallel_size": 3}
    async with asyncio.timeout(60):
        with pytest.raises(BackendUnusableError) as raised:
            async with managed(program, tmp_path, serve):
                pytest.fail("it started")
        async with managed(program, tmp_path, {"tensor_parallel_size": 3}):
            pass
    assert raised.value.bad_input
    assert str(raised.value).startswith(
        "vllm:m: vLLM does not serve it with quantization=broken, tensor_parallel_size=3 "
        "(ValueError: broken is not supported on this device); change the serving options"
    )
    assert "\n" not in str(raised.value)
