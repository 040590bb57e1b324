"""Generated tokens per second: `ksolve run` against a bare client on the same server.

A local vLLM server is started once. The bare client is asyncio and `httpx2` and nothing else: it
sends the requests that ksolve's samples consist of, as they were recorded, with the same number
in flight. Both sides find the prefix cache warm: a first bare pass, which is not counted, reads
every prompt. Then come a bare pass, a whole sweep of ksolve (prompts, edits, store, verification
in containers) and a bare pass again, so that a machine that slows down does so for both.

ksolve's time is from its first request to its last answer; what verification takes after that is
printed beside it. Where the server computes on the processor, verification competes with it.

    python -m benchmarks.sampling_vs_raw --model qwen2.5-coder-0.5b --samples 16
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2 as httpx

from agent.backend import Book, Completion, Message, Sampling, Tool, no_book
from agent.local.vllm import ManagedVllm
from agent.models import Model
from agent.oneshot import Oneshot
from agent.price import Price
from eval.plan import Plan, Solver
from eval.sample import SampleKey
from eval.store import Store
from eval.sweep import Sweep
from eval.verifier import Verifier
from ksolve.commands.demo import TASKS
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.load import load_tasks
from tasks.task import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What one side got out of the server."""

    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        """Generated tokens per second."""
        return self.tokens / self.seconds


class Recorder:
    """Lends a running server to a sweep and keeps what was asked of it, and when."""

    def __init__(self, behind: ManagedVllm) -> None:
        self._behind = behind
        self.requests: list[tuple[Sequence[Message], Sampling]] = []
        self.tokens = 0
        self.first = 0.0
        self.last = 0.0

    @property
    def name(self) -> str:
        """The name of the model behind."""
        return self._behind.name

    @property
    def in_flight(self) -> int:
        """The limit of the model behind."""
        return self._behind.in_flight

    @property
    def context_window(self) -> int:
        """The window of the model behind, in tokens."""
        return self._behind.context_window

    @property
    def answer_tokens(self) -> int:
        """Of the server."""
        return self._behind.answer_tokens

    @property
    def uses_processor(self) -> bool:
        """As the server says."""
        return self._behind.uses_processor

    async def __aenter__(self) -> Self:
        """Do nothing: the server is the benchmark's, not the sweep's."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing either."""

    async def count_tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Ask the server."""
        return await self._behind.count_tokens(messages, tools)

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        """Ask the server, and write down what was asked and what came of it."""
        self.first = self.first or time.monotonic()
        self.requests.append((messages, sampling))
        completion = await self._behind.complete(messages, sampling, tools, book=book)
        self.tokens += completion.usage.output_tokens
        self.last = time.monotonic()
        return completion


def main() -> None:
    """Run both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    asyncio.run(_compare(parser.parse_args()))


async def _compare(arguments: argparse.Namespace) -> None:
    tasks = load_tasks("starter", ids=TASKS)
    sampling = Sampling(max_tokens=arguments.max_tokens, seed=0)
    server = ManagedVllm(
        name=f"vllm:{arguments.model}", model=arguments.model, in_flight=arguments.in_flight
    )
    async with DockerHost(run_id="benchmark") as host, server:
        for task in tasks:
            await ensure_image(host, task.issue.image, task.build, lambda _: None)
        prompts = await _prompts(tasks, server, host, sampling)
        recorder = Recorder(server)
        solver = Solver(
            model=Model(name=server.name, backend=recorder, price=Price(hour=0.1)),
            strategy=Oneshot(),
            sampling=sampling,
        )
        requests = [
            (prompt, solver.sampling_of(_key(solver, task, index)))
            for task, prompt in zip(tasks, prompts, strict=True)
            for index in range(arguments.samples)
        ]
        await _bare(server, arguments.model, requests)
        before = await _bare(server, arguments.model, requests)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
            plan = Plan(tasks=tasks, solvers=[solver], samples=arguments.samples)
            verifier = Verifier(host, workers=arguments.workers)
            await Sweep(plan, store, host, verifier=verifier, workers=arguments.workers).run()
            verified = sum(row.outcome is not None for row in store.rows())
        whole = time.monotonic() - started
        after = await _bare(server, arguments.model, requests)
    ours = Pass(tokens=recorder.tokens, seconds=recorder.last - recorder.first)
    assert sorted(map(repr, recorder.requests)) == sorted(map(repr, requests)), "not the same"
    bare = Pass(tokens=before.tokens + after.tokens, seconds=before.seconds + after.seconds)
    print(f"{len(requests)} requests, {arguments.in_flight} in flight, {arguments.model}")
    print(f"bare client, before   {before.rate:6.1f} tokens/s ({before.seconds:.1f} s)")
    print(f"ksolve                {ours.rate:6.1f} tokens/s ({ours.seconds:.1f} s)")
    print(f"bare client, after    {after.rate:6.1f} tokens/s ({after.seconds:.1f} s)")
    print(f"ratio                 {ours.rate / bare.rate:6.2f}  (must be 0.85, goal 0.95)")
    print(f"ksolve as a whole     {whole:6.1f} s, {verified} samples verified")


def _key(solver: Solver, task: Task, index: int) -> SampleKey:
    return SampleKey(task_id=task.id, model=solver.model.name, strategy=solver.name, index=index)


async def _prompts(
    tasks: Sequence[Task], server: ManagedVllm, host: DockerHost, sampling: Sampling
) -> list[Sequence[Message]]:
    """Return the prompt of each task: what one sample of it sends."""
    recorder = Recorder(server)
    strategy = Oneshot()
    one = dataclasses.replace(sampling, max_tokens=sampling.max_tokens)
    for task in tasks:
        await strategy.propose(task.issue, recorder, host, one)
    return [messages for messages, _ in recorder.requests]


async def _bare(
    server: ManagedVllm, model: str, requests: Sequence[tuple[Sequence[Message], Sampling]]
) -> Pass:
    """Send all, the first of each prompt like the others."""
    url, key = server.address
    waiting = list(requests)[::-1]
    tokens = 0
    limits = httpx.Limits(max_connections=server.in_flight)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        headers=headers, timeout=None, limits=limits, trust_env=False
    ) as client:

        async def work() -> None:
            nonlocal tokens
            while waiting:
                messages, sampling = waiting.pop()
                body: dict[str, Any] = {
                    "model": model,
                    "messages": [{"role": m.role, "content": m.content} for m in messages],
                    "temperature": sampling.temperature,
                    "top_p": sampling.top_p,
                    "seed": sampling.seed,
                    "max_tokens": sampling.max_tokens,
                }
                answer = await client.post(f"{url}/chat/completions", json=body)
                tokens += answer.json()["usage"]["completion_tokens"]

        started = time.monotonic()
        await asyncio.gather(*(work() for _ in range(server.in_flight)))
        return Pass(tokens=tokens, seconds=time.monotonic() - started)


if __name__ == "__main__":
    main()
