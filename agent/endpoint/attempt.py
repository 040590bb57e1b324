"""One attempt of a request: sent, read while it comes in, and told what went wrong.

What an attempt used is reckoned by its caller, also where it is cancelled: what was received by
then stays here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from agent.backend import BackendError, ContextOverflowError
from agent.endpoint.faults import Endpoint, RefusedError, UnknownModelError
from agent.endpoint.refusal import Refusal
from agent.endpoint.retry import TransientError
from agent.endpoint.stream import TornAnswerError, has_begun
from agent.endpoint.wire import Answer, Asked, RefusedInAnswerError, Request, Wire

_LIBRARIES = {"openai", "anthropic", "httpx", "httpx2", "httpcore", "httpcore2", "h11", "anyio"}
# Of the faults that a server may mend, those that are more often about the request.
_OF_REQUESTS = {500, 501}
_NOT_HERE = {404, 405}
_LARGEST_ANSWER = 64 * 2**20
"""Bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long an endpoint is waited for, in seconds."""

    idle: float = 900.0
    """Without a byte of the answer."""
    longest: float = 7_200.0
    """For one answer in all: an endpoint may send blanks to keep the connection alive."""
    patience: float = 300.0
    """After the first failure of a request, within which it may be sent again."""
    reach_patience: float = 15.0
    """The same while the endpoint has never answered."""
    first_wait: float = 1.0
    """Before the second attempt; doubled from then on."""


class NotTakenError(Exception):
    """A request that the endpoint does not take, and the error that it is if nothing helps."""

    def __init__(self, refusal: Refusal, fault: BackendError) -> None:
        super().__init__(refusal.said)
        self.refusal = refusal
        self.fault = fault


class Attempt:
    """One attempt."""

    def __init__(
        self, asked: Asked, request: Request, wire: Wire, endpoint: Endpoint, timing: Timing
    ) -> None:
        self.asked = asked
        self.request = request
        self.is_sent = False
        self.has_reached = False
        """Whether anybody answered, whatever it was."""
        self.received = bytearray()
        self.told: Answer | None = None
        """What was used and billed of an answer that ended in an error, where that is told."""
        self._wire = wire
        self._endpoint = endpoint
        self._timing = timing

    async def answer(self, taken: Callable[[], Awaitable[None]]) -> Answer:
        """Send it and return the answer; `taken` is called once it is known not to be refused.

        Raises NotTakenError, and BackendError for what another form would not mend.
        """
        loop = asyncio.get_running_loop()
        longest, idle = asyncio.timeout(self._timing.longest), asyncio.timeout(self._timing.idle)
        headers: Mapping[str, str] = {}
        is_taken = False
        try:
            async with longest, idle:
                self.is_sent = True
                async with self._wire.open(self.request) as raw:
                    self.has_reached = True
                    async for chunk in raw.iter_bytes():
                        self.received += chunk
                        # Some refuse in the first event of a stream.
                        if not is_taken and has_begun(self.received):
                            is_taken = True
                            await taken()
                        idle.reschedule(loop.time() + self._timing.idle)
                        if len(self.received) > _LARGEST_ANSWER:
                            break
                    headers = raw.headers
        except TimeoutError:
            seconds = self._timing.longest if longest.expired() else self._timing.idle
            message = f"{self._endpoint.name}: no answer within {seconds:g} s"
            raise TransientError(message, lost=True) from None
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in _LIBRARIES:
                raise
            raise self._fault(error) from None
        answer = self._read(headers)
        if not is_taken:
            await taken()
        return answer

    def _read(self, headers: Mapping[str, str]) -> Answer:
        try:
            return self._wire.read(bytes(self.received), headers)
        except TornAnswerError as error:
            lost = TransientError(f"{self._endpoint.name}: {error}", lost=True)
            lost.at_least = error.tokens
            raise lost from None
        except RefusedInAnswerError as error:
            refusal = self._endpoint.hidden_refusal(error.body)
            fault = self._endpoint.refused(refusal)
            if isinstance(fault, TransientError):
                fault.lost = error.has_begun or error.told is not None
                self.told = error.told
                raise fault from None
            raise NotTakenError(refusal, fault) from None

    def _fault(self, error: Exception) -> Exception:
        """Return what an error of the SDK means, or of the HTTP library below it."""
        fault = self._endpoint.fault(error)
        self.has_reached |= not (isinstance(fault, TransientError) and fault.unreached)
        refusal = self._endpoint.refusal_of(error)
        if refusal is None or not _may_teach(fault, refusal):
            return fault
        return NotTakenError(refusal, fault)


def _may_teach(fault: BackendError, refusal: Refusal) -> bool:
    """Whether a request in another form may be taken where this one was not."""
    if isinstance(fault, RefusedError | ContextOverflowError):
        return True
    if isinstance(fault, UnknownModelError):
        return refusal.status in _NOT_HERE
    return isinstance(fault, TransientError) and refusal.status in _OF_REQUESTS
