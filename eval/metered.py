"""A backend that asks the budget before it sends and tells it afterwards what was spent."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from agent.backend import (
    Backend,
    BackendError,
    BackendUnusableError,
    Book,
    Completion,
    LimitReachedError,
    Message,
    Sampling,
    Tool,
    Usage,
    no_book,
)
from agent.price import Price
from eval.budget import Budget, Budgets
from eval.spending import Clock, Spending, utc_now

LEAST_ANSWER = 1_024
"""Output tokens below which a limit that nobody asked for is not lowered to fit into a budget."""


class BudgetSpentError(Exception):
    """The next request might pass a budget, so it was not sent: the run's, or one issue's."""

    def __init__(self, *, issue_only: bool) -> None:
        super().__init__()
        self.issue_only = issue_only


class MeteredBackend:
    """Lends an entered backend to one sample; every request is reserved and then settled."""

    def __init__(
        self,
        backend: Backend,
        price: Price,
        budgets: Budgets,
        task_id: str,
        *,
        now: Clock = utc_now,
    ) -> None:
        """`now` tells the time, by which the price of a request may differ."""
        self._backend = backend
        self._price = price
        self._now = now
        self._spending = Spending(price, now)
        self._run = budgets.run
        self._issue = budgets.issue(task_id)
        self._sample = budgets.sample()
        self._bills = budgets.bills(backend.name)
        self.sent: Mapping[str, Any] = {}
        """The settings that really were in its last request."""

    @property
    def usage(self) -> Usage:
        """What this sample has used so far, requests that failed or were cancelled included."""
        return self._spending.usage

    @property
    def has_used(self) -> bool:
        """Whether that is anything which may cost."""
        used = self.usage
        return bool(used.input_tokens or used.output_tokens or used.accelerator_seconds)

    @property
    def cost(self) -> float | None:
        """US dollars for that, each request at its own price; None when unknown."""
        return self._spending.cost

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

    @property
    def answer_tokens(self) -> int:
        """Of the model behind."""
        return self._backend.answer_tokens

    @property
    def uses_processor(self) -> bool:
        """Of the model behind."""
        return self._backend.uses_processor

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

    async def count_tokens(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Ask the backend behind."""
        return await self._backend.count_tokens(messages, tools)

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        """Draw one completion within the budgets.

        Raises LimitReachedError when the sample has no money left for it (BackendError where it
        has not asked for anything yet), and BudgetSpentError, which is no BackendError, when its
        issue or the run has none.
        """
        is_bound = any(budget.limit is not None for budget in self._budgets)
        async with contextlib.AsyncExitStack() as alone:
            if is_bound and self._price.hour is None and self._bills.dearest is None:
                await alone.enter_async_context(self._bills.first)
                if self._bills.dearest is not None:
                    await alone.aclose()
            return await self._within_budgets(messages, sampling, tools, book)

    async def _within_budgets(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool], book: Book
    ) -> Completion:
        # An answer that was cut off since money allowed no more is no fair sample: it is asked
        # again at the whole limit, or the budget is spent.
        may_be_short = True
        while True:
            limit, reserved = await self._reserve(
                messages, sampling, tools, may_be_short=may_be_short
            )
            spent = Spending(self._price, self._now)
            try:
                completion = await self._backend.complete(
                    messages,
                    dataclasses.replace(sampling, max_tokens=limit),
                    tools,
                    book=spent.book,
                )
            finally:
                self._spending += spent
                book(spent.usage)
                cost = spent.cost or 0.0
                self._bills.add(cost, reserved)
                for budget in self._budgets:
                    await budget.settle(reserved, cost)
            self.sent = completion.sent or self.sent
            # The limit of a model grows when it turns out to think.
            is_cut = completion.stop == "length" and limit < self._backend.answer_tokens
            if sampling.max_tokens or not is_cut:
                return completion
            may_be_short = False

    @property
    def _budgets(self) -> tuple[Budget, ...]:
        """From the narrowest to the widest."""
        return self._sample, self._issue, self._run

    async def _reserve(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool],
        *,
        may_be_short: bool,
    ) -> tuple[int, float]:
        """Set aside what a request may cost, in every budget or in none.

        Returns the limit of output tokens, and the US dollars. A limit that nobody asked for is
        lowered to fit where it `may_be_short`.
        """
        limit = sampling.max_tokens or self._backend.answer_tokens
        if all(budget.limit is None for budget in self._budgets):
            return limit, 0.0
        tokens = await self._backend.count_tokens(messages, tools)
        bound = self._bound(tokens, limit)
        if bound is None:
            raise BackendUnusableError(
                f"The price of {self.name} is unknown, so a budget cannot be kept: "
                "give it with --price, or leave out the budgets.",
                bad_input=True,
            )
        left = min(budget.left for budget in self._budgets)
        is_free = sampling.max_tokens is None and may_be_short
        while is_free and bound > left and limit // 2 >= LEAST_ANSWER:
            limit //= 2
            # What was billed before may be billed again, whatever the limit.
            bound = max(self._bound(tokens, limit) or 0.0, self._bills.dearest or 0.0)
        for number, budget in enumerate(self._budgets):
            if not await self._fits(budget, bound, held=self._budgets[:number]):
                if budget is self._sample and self.usage == Usage():
                    # Nobody was asked, so there is nothing to judge.
                    raise BackendError(
                        f"The first request of a sample may cost {bound:.2g} dollars, which is "
                        "more than one may spend."
                    )
                if budget is self._sample:
                    raise LimitReachedError(
                        f"The next request may cost {bound:.2g} dollars, which is more than is "
                        "left for this sample."
                    )
                raise BudgetSpentError(issue_only=budget is self._issue)
        return limit, bound

    def _bound(self, tokens: int, limit: int) -> float | None:
        bound = self._price.bound(tokens, limit)
        return None if bound is None else bound * self._bills.overrun

    @staticmethod
    async def _fits(budget: Budget, bound: float, *, held: Sequence[Budget]) -> bool:
        """Set aside in one more budget; where that fails, give back what is `held` in others."""
        fits = False
        try:
            fits = await budget.reserve(bound)
        finally:
            if not fits:
                for other in held:
                    await other.settle(bound, 0.0)
        return fits
