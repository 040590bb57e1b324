"""The contract of a strategy: from an issue to one independent candidate patch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.backend import Backend, Sampling, Usage
from agent.trajectory import Turn
from sandbox.sandbox import SandboxHost
from tasks.task import Issue

ProposalStop = Literal[
    "patch",
    "empty",
    "unusable",
    "length",
    "content_filter",
    "context",
    "steps",
    "tokens",
    "money",
    "seconds",
]
"""Why a proposal ended: with a patch; with nothing; with text that holds no usable edit;
cut off at the token limit; withheld by the provider; because the prompt cannot fit; or at the
limit of steps, tokens, money or seconds (what was changed by then is the patch). Earlier versions
called the limit of tokens "money"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What one run of a strategy produced."""

    patch: str
    # Unified diff against the base commit, "" when there is none.
    stop: ProposalStop
    note: str
    # Why there is no usable patch, or what had to be forgiven; "" when nothing.
    usage: Usage
    seconds: float
    prompt_digest: str
    # SHA-256 (hex) of the first prompt.
    trajectory: tuple[Turn, ...]
    # All that was said and done, in its order.
    variant: str = ""
    # Which of several prompts was drawn, "" when there is but one.


# Windows that are tried; each is smaller than the one before.
_WINDOWS = 3


class Strategy(Protocol):
    """Draws independent samples; nothing leaks from one to another."""

    @property
    def name(self) -> str:
        """The word of the command line, such as `oneshot`."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same model would be asked differently."""
        ...

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        """Draw one. Raises BackendError or SandboxError, which are failures, not answers."""
        ...


async def drawn_in_window(backend: Backend, draw: Callable[[], Awaitable[Proposal]]) -> Proposal:
    """Draw a proposal, and again where a refusal has told that the window is smaller.

    A prompt that does not fit is refused before it costs anything.
    """
    for _ in range(_WINDOWS):
        window = backend.context_window
        proposal = await draw()
        if proposal.stop != "context" or backend.context_window >= window:
            return proposal
    return await draw()
