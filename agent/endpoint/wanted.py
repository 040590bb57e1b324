"""A completion that is wanted, and what an endpoint was seen to take of such requests."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.backend import Book, Message, Sampling, Tool
from agent.endpoint.profile import ModelProfile
from agent.endpoint.wire import Request


@dataclass(kw_only=True, slots=True)
class Wanted:
    """A completion that is wanted, and how far the asking for it has come."""

    messages: Sequence[Message]
    sampling: Sampling
    tools: Sequence[Tool]
    book: Book
    limit: int
    """Output tokens that the answer may have."""
    profile: ModelProfile | None = None
    """What was learnt by refusals and is not confirmed yet: it outlasts retries."""

    @property
    def shape(self) -> Hashable:
        """What of it an endpoint may take or not, whatever its words are."""
        sampling = self.sampling
        turns = [
            (
                message.role,
                message.is_example,
                len(message.tool_calls) > 1,
                bool(message.tool_calls),
                bool(message.content),
                bool(message.provider_data),
            )
            for message in self.messages
        ]
        return (
            sampling.temperature,
            sampling.top_p,
            sampling.seed is None,
            sampling.reasoning_effort,
            sampling.extra_body,
            bool(self.tools),
            turns[0],
            frozenset(pairwise(turns)),
        )


class Taken:
    """The requests that an endpoint took in this session, by what they have in common."""

    def __init__(self) -> None:
        # The largest limit of output tokens that was taken with each shape.
        self._limits: dict[Hashable, int] = {}
        self.fields: set[str] = set()
        """Fields that a request had."""
        self.has_tools = False
        """Whether one had tools."""

    def add(self, wanted: Wanted, request: Request) -> None:
        """Take note of a request."""
        shape = wanted.shape
        self._limits[shape] = max(self._limits.get(shape, 0), wanted.limit)
        self.fields.update(request.body, request.settings)
        self.has_tools |= bool(wanted.tools)

    def __contains__(self, wanted: Wanted) -> bool:
        """Whether such a request was taken."""
        return self._limits.get(wanted.shape, 0) >= wanted.limit
