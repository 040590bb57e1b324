"""Seconds per finished instance: ksolve's `loop` and the batch runner of mini-swe-agent.

Both ask the same scripted model, an OpenAI-compatible server of this script on loopback that calls
`bash` for the same commands step by step and then hands in, in the same images of the starter
suite, with the same number of workers. Both are processes of their own, from start to exit, with
their imports. The peer judges nothing, so ksolve's side is measured twice: sampling alone, which
the ratio is of, and `ksolve run` with every patch verified.

The peer lives in an environment of its own, which `--peer-python` names or which is made anew
(`pip install mini-swe-agent`, the newest release). It lets its containers end by themselves after
it has left (ten seconds each), which is not counted; ksolve's are gone when it ends.

    python -m benchmarks.loop_vs_mini --instances 20 --steps 20
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from agent.backend import Sampling
from agent.endpoint.openai import OpenAIBackend
from agent.limits import AgentLimits
from agent.loop import Loop
from agent.models import Model
from agent.price import UNKNOWN
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.load import load_tasks
from tasks.task import Task

EDIT = "echo '# looked at' >> README.md"
COMMANDS = (
    "ls",
    "git log --oneline | head -3",
    "cat README.md | head -20",
    EDIT,
    "git status --short",
)
HAND_IN = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && git diff"
# How the peer's model hands in.


def main() -> None:
    """Run both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20, help="Requests of one instance.")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--peer-python", type=Path, help="A Python that has mini-swe-agent.")
    parser.add_argument("--draw", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    tasks = load_tasks("starter")[: arguments.instances]
    workers, steps = arguments.workers, arguments.steps
    if arguments.draw:
        asyncio.run(_draw(tasks, workers, steps, arguments.draw))
        return
    asyncio.run(_build(tasks))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = arguments.peer_python or _peer(folder / "peer")
        ours = _ksolve(len(tasks), workers, steps)
        theirs = _mini(tasks, workers, steps, python, folder)
        judged = _ksolve_run(tasks, workers, steps, folder)
    count = len(tasks)
    print(f"{count} instances of {steps} steps, {workers} workers; seconds an instance")
    print(f"ksolve loop                  {ours / count:6.2f}")
    print(f"ksolve run, every patch judged {judged / count:4.2f}")
    print(f"mini-swe-agent               {theirs / count:6.2f}")
    print(f"ratio                        {theirs / ours:6.2f}  (must be 2)")


async def _build(tasks: Sequence[Task]) -> None:
    async with DockerHost(run_id="benchmark") as host:
        for task in tasks:
            await ensure_image(host, task.issue.image, task.build, lambda _: None)


class _Scripted(BaseHTTPRequestHandler):
    """Answers the n-th turn of a conversation with the n-th command, and then hands in."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Else every answer, of two packets, would come forty milliseconds late, to both sides.
    steps = 10
    hand_in: tuple[str, dict[str, str]] = ("submit", {})

    def do_POST(self) -> None:
        """Answer a chat completion."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # Neither a worked example nor a probe is a step.
        messages = asked["messages"]
        last_user = max(i for i, one in enumerate(messages) if one["role"] == "user")
        said = sum(one["role"] == "assistant" for one in messages[last_user:])
        name, arguments = "bash", {"command": COMMANDS[said % len(COMMANDS)]}
        if said >= self.steps - 1:
            name, arguments = self.hand_in
        call = {"id": f"c{said}", "type": "function"}
        call["function"] = {"name": name, "arguments": json.dumps(arguments)}  # type: ignore[assignment]
        self._send(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": asked["model"],
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "tool_calls",
                        "message": {"role": "assistant", "content": "On it.", "tool_calls": [call]},
                    }
                ],
                "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
            }
        )

    def do_GET(self) -> None:
        """List the one model."""
        self._send({"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def _served(steps: int, hand_in: tuple[str, dict[str, str]]) -> Iterator[str]:
    handler = type("Scripted", (_Scripted,), {"steps": steps, "hand_in": hand_in})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def _seconds(command: Sequence[str], **environment: str) -> float:
    """Run a command to its end; raises CalledProcessError with what it said."""
    started = time.monotonic()
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    # 1: no patch of a scripted model solves anything.
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def _ksolve(count: int, workers: int, steps: int) -> float:
    with _served(steps, ("submit", {})) as url:
        options = [("--instances", count), ("--workers", workers), ("--steps", steps)]
        words = [str(word) for option in options for word in option]
        return _seconds([sys.executable, "-m", "benchmarks.loop_vs_mini", *words, "--draw", url])


def _ksolve_run(tasks: Sequence[Task], workers: int, steps: int, folder: Path) -> float:
    with _served(steps, ("submit", {})) as url:
        ids = [word for task in tasks for word in ("--id", task.id)]
        options = [
            *("--tasks", "starter", *ids, "--model", f"{url}#scripted", "--strategy", "loop"),
            *("--samples", "1", "--steps", str(steps + 1), "--in-flight", str(workers)),
            *("--workers", str(workers), "--fresh", "--out", str(folder / "run")),
        ]
        return _seconds([sys.executable, "-m", "ksolve.cli", "run", *options])


async def _draw(tasks: Sequence[Task], workers: int, steps: int, url: str) -> None:
    backend = OpenAIBackend(name="scripted", model="scripted", base_url=url, in_flight=workers)
    model = Model(name="scripted", backend=backend, price=UNKNOWN)
    strategy = Loop(limits=AgentLimits(steps=steps + 1))
    waiting = list(tasks)[::-1]
    async with DockerHost(run_id="benchmark") as host, model.backend:

        async def work() -> None:
            while waiting:
                task = waiting.pop()
                proposal = await strategy.propose(task.issue, backend, host, Sampling())
                assert proposal.stop == "patch", proposal
                assert "looked at" in proposal.patch, proposal

        await asyncio.gather(*(work() for _ in range(workers)))


def _mini(tasks: Sequence[Task], workers: int, steps: int, python: Path, folder: Path) -> float:
    data = folder / "data"
    data.mkdir()
    rows = [
        {
            "instance_id": task.id,
            "image_name": task.issue.image,
            "problem_statement": task.issue.statement,
        }
        for task in tasks
    ]
    (data / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with _served(steps, ("bash", {"command": HAND_IN})) as url:
        options = [
            *("--subset", str(data), "--split", "test", "--workers", str(workers)),
            *("--output", str(folder / "out"), "--model", "openai/scripted"),
            *("-c", "swebench.yaml", "-c", "model.cost_tracking=ignore_errors"),
            *("-c", f"model.model_kwargs.api_base={url}"),
        ]
        seconds = _seconds(
            [str(python), "-m", "minisweagent.run.benchmarks.swebench", *options],
            OPENAI_API_KEY="none",
            MSWEA_CONFIGURED="true",
            MSWEA_SILENT_STARTUP="1",
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            HF_HUB_OFFLINE="1",
            HOME=str(folder),
        )
    done = json.loads((folder / "out" / "preds.json").read_text())
    assert all("looked at" in done[task.id]["model_patch"] for task in tasks), done
    return seconds


def _peer(folder: Path) -> Path:
    print("Installing mini-swe-agent ...", flush=True)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", "mini-swe-agent"], check=True)
    return python


if __name__ == "__main__":
    main()
