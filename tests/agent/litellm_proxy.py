"""The real LiteLLM proxy in front of a server on loopback, without database and telemetry."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.agent.environments import python_with

KEY = "sk-0123456789abcdef0123456789abcdef"
PRICED = "anvil-priced"
IN, OUT = 0.000002, 0.00001
"""US dollars a token that the proxy is told for the model `PRICED`."""
# Seconds; the first start compiles what it imports.
_START = 180.0
_PROGRAM = "from litellm import run_server; run_server()"


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """The proxy, while it runs."""

    url: str
    log: Path


def litellm_python() -> Path:
    """Return a Python with the proxy. Skips where it cannot be had.

    It is the newest version all of whose parts the registry has.
    """
    return python_with("litellm", "litellm[proxy]==1.108.7", space=1_500_000_000)


@contextmanager
def litellm_in_front_of(url: str, folder: Path, **settings: Any) -> Iterator[Proxy]:
    """Run it with wildcard names for whatever the server behind `url` serves."""
    python = litellm_python()
    config, log, port = folder / "config.yaml", folder / "proxy.log", _free_port()
    # What is JSON is YAML.
    config.write_text(json.dumps(_config(url, settings)))
    argv = [str(python), "-c", _PROGRAM, "--config", str(config)]
    argv += ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_TELEMETRY_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
    with (
        log.open("w") as out,
        subprocess.Popen(
            argv, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT
        ) as server,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/health/liveliness", server, log)
            yield Proxy(url=f"http://127.0.0.1:{port}/v1", log=log)
        finally:
            server.kill()


def _config(url: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    behind = {"api_base": url, "api_key": "x"}
    price = {"input_cost_per_token": IN, "output_cost_per_token": OUT}
    return {
        "model_list": [
            {"model_name": PRICED, "litellm_params": {"model": "openai/anvil", **behind, **price}},
            {"model_name": "openai/*", "litellm_params": {"model": "openai/*", **behind}},
            {"model_name": "*", "litellm_params": {"model": "openai/*", **behind}},
        ],
        "litellm_settings": {"num_retries": 0, **settings},
        "router_settings": {"disable_cooldowns": True},
    }


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError), opener.open(url, timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError(f"the proxy did not start:\n{log.read_text()[-4000:]}")
