"""Money that a sweep may spend: reserved before a request is sent, settled when it is known.

What is reserved is an upper bound of what the request can cost, so what was spent never passes the
limit. Without a limit nothing waits.
"""

from __future__ import annotations

import asyncio


class Budget:
    """A limit in US dollars over everything that one run spends, earlier sessions included."""

    def __init__(self, limit: float | None, *, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._reserved = 0.0
        self._settled = asyncio.Condition()

    async def reserve(self, amount: float) -> bool:
        """Set an amount aside, waiting while requests in flight may still give some back.

        Returns False when it does not fit even with nothing in flight: the budget is spent.
        """
        if self.limit is None:
            return True
        async with self._settled:
            while self.spent + self._reserved + amount > self.limit:
                if self._reserved == 0.0:
                    return False
                await self._settled.wait()
            self._reserved += amount
            return True

    async def settle(self, reserved: float, spent: float) -> None:
        """Give a reservation back and book what it really cost."""
        self.spent += spent
        if self.limit is None:
            return
        async with self._settled:
            # Not below zero: sums of floats leave a residue that must not read as "in flight".
            self._reserved = max(0.0, self._reserved - reserved)
            if self._reserved < 1e-12:  # noqa: PLR2004 - the residue of rounding, in dollars
                self._reserved = 0.0
            self._settled.notify_all()
