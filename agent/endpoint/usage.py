"""What an endpoint says that a request used and costs, in the forms in which providers say it.

Counts overlap differently: thinking is part of the completion tokens or stands beside them, shows
only in the total, and cached tokens are part of the prompt's or not. The sums decide which it is.
A usage that cannot be read is no usage; nobody is taken to have used nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
# The places of a count, as paths below the usage: relays repeat it, and some repeat it as 0.
_CACHED = (
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "cache_read_input_tokens",
)
_WRITTEN = (
    "prompt_tokens_details.cache_write_tokens",
    "prompt_tokens_details.cache_creation_tokens",
    "prompt_tokens_details.cache_creation_input_tokens",
    "prompt_tokens_details.caching_tokens",
    "input_tokens_details.cache_write_tokens",
    "cache_creation_input_tokens",
)
# Those that Anthropic counts beside its input, and relays as a part of it.
_APART_READ = ("cache_read_input_tokens",)
_APART_WRITTEN = ("cache_creation_input_tokens",)
_REASONING = (
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "output_tokens_details.thinking_tokens",
    "reasoning_tokens",
)
# As xAI counts.
_TICKS_PER_DOLLAR = 1e10
_COST_HEADER = "x-litellm-response-cost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """The tokens of one request; parts are never more than what they are part of."""

    input: int
    cached: int = 0
    """Part of `input`, read from the provider's cache."""
    cache_written: int = 0
    """Part of `input`, written to it."""
    output: int
    """Thinking included."""
    reasoning: int = 0
    """Part of `output`."""


def read_tokens(usage: object) -> Tokens | None:
    """Read the `usage` of an answer; None where it does not say how long the prompt was."""
    if not isinstance(usage, Mapping):
        return None
    prompt, completion = _first(usage, _INPUT), _first(usage, _OUTPUT)
    # No prompt is empty: where a proxy says 0, it does not know.
    if not prompt or completion is None:
        return None
    cached, written = _most(usage, _CACHED), _most(usage, _WRITTEN)
    reasoning = _most(usage, _REASONING)
    total = _count(usage, "total_tokens") or 0
    # Of these some are part of the prompt, and some beside it; all others are part of it.
    apart = _most(usage, _APART_READ) + _most(usage, _APART_WRITTEN)
    untold = max(total - prompt - completion, 0)
    is_thinking = untold == reasoning > 0
    if apart and ("prompt_tokens" not in usage or apart > prompt or untold == apart != reasoning):
        prompt += apart
        untold = max(total - prompt - completion, 0)
    elif cached + written > prompt and not is_thinking:
        prompt += cached + written
        untold = max(total - prompt - completion, 0)
    # What the total has beyond prompt and completion was thought; thinking that is more than the
    # completion cannot be part of it.
    output = completion + max(untold, reasoning if reasoning > completion else 0)
    return Tokens(
        input=prompt,
        cached=min(cached, prompt),
        cache_written=min(written, prompt - min(cached, prompt)),
        output=output,
        reasoning=min(max(reasoning, untold), output),
    )


def read_bill(body: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    """Return the US dollars that the provider says it bills for an answer, None where it does not.

    Credits and other currencies are no dollars, and are passed over.
    """
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    cost = usage.get("cost")
    if isinstance(cost, Mapping):
        cost = cost.get("total_cost")
    told = _dollars(cost)
    if told is not None and usage.get("is_byok") is True:
        # The fee alone: the upstream provider bills the user's own key besides.
        told += _dollars(_at(usage, "cost_details.upstream_inference_cost")) or 0.0
    if told is None:
        ticks = _dollars(usage.get("cost_in_usd_ticks"))
        told = None if ticks is None else ticks / _TICKS_PER_DOLLAR
    for other in (usage.get("estimated_cost"), _gateway_cost(body), body.get("cost")):
        told = _dollars(other) if told is None else told
    if told is None:
        # A proxy without a price says 0.0 here: that it knows none.
        told = _dollars(headers.get(_COST_HEADER)) or None
    return told


def _gateway_cost(body: Mapping[str, Any]) -> object:
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    for place in (body, first if isinstance(first, Mapping) else {}):
        for path in ("provider_metadata.gateway.cost", "message.provider_metadata.gateway.cost"):
            if (cost := _at(place, path)) is not None:
                return cost
    return None


def _at(value: Mapping[str, Any], path: str) -> object:
    found: object = value
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _count(usage: Mapping[str, Any], path: str) -> int | None:
    number = _dollars(_at(usage, path))
    return None if number is None else int(number)


def _first(usage: Mapping[str, Any], paths: tuple[str, ...]) -> int | None:
    return next((n for path in paths if (n := _count(usage, path)) is not None), None)


def _most(usage: Mapping[str, Any], paths: tuple[str, ...]) -> int:
    return max(_count(usage, path) or 0 for path in paths)


def _dollars(value: object) -> float | None:
    """Return a number of 0 or more, also one that stands in a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0.0 <= number < math.inf else None
