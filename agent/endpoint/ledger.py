"""The ledger of one model: what each attempt used, and what it costs where the provider tells.

What the provider does not tell is estimated high, and marked: unknown is never zero. An estimate
heeds what was seen of the model so far: how long its answers are, by how much they pass the limit
of output tokens, and by how much its bills pass the price list.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from agent.backend import Usage
from agent.endpoint.estimate import estimate_prompt, estimate_tokens
from agent.endpoint.usage import Tokens
from agent.endpoint.wire import Answer, Asked
from agent.price import Price

LEAST_LOST = 8_192
"""Output tokens that an answer of which nothing is known is taken to have had, within its limit."""
TIMES_LONGEST = 3
"""How many times as long as the longest answer a lost one is taken to have been at most."""


@dataclass(kw_only=True, slots=True)
class _Seen:
    """The extremes of a model's answers and bills so far."""

    bills: int = 0
    """Bills, those of nothing included."""
    longest: int = 0
    """Output tokens of an answer."""
    over_limit: float = 1.0
    """An answer as a multiple of its limit of output tokens."""
    over_list: float = 1.0
    """A bill as a multiple of the price list."""
    dearest: float = 0.0
    """US dollars of a bill."""
    per_token: float = 0.0
    """US dollars of a bill for each output token of its answer."""


class Ledger:
    """What was seen of a model's answers and bills; it makes the usage of the next attempt.

    What an attempt costs by the price list is told for the time when it was `sent`.
    """

    def __init__(self, price: Price) -> None:
        self._price = price
        self._seen = _Seen()

    def memory(self) -> dict[str, float]:
        """Return what was seen, for a later session."""
        return dataclasses.asdict(self._seen)

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from what was seen in an earlier session."""
        self._seen = _Seen(**memory)

    def answered(self, answer: Answer, asked: Asked, sent: dt.datetime) -> Usage:
        """Return the usage of a whole answer."""
        seen = self._seen
        if answer.tokens is not None:
            usage = _metered(answer.tokens)
            seen.longest = max(seen.longest, usage.output_tokens)
            seen.over_limit = max(seen.over_limit, usage.output_tokens / asked.limit)
            if answer.bill is None:
                return dataclasses.replace(usage, unbilled_calls=1)
        elif seen.longest or answer.thinking or answer.stop == "length":
            # It may have thought besides, or its usage got lost on the way.
            usage = self._estimated(asked, 0)
        else:
            calls = (call.arguments for call in answer.tool_calls)
            said = sum(map(estimate_tokens, [answer.text, *calls]))
            usage = dataclasses.replace(self._estimated(asked, 0), output_tokens=said)
        if answer.bill is None:
            return self._priced(usage, sent)
        listed = self._listed(usage, sent)
        seen.bills += 1
        seen.dearest = max(seen.dearest, answer.bill)
        seen.per_token = max(seen.per_token, answer.bill / max(usage.output_tokens, 1))
        if listed:
            seen.over_list = max(seen.over_list, answer.bill / listed)
        return dataclasses.replace(usage, billed_calls=1, billed=answer.bill, billed_at_list=listed)

    def lost(
        self, asked: Asked, sent: dt.datetime, *, received: int = 0, told: Tokens | None = None
    ) -> Usage:
        """Return the usage of an answer that never came whole.

        `received` are its bytes; `told` is what was told of it by then, which is the least.
        """
        usage = self._estimated(asked, received // 4)
        if told is not None:
            usage = dataclasses.replace(
                _metered(told),
                output_tokens=max(told.output, usage.output_tokens),
                estimated_calls=1,
            )
        return self._priced(usage, sent)

    def withheld(self, asked: Asked, sent: dt.datetime) -> Usage:
        """Return the usage of a prompt that was rejected."""
        usage = dataclasses.replace(self._estimated(asked, 0), output_tokens=0)
        return self._priced(usage, sent)

    def _estimated(self, asked: Asked, at_least: int) -> Usage:
        likely = max(TIMES_LONGEST * self._seen.longest, LEAST_LOST, at_least)
        most = int(asked.limit * self._seen.over_limit)
        return Usage(
            input_tokens=estimate_prompt(asked.messages, asked.tools),
            output_tokens=min(likely, most),
            estimated_calls=1,
        )

    def _listed(self, usage: Usage, sent: dt.datetime) -> float:
        """Return what a request costs by the price list, 0 where that is unknown."""
        return self._price.at(sent, usage.input_tokens).list_cost(usage) or 0.0

    def _priced(self, usage: Usage, sent: dt.datetime) -> Usage:
        """Let an estimate cost what such calls were billed, where the provider tells bills."""
        seen = self._seen
        # A memory of an earlier version has no count of bills.
        if not (seen.bills or seen.dearest):
            return dataclasses.replace(usage, unbilled_calls=1)
        listed = self._listed(usage, sent)
        by_length = seen.per_token * usage.output_tokens
        billed = max(listed * seen.over_list, seen.dearest, 0.0 if listed else by_length)
        return dataclasses.replace(usage, billed=billed, billed_at_list=listed)


def _metered(tokens: Tokens) -> Usage:
    return Usage(
        input_tokens=tokens.input,
        cached_tokens=tokens.cached,
        cache_write_tokens=tokens.cache_written,
        output_tokens=tokens.output,
        reasoning_tokens=tokens.reasoning,
    )
