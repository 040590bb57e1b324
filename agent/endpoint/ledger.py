"""The ledger of one model: what each attempt used, and what it costs where the provider tells.

What the provider does not tell is estimated high, and marked: unknown is never zero. An estimate
heeds what was seen of the model so far: how long its answers are, by how much they pass the limit
of output tokens, and by how much its bills pass the price list.
"""

from __future__ import annotations

import dataclasses

from agent.backend import Usage
from agent.endpoint.estimate import estimate_prompt, estimate_tokens
from agent.endpoint.usage import Tokens
from agent.endpoint.wire import Answer, Asked
from agent.price import Price

LEAST_LOST = 4_096
"""Output tokens that an answer of which nothing is known is taken to have had, within its limit."""


class Ledger:
    """What was seen of a model's answers and bills; it makes the usage of the next attempt."""

    def __init__(self, price: Price) -> None:
        self._price = price
        # Output tokens of the longest answer; the largest ratio of an answer to its limit, and of a
        # bill to the price list; US dollars of the dearest bill.
        self._longest = 0
        self._over_limit = 1.0
        self._over_list = 1.0
        self._dearest = 0.0

    def answered(self, answer: Answer, asked: Asked) -> Usage:
        """Return the usage of a whole answer."""
        if answer.tokens is not None:
            usage = _metered(answer.tokens)
            self._longest = max(self._longest, usage.output_tokens)
            self._over_limit = max(self._over_limit, usage.output_tokens / asked.limit)
            if answer.bill is None:
                return dataclasses.replace(usage, unbilled_calls=1)
        elif self._longest or answer.thinking or answer.stop == "length":
            # It may have thought besides, or its usage got lost on the way.
            usage = self._estimated(asked, 0)
        else:
            calls = (call.arguments for call in answer.tool_calls)
            said = sum(map(estimate_tokens, [answer.text, *calls]))
            usage = dataclasses.replace(self._estimated(asked, 0), output_tokens=said)
        if answer.bill is None:
            return self._priced(usage)
        listed = self._price.list_cost(usage) or 0.0
        self._dearest = max(self._dearest, answer.bill)
        if listed:
            self._over_list = max(self._over_list, answer.bill / listed)
        return dataclasses.replace(usage, billed_calls=1, billed=answer.bill, billed_at_list=listed)

    def lost(self, asked: Asked, *, received: int = 0, told: Tokens | None = None) -> Usage:
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
        return self._priced(usage)

    def withheld(self, asked: Asked) -> Usage:
        """Return the usage of a prompt that was rejected."""
        return self._priced(dataclasses.replace(self._estimated(asked, 0), output_tokens=0))

    def _estimated(self, asked: Asked, at_least: int) -> Usage:
        likely = max(2 * self._longest, LEAST_LOST, at_least)
        most = int(asked.limit * self._over_limit)
        return Usage(
            input_tokens=estimate_prompt(asked.messages, asked.tools),
            output_tokens=min(likely, most),
            estimated_calls=1,
        )

    def _priced(self, usage: Usage) -> Usage:
        """Let an estimate cost what such calls were billed, where the provider tells bills."""
        if not self._dearest:
            return dataclasses.replace(usage, unbilled_calls=1)
        listed = self._price.list_cost(usage) or 0.0
        billed = max(listed * self._over_list, self._dearest)
        return dataclasses.replace(usage, billed=billed, billed_at_list=listed)


def _metered(tokens: Tokens) -> Usage:
    return Usage(
        input_tokens=tokens.input,
        cached_tokens=tokens.cached,
        cache_write_tokens=tokens.cache_written,
        output_tokens=tokens.output,
        reasoning_tokens=tokens.reasoning,
    )
