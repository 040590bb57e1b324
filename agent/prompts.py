"""What all samples of an issue share: its repository as it was read, and the prompts made from it.

Both are made once, while whoever else needs them waits, and are forgotten when there are many. A
failure is not remembered. That a prompt fits is the model's own count; where none does, it says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.backend import Backend, Message
from agent.forms import SMALL_WINDOW, Form
from agent.reading.context import likely_tokens, repository_context, shortened
from agent.reading.ranking import Ranker, Ranking, by_model, by_words
from agent.reading.snapshot import RepositorySnapshot, read_snapshot
from sandbox.sandbox import SandboxHost
from tasks.task import Issue

ContextKind = Literal["bm25", "rank", "files"]
"""What is shown: the pieces of code that the words of the issue point to; those in the files that
the model itself names first; or the files that the words point to, as many whole as fit."""

MARGIN = 64
"""Tokens kept free for what a chat template adds."""

_SMALL_PROMPT, _LARGE_PROMPT = 1_100, 24_000
# Tokens. Small models, which have small windows, lose the thread of a longer prompt.
_LEAST_CONTEXT = 200
_TRIES = 4
_KEPT_CHARACTERS = 400_000_000
# Of snapshots; the oldest go first.
_KEPT_PROMPTS = 8_192

_RANKERS: Mapping[ContextKind, Ranker] = {"bm25": by_words, "rank": by_model, "files": by_words}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """A question about an issue, and the code that it is asked about."""

    messages: tuple[Message, ...]
    shown: tuple[str, ...]
    # Paths of the files of which at least a part is in it.
    digest: str
    # SHA-256 (hex) of the messages.
    fits: bool


class SharedPrompts:
    """Makes prompts and reads repositories, each once."""

    def __init__(self, *, context: ContextKind = "bm25", prompt_tokens: int | None = None) -> None:
        """Aim for prompts of `prompt_tokens`; by default as many as suit the model's window."""
        self._context = context
        self._prompt_tokens = prompt_tokens
        self._snapshots: OrderedDict[Hashable, RepositorySnapshot] = OrderedDict()
        self._rankings: OrderedDict[Hashable, Ranking] = OrderedDict()
        self._prompts: OrderedDict[Hashable, Prompt] = OrderedDict()
        self._locks: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def snapshot(self, issue: Issue, sandboxes: SandboxHost) -> RepositorySnapshot:
        """Return the repository of an issue. Raises SandboxError."""
        key = (issue.image, issue.workdir, issue.base_commit)
        async with self._locks[key]:
            if key in self._snapshots:
                self._snapshots.move_to_end(key)
                return self._snapshots[key]
            snapshot = self._snapshots[key] = await read_snapshot(issue, sandboxes)
        while len(self._snapshots) > 1 and self._characters() > _KEPT_CHARACTERS:
            self._snapshots.popitem(last=False)
        return snapshot

    async def ranking(
        self, issue: Issue, snapshot: RepositorySnapshot, backend: Backend
    ) -> tuple[Ranking, Ranking]:
        """Rank the files; return that, and what of it is new here, which somebody has to pay for.

        Raises BackendError.
        """
        key = (issue, backend.name)
        new = Ranking(order=())
        async with self._locks[key]:
            if key not in self._rankings:
                rank = _RANKERS[self._context]
                new = await rank(issue.statement, snapshot.texts, backend)
                self._rankings[key] = new
            self._rankings.move_to_end(key)
            ranking = self._rankings[key]
        if len(self._rankings) > _KEPT_PROMPTS:
            self._rankings.popitem(last=False)
        return ranking, new

    async def prompt(
        self,
        issue: Issue,
        snapshot: RepositorySnapshot,
        ranking: Ranking,
        backend: Backend,
        *,
        form: Form,
        room: int,
    ) -> Prompt:
        """Return the prompt in a form, made to be within `room` tokens."""
        key = (issue, backend.name, backend.context_window, form, room)
        async with self._locks[key]:
            if key not in self._prompts:
                self._prompts[key] = await self._fitted(
                    issue, snapshot, ranking, backend, form=form, room=room
                )
            self._prompts.move_to_end(key)
            prompt = self._prompts[key]
        if len(self._prompts) > _KEPT_PROMPTS:
            self._prompts.popitem(last=False)
        return prompt

    def _characters(self) -> int:
        return sum(snapshot.size for snapshot in self._snapshots.values())

    def _aim(self, window: int) -> int:
        """Tokens of a prompt that suit a window, and what is to be shown."""
        if self._prompt_tokens:
            return self._prompt_tokens
        if self._context == "files":
            return min(window // 2, _LARGE_PROMPT)
        return min(_SMALL_PROMPT + max(window - SMALL_WINDOW, 0) // 4, _LARGE_PROMPT)

    async def _fitted(
        self,
        issue: Issue,
        snapshot: RepositorySnapshot,
        ranking: Ranking,
        backend: Backend,
        *,
        form: Form,
        room: int,
    ) -> Prompt:
        """Make the prompt, and make it smaller until the model's own count is within `room`."""
        aim = min(self._aim(backend.context_window), room)
        shared = form.shared
        fixed = sum(likely_tokens(message.content) for message in shared)
        if fixed > room // 2:
            shared = shared[:1]  # The examples would take the room of the code.
            fixed = likely_tokens(shared[0].content)
        statement = issue.statement
        fixed += likely_tokens(form.question) + likely_tokens(statement)
        budget = max(aim - fixed, aim // 3)
        if form.code_tokens and self._context != "files" and not self._prompt_tokens:
            budget = min(budget, form.code_tokens)
        tries = 0
        while True:
            tries += 1
            context = await asyncio.to_thread(
                repository_context,
                statement,
                snapshot.texts,
                budget,
                order=ranking.order,
                whole=self._context == "files",
                mapped=form.mapped,
            )
            text = form.question.format(context=context.text, statement=statement.strip())
            messages = (*shared, Message(role="user", content=text))
            excess = await backend.count_tokens(messages) - room
            if excess <= 0 or tries == _TRIES:
                break
            if budget - excess < _LEAST_CONTEXT:
                statement = shortened(statement, budget + likely_tokens(statement) - excess)
            budget = max(budget - excess, _LEAST_CONTEXT)
        return Prompt(
            messages=messages, shown=context.shown, digest=_digest(messages), fits=excess <= 0
        )


def _digest(messages: Sequence[Message]) -> str:
    turns = [[message.role, message.content] for message in messages]
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()
