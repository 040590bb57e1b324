"""How far one sample of an agent may go. What money it may cost is kept by its backend."""

from __future__ import annotations

from dataclasses import dataclass


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


def over_tokens(limits: AgentLimits) -> str:
    """Say why a sample ends whose next prompt and longest answer are more than it has left."""
    return f"the next request may pass the limit of {limits.tokens:,} tokens"
