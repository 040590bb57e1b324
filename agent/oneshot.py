"""The strategy `oneshot`: show the model what matters, ask once, and read its edits.

All samples of an issue share one prompt, made once; what differs between them is the draw. A model
that ranks the files is asked once for all of them, and the sample that was first pays for it. The
hints of an issue are not shown, since they often come from the discussion of the fix.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.backend import Backend, Completion, ContextOverflowError, Message, Sampling, Usage
from agent.editing.edits import EditResult, patch_from_answer
from agent.forms import SMALL_WINDOW, form_for
from agent.reading.context import likely_tokens, repository_context, shortened
from agent.reading.ranking import Ranker, Ranking, by_model, by_words
from agent.reading.snapshot import RepositorySnapshot, read_snapshot
from agent.strategy import Proposal, ProposalStop
from agent.trajectory import Turn, turns_of
from sandbox.sandbox import SandboxHost
from tasks.task import Issue

_SMALL_PROMPT, _LARGE_PROMPT = 1_100, 24_000
# Tokens. Small models, which have small windows, lose the thread of a longer prompt.
_MARGIN = 64
# Tokens kept free for what a chat template adds.
_LEAST_CONTEXT = 200
_TRIES = 4
_KEPT_CHARACTERS = 400_000_000
# Of snapshots; the oldest go first.
_KEPT_PROMPTS = 4_096

ContextKind = Literal["bm25", "rank", "files"]
"""What is shown: the pieces of code that the words of the issue point to; those in the files that
the model itself names first; or the files that the words point to, as many whole as fit."""

_RANKERS: Mapping[ContextKind, Ranker] = {"bm25": by_words, "rank": by_model, "files": by_words}
_VERSIONS: Mapping[ContextKind, str] = {"bm25": "3", "rank": "3-rank-1", "files": "3-files-1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prompt:
    messages: tuple[Message, ...]
    shown: tuple[str, ...]
    digest: str
    fits: bool


class Oneshot:
    """One prompt, one completion, one patch."""

    name = "oneshot"

    def __init__(self, *, context: ContextKind = "bm25", prompt_tokens: int | None = None) -> None:
        """Aim for prompts of `prompt_tokens`; by default as many as suit the model's window."""
        self.version = _VERSIONS[context] + (f"-{prompt_tokens}" if prompt_tokens else "")
        self._context = context
        self._prompt_tokens = prompt_tokens
        self._snapshots: OrderedDict[Hashable, RepositorySnapshot] = OrderedDict()
        self._prompts: OrderedDict[Hashable, _Prompt] = OrderedDict()
        self._locks: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        """Draw one candidate patch. Raises BackendError or SandboxError."""
        started = time.monotonic()
        snapshot = await self._snapshot(issue, sandboxes)
        prompt, ranking = await self._prompt(issue, snapshot, backend, sampling)
        asked = (*ranking.turns, *turns_of(prompt.messages))
        try:
            completion = await _ask(prompt, backend, sampling)
        except ContextOverflowError as error:
            return Proposal(
                patch="",
                stop="context",
                note=str(error),
                usage=ranking.usage + (error.usage or Usage()),
                seconds=time.monotonic() - started,
                prompt_digest=prompt.digest,
                trajectory=asked,
            )
        result = await asyncio.to_thread(
            patch_from_answer,
            completion.text,
            snapshot,
            shown=prompt.shown,
            cut_off=completion.stop == "length",
        )
        return Proposal(
            patch=result.patch,
            stop=_stop(result, completion),
            note=_note(result, completion),
            usage=ranking.usage + completion.usage,
            seconds=time.monotonic() - started,
            prompt_digest=prompt.digest,
            trajectory=(
                *asked,
                Turn(
                    message=Message(role="assistant", content=completion.text),
                    usage=completion.usage,
                    seconds=completion.usage.seconds,
                ),
            ),
        )

    async def _snapshot(self, issue: Issue, sandboxes: SandboxHost) -> RepositorySnapshot:
        key = (issue.image, issue.workdir, issue.base_commit)
        async with self._locks[key]:
            if key not in self._snapshots:
                self._snapshots[key] = await read_snapshot(issue, sandboxes)
            self._snapshots.move_to_end(key)
            snapshot = self._snapshots[key]
        while len(self._snapshots) > 1 and self._characters() > _KEPT_CHARACTERS:
            self._snapshots.popitem(last=False)
        return snapshot

    def _characters(self) -> int:
        return sum(snapshot.size for snapshot in self._snapshots.values())

    async def _prompt(
        self, issue: Issue, snapshot: RepositorySnapshot, backend: Backend, sampling: Sampling
    ) -> tuple[_Prompt, Ranking]:
        """Return the prompt, and what was asked to make it: nothing when it was there already."""
        ranking = Ranking(order=())
        key = (issue, backend.name, backend.context_window, sampling.max_tokens)
        async with self._locks[key]:
            if key not in self._prompts:
                room = backend.context_window - sampling.max_tokens - _MARGIN
                rank = _RANKERS[self._context]
                ranking = await rank(issue.statement, snapshot.texts, backend, sampling.max_tokens)
                self._prompts[key] = await self._fitted(issue, snapshot, ranking, backend, room)
            self._prompts.move_to_end(key)
            prompt = self._prompts[key]
        if len(self._prompts) > _KEPT_PROMPTS:
            self._prompts.popitem(last=False)
        return prompt, ranking

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
        room: int,
    ) -> _Prompt:
        """Make the prompt, and make it smaller until the model's own count is within `room`."""
        form = form_for(backend.context_window)
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
        return _Prompt(
            messages=messages, shown=context.shown, digest=_digest(messages), fits=excess <= 0
        )


async def _ask(prompt: _Prompt, backend: Backend, sampling: Sampling) -> Completion:
    if not prompt.fits:
        raise ContextOverflowError(
            f"The issue and {sampling.max_tokens} tokens of answer do not fit into the "
            f"{backend.context_window} tokens of {backend.name}; lower the answer's limit."
        )
    return await backend.complete(prompt.messages, sampling)


def _digest(messages: Sequence[Message]) -> str:
    turns = [[message.role, message.content] for message in messages]
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


def _stop(result: EditResult, completion: Completion) -> ProposalStop:
    """Say why it ended; what kept a useless answer from being whole comes first."""
    if result.stop != "patch" and completion.stop in {"length", "content_filter"}:
        return completion.stop
    return result.stop


def _note(result: EditResult, completion: Completion) -> str:
    cut = "the answer was cut off at the token limit" if completion.stop == "length" else ""
    return "; ".join(filter(None, [cut, result.note]))
