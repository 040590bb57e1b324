"""A backend that asks the budget before it sends and tells it afterwards what was spent."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from agent.backend import (
    Backend,
    BackendError,
    BackendUnusableError,
    Completion,
    Message,
    Sampling,
    Usage,
)
from agent.price import Price
from eval.budget import Budget


class BudgetSpentError(Exception):
    """The next request might pass the budget, so it was not sent."""


class MeteredBackend:
    """Lends an entered backend to one sample; every request is reserved and then settled."""

    def __init__(self, backend: Backend, price: Price, budget: Budget) -> None:
        self._backend = backend
        self._price = price
        self._budget = budget
        self.usage = Usage()
        # What this sample has used so far, failed attempts included.

    @property
    def name(self) -> str:
        """The name of the model behind."""
        return self._backend.name

    @property
    def in_flight(self) -> int:
        """The limit of the model behind."""
        return self._backend.in_flight

    @property
    def context_window(self) -> int:
        """The window of the model behind, in tokens."""
        return self._backend.context_window

    async def __aenter__(self) -> Self:
        """Do nothing: the backend behind is entered once for all samples."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing."""

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Ask the backend behind."""
        return await self._backend.count_tokens(messages)

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Draw one completion within the budget. Raises BudgetSpentError besides BackendError."""
        if self._budget.limit is None:
            reserved = 0.0
        else:
            tokens = await self._backend.count_tokens(messages)
            bound = self._price.bound(tokens, sampling.max_tokens)
            if bound is None:
                raise BackendUnusableError(
                    f"The price of {self.name} is unknown, so a budget cannot be kept: "
                    "give it with --price, or leave out --budget.",
                    bad_input=True,
                )
            reserved = bound
            if not await self._budget.reserve(reserved):
                raise BudgetSpentError
        usage = Usage()
        try:
            completion = await self._backend.complete(messages, sampling)
            usage = completion.usage
        except BackendError as error:
            usage = error.usage or usage
            raise
        finally:
            self.usage += usage
            await self._budget.settle(reserved, self._price.cost(usage) or 0.0)
        return completion
