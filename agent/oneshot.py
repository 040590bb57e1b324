"""The strategy `oneshot`: show the model what matters, ask once, and read its edits.

All samples of an issue share one prompt, made once; what differs between them is the draw. A model
that ranks the files is asked once for all of them, and the sample that was first pays for it. The
hints of an issue are not shown, since they often come from the discussion of the fix.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from agent.backend import (
    Backend,
    Completion,
    ContextOverflowError,
    Sampling,
    Usage,
    answer_limit,
)
from agent.editing.edits import EditResult, patch_from_answer
from agent.forms import form_for
from agent.prompts import MARGIN, ContextKind, Prompt, SharedPrompts
from agent.strategy import Proposal, ProposalStop, drawn_in_window
from agent.trajectory import Turn, turns_of
from sandbox.sandbox import SandboxHost
from tasks.task import Issue

_VERSIONS: Mapping[ContextKind, str] = {"bm25": "3", "rank": "3-rank-1", "files": "3-files-2"}


class Oneshot:
    """One prompt, one completion, one patch."""

    name = "oneshot"

    def __init__(self, *, context: ContextKind = "bm25", prompt_tokens: int | None = None) -> None:
        """Aim for prompts of `prompt_tokens`; by default as many as suit the model's window."""
        self.version = _VERSIONS[context] + (f"-{prompt_tokens}" if prompt_tokens else "")
        self._shared = SharedPrompts(context=context, prompt_tokens=prompt_tokens)

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        """Draw one candidate patch. Raises BackendError or SandboxError."""
        return await drawn_in_window(
            backend, lambda: self._propose(issue, backend, sandboxes, sampling)
        )

    async def _propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        started = time.monotonic()
        snapshot = await self._shared.snapshot(issue, sandboxes)
        ranking, new = await self._shared.ranking(issue, snapshot, backend)
        prompt = await self._shared.prompt(
            issue,
            snapshot,
            ranking,
            backend,
            form=form_for(backend.context_window),
            room=backend.context_window - answer_limit(sampling, backend) - MARGIN,
        )
        asked = (*new.turns, *turns_of(prompt.messages))
        try:
            completion = await _ask(prompt, backend, sampling)
        except ContextOverflowError as error:
            return Proposal(
                patch="",
                stop="context",
                note=str(error),
                usage=new.usage + (error.usage or Usage()),
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
            usage=new.usage + completion.usage,
            seconds=time.monotonic() - started,
            prompt_digest=prompt.digest,
            trajectory=(
                *asked,
                Turn(
                    message=completion.message,
                    usage=completion.usage,
                    seconds=completion.usage.seconds,
                ),
            ),
        )


async def _ask(prompt: Prompt, backend: Backend, sampling: Sampling) -> Completion:
    if not prompt.fits:
        raise ContextOverflowError(
            f"The issue and {answer_limit(sampling, backend)} tokens of answer do not fit into the "
            f"{backend.context_window} tokens of {backend.name}; lower the answer's limit."
        )
    return await backend.complete(prompt.messages, sampling)


def _stop(result: EditResult, completion: Completion) -> ProposalStop:
    """Say why it ended; what kept a useless answer from being whole comes first."""
    if result.stop != "patch" and completion.stop in {"length", "content_filter"}:
        return completion.stop
    return result.stop


def _note(result: EditResult, completion: Completion) -> str:
    cut = "the answer was cut off at the token limit" if completion.stop == "length" else ""
    return "; ".join(filter(None, [cut, result.note]))
