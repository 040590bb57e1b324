"""How far one sample of an agent may go. What money it may cost is kept by its backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from agent.backend import BackendError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentLimits:
    """The first that is reached ends the sample; what was changed by then is its patch."""

    steps: int = 30
    # Requests to the model.
    tokens: int = 400_000
    # Input and output of all requests; none is sent that may pass it.
    seconds: float = 1_800.0
    # Wall time of the sample.
    command_seconds: float = 60.0
    # Of one command.
    observation_characters: int = 10_000
    # That the model is shown of one command's output.


class OutOfTimeError(BackendError):
    """A request was given up, because the time of its sample was over."""


async def within(seconds: float, limit: float, request: Awaitable[T]) -> T:
    """Wait for a request for what is left of a sample's `limit`. Raises OutOfTimeError."""
    clock = asyncio.timeout(max(seconds, 0.0))
    try:
        async with clock:
            return await request
    except TimeoutError:
        if not clock.expired():
            raise
        raise OutOfTimeError(f"no answer came within the limit of {limit:g} seconds") from None


def over_tokens(limits: AgentLimits) -> str:
    """Say why a sample ends whose next prompt and longest answer are more than it has left."""
    return f"the next request may pass the limit of {limits.tokens:,} tokens"
