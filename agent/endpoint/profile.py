"""The profile of a model: which form of a request its endpoint takes.

It begins with what a preset knows, is learnt from refusals (`agent/endpoint/learning.py`), and is
kept with the run, so that a refusal is met once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from agent.backend import Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelProfile:
    """What one model accepts. As it is made, it accepts everything."""

    api: Literal["chat", "responses"] = "chat"
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Of chat completions: what the limit of output tokens is called."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Settings that are not sent, each with the provider's words."""
    most_output_tokens: int | None = None
    stream: bool = True
    names_stream: bool = True
    """Whether a request says that it does not stream, where it does not."""
    stream_usage: bool = True
    """Whether a stream may be asked to end with its usage."""
    tells_usage: bool = True
    """Whether its answers, streamed or whole, tell what they used."""
    system_role: bool = True
    """Whether there may be a system message; else it opens the first message of the user."""
    examples: bool = True
    """Whether worked examples may be shown as turns that the model never took."""
    strict_turns: bool = False
    """Whether calls have ids of nine letters and digits and no text beside them, and nothing comes
    between a tool's message and the assistant's next one."""
    thinking_back: bool = True
    """Whether the thinking of earlier turns may be sent back."""
    empty_content: Literal["absent", "empty", "text"] = "absent"
    """How a turn that calls without a word is sent."""
    tool_names: bool = False
    """Whether the results of tools are sent with the names of the tools."""
    thinking_field: str = ""
    """Where every turn with calls has to have its thinking, also one that had none; "" for
    nowhere."""
    tools: bool = True
    thinks: bool = False
    """Whether it was seen to think before it answers."""
    context_window: int | None = None
    """Tokens, as a refusal told them."""
    highest_temperature: float = 2.0
    least_temperature: float = 0.0
    notes: tuple[str, ...] = ()
    """What was learnt, a sentence each."""

    def learnt(self, note: str, **changes: Any) -> ModelProfile:
        """Return the profile after one more thing was learnt; the note is a sentence about it."""
        return dataclasses.replace(self, notes=(*self.notes, note), **changes)

    def without(self, names: Mapping[str, str]) -> Mapping[str, str]:
        """Return what is left out once `names` are left out, too."""
        return {**self.left_out, **names}


def unavailable(sampling: Sampling, profile: ModelProfile, takes: Collection[str]) -> str:
    """Say why settings that were asked for are known not to be had; "" where they may be.

    `takes` are the settings that requests of this form have a place for.
    """
    highest, most = profile.highest_temperature, profile.most_output_tokens
    if sampling.temperature > highest:
        # Sent all the same, it would silently be lowered, and the record would be wrong.
        return (
            f"temperature {sampling.temperature:g} is above the highest that this endpoint takes: "
            f"choose at most {highest:g}"
        )
    if most and (sampling.max_tokens or 0) > most and "max_tokens" in sampling.required:
        return f"answers of this model have at most {most} tokens: give --max-tokens {most} or less"
    for name in sampling.required:
        if name != "max_tokens" and (name not in takes or name in profile.left_out):
            why = profile.left_out.get(name, "it is not among its settings")
            option = f"--{name.replace('_', '-')}"
            return f"the model does not take `{name}` ({why}): leave out {option}"
    return ""


_FORM = TypeAdapter(ModelProfile)


def profile_to_json(profile: ModelProfile) -> str:
    """Return a profile as text."""
    return _FORM.dump_json(profile, exclude_defaults=True).decode()


def profile_from_json(text: str) -> ModelProfile:
    """Read what `profile_to_json` wrote. Raises ValueError."""
    return _FORM.validate_json(text)
