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
    LimitReachedError,
    Message,
    Sampling,
    Tool,
    Usage,
)
from agent.price import Price
from eval.budget import Budget, Budgets


class BudgetSpentError(Exception):
    """The next request might pass a budget, so it was not sent: the run's, or one issue's."""

    def __init__(self, *, issue_only: bool) -> None:
        super().__init__()
        self.issue_only = issue_only


class MeteredBackend:
    """Lends an entered backend to one sample; every request is reserved and then settled."""

    def __init__(self, backend: Backend, price: Price, budgets: Budgets, task_id: str) -> None:
        self._backend = backend
        self._price = price
        self._run = budgets.run
        self._issue = budgets.issue(task_id)
        self._sample = budgets.sample()
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
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool] = ()
    ) -> Completion:
        """Draw one completion within the budgets.

        Raises LimitReachedError when the sample has no money left for it (BackendError where it
        has not asked for anything yet), and BudgetSpentError, which is no BackendError, when its
        issue or the run has none.
        """
        reserved = await self._reserve(messages, sampling, tools)
        usage = Usage()
        try:
            completion = await self._backend.complete(messages, sampling, tools)
            usage = completion.usage
        except BackendError as error:
            usage = error.usage or usage
            raise
        finally:
            self.usage += usage
            spent = self._price.cost(usage) or 0.0
            for budget in self._budgets:
                await budget.settle(reserved, spent)
        return completion

    @property
    def _budgets(self) -> tuple[Budget, ...]:
        """From the narrowest to the widest."""
        return self._sample, self._issue, self._run

    async def _reserve(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool]
    ) -> float:
        """Set aside what a request may cost, in every budget or in none."""
        if all(budget.limit is None for budget in self._budgets):
            return 0.0
        tokens = await self._backend.count_tokens(messages, tools)
        bound = self._price.bound(tokens, sampling.max_tokens)
        if bound is None:
            raise BackendUnusableError(
                f"The price of {self.name} is unknown, so a budget cannot be kept: "
                "give it with --price, or leave out the budgets.",
                bad_input=True,
            )
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
        return bound

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
