"""What was asked and run about one issue, so that no answer and no run is paid for twice.

An answer is known by its model, how it was drawn and every message; a run by the image, the script
and the patch. What failed is not known: it is tried again. What is reused counts as if it had been
had anew, so that what a method costs does not depend on what was asked before.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from agent.backend import (
    Backend,
    Book,
    Completion,
    Message,
    Sampling,
    Tool,
    ToolCall,
    Usage,
    no_book,
)
from agent.limits import AgentLimits
from agent.price import Price
from agent.reproduction import Bench
from agent.workspace import Observation, open_workspace
from eval.budget import Budgets
from eval.metered import MeteredBackend
from sandbox.sandbox import SandboxHost
from tasks.task import Issue

Known = dict[str, Any]
# Plain, as JSON has it.


class Evidence:
    """What is known of one issue, in memory unless it is told where else to look."""

    def __init__(
        self,
        find: Callable[[str], Known | None] | None = None,
        keep: Callable[[str, Known], None] | None = None,
    ) -> None:
        """`find` and `keep` block; what is kept is durable when `keep` returns."""
        known: dict[str, Known] = {}
        self._find = find or known.get
        self._keep = keep or known.__setitem__
        self.seconds = 0.0
        # That what was reused so far took when it was had.

    async def find(self, *question: object) -> Known | None:
        """Return what is known of a question, None where it was never answered."""
        return await asyncio.to_thread(self._find, _name(question))

    async def keep(self, known: Known, *question: object) -> None:
        """Keep the answer to a question."""
        await asyncio.to_thread(self._keep, _name(question), known)


class AskedOnce(MeteredBackend):
    """A metered model that is not asked again what is known; its meter counts that all the same."""

    def __init__(self, backend: Backend, price: Price, task_id: str, evidence: Evidence) -> None:
        super().__init__(backend, price, Budgets(), task_id)
        self._evidence = evidence

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        """Return the known answer, or draw one. Raises BackendError."""
        question = (self.name, sampling, *messages, *tools)
        known = await self._evidence.find(*question)
        if known is None:
            completion = await super().complete(messages, sampling, tools, book=book)
            await self._evidence.keep(dataclasses.asdict(completion), *question)
            return completion
        usage = Usage(**known["usage"])
        self._spending.book(usage)
        self._evidence.seconds += usage.seconds
        calls = tuple(ToolCall(**call) for call in known["tool_calls"])
        return Completion(**{**known, "usage": usage, "tool_calls": calls})


class RunOnce:
    """A bench that runs again nothing that is known; its workspace is opened when it has to."""

    def __init__(
        self,
        issue: Issue,
        sandboxes: SandboxHost,
        limits: AgentLimits,
        evidence: Evidence,
        stack: AsyncExitStack,
    ) -> None:
        """`stack` is what the workspace is left with."""
        self._issue = issue
        self._sandboxes = sandboxes
        self._limits = limits
        self._evidence = evidence
        self._stack = stack
        self._bench: Bench | None = None

    async def run(self, script: str, patch: str, *, timeout: float) -> Observation | None:
        """Do what `Bench.run` does. Raises SandboxError."""
        question = (self._issue.id, self._issue.image, script, patch, timeout)
        known = await self._evidence.find(*question)
        if known is None:
            if self._bench is None:
                opened = open_workspace(self._issue, self._sandboxes, self._limits)
                self._bench = Bench(await self._stack.enter_async_context(opened))
            seen = await self._bench.run(script, patch, timeout=timeout)
            # One that ran late may come to its end the next time.
            if seen is None or seen.exit_code is not None:
                await self._evidence.keep(dataclasses.asdict(seen) if seen else {}, *question)
            return seen
        if not known:
            return None
        observation = Observation(**known)
        self._evidence.seconds += observation.seconds
        return observation


@asynccontextmanager
async def open_bench(
    issue: Issue, sandboxes: SandboxHost, limits: AgentLimits, evidence: Evidence
) -> AsyncIterator[RunOnce]:
    """Lend a bench for an issue."""
    async with AsyncExitStack() as stack:
        yield RunOnce(issue, sandboxes, limits, evidence, stack)


def _name(question: Sequence[object]) -> str:
    plain = [
        dataclasses.asdict(one)
        if dataclasses.is_dataclass(one) and not isinstance(one, type)
        else one
        for one in question
    ]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
