"""The strategy `loop`: a model that looks, runs commands and edits until it hands in its work.

The patch is what the work tree differs by at the end, whatever ended the sample and whatever the
model says of it. Every step is a new request that repeats the conversation so far.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from agent.backend import (
    Backend,
    Completion,
    ContextOverflowError,
    LimitReachedError,
    Message,
    Sampling,
    ToolsRefusedError,
    Usage,
    answer_limit,
)
from agent.conversation import Conversation
from agent.limits import AgentLimits, OutOfTimeError, over_tokens, within
from agent.loop_prompt import VARIANTS, digest, first_prompt, version_of
from agent.protocol import (
    FENCED,
    NATIVE,
    Protocol,
    Request,
    as_sent,
    replies_to,
    requests_of,
)
from agent.strategy import Proposal, ProposalStop, drawn_in_window
from agent.tools import Action, Outcome, Submit, act, told
from agent.trajectory import Turn, turns_of
from agent.workspace import Workspace, open_workspace
from sandbox.sandbox import SandboxHost
from tasks.task import Issue

_LIMITS = AgentLimits()
_MISTAKES = 3
# In a row, after which a sample ends.
_FEW_STEPS = 3
_SAME = 3


class Loop:
    """Steps of one action each, in a sandbox of the sample's own."""

    name = "loop"

    def __init__(self, *, limits: AgentLimits = _LIMITS, variant: str = "plain") -> None:
        """`variant` is one of `VARIANTS`. Raises ValueError where it is none."""
        if variant not in VARIANTS:
            raise ValueError(
                f"There is no variant {variant!r} of loop: choose {' or '.join(VARIANTS)}."
            )
        self.version = version_of(variant, limits)
        self._limits = limits
        self._variant = variant
        self._protocols: dict[str, Protocol] = {}
        # By the name of the model.
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        """Draw one candidate patch. Raises BackendError or SandboxError."""
        return await drawn_in_window(
            backend, lambda: self._propose(issue, backend, sandboxes, sampling)
        )

    async def _propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        started = time.monotonic()
        room = max(backend.context_window - answer_limit(sampling, backend), 1)
        # A window is filled by a few observations; one token has some four characters.
        shown = min(self._limits.observation_characters, room)
        limits = replace(self._limits, observation_characters=shown)
        async with open_workspace(issue, sandboxes, limits) as workspace:
            episode = _Episode(backend, workspace, sampling, limits, started)
            try:
                protocol = await self._protocol(backend, episode)
                prompt = await first_prompt(issue, workspace, protocol, self._variant, room)
                try:
                    await episode.play(prompt, protocol)
                except ToolsRefusedError:
                    if not protocol.tools or episode.has_acted:
                        raise
                    # It takes tools, but no conversation about them.
                    self._protocols[backend.name] = FENCED
                    prompt = await first_prompt(issue, workspace, FENCED, self._variant, room)
                    await episode.play(prompt, FENCED)
            except _OverError as error:
                over = error
            patch = episode.handed_in or await workspace.patch()
        nothing = over.stop == "patch" and not patch
        return Proposal(
            patch=patch,
            stop="empty" if nothing else over.stop,
            note="nothing was changed" if nothing else over.note,
            usage=episode.usage,
            seconds=time.monotonic() - started,
            prompt_digest=episode.prompt_digest,
            trajectory=tuple(episode.turns),
            variant=self._variant,
        )

    async def _protocol(self, backend: Backend, episode: _Episode) -> Protocol:
        """Return how this model is asked; the first sample finds out, while others wait."""
        async with self._locks[backend.name]:
            if backend.name not in self._protocols:
                self._protocols[backend.name] = await episode.probe()
            return self._protocols[backend.name]


class _OverError(Exception):
    """The sample ends here."""

    def __init__(self, stop: ProposalStop, note: str = "") -> None:
        super().__init__(note)
        self.stop = stop
        self.note = note


class _Episode:
    """One sample from its first request to its last."""

    def __init__(
        self,
        backend: Backend,
        workspace: Workspace,
        sampling: Sampling,
        limits: AgentLimits,
        started: float,
    ) -> None:
        self.usage = Usage()
        self.turns: list[Turn] = []
        self.prompt_digest = ""
        self.handed_in = ""
        # The patch, where the model handed in one.
        self._backend = backend
        self._workspace = workspace
        self._sampling = sampling
        self._limits = limits
        self._started = started
        self._steps = 0
        self._mistakes = 0
        # Answers in a row that asked for nothing that can be done.
        self._last: Action | None = None
        self._times = 0
        # That the last action was asked for in a row.
        self._warned = False
        # That there is nothing to hand in.

    @property
    def has_acted(self) -> bool:
        """Whether an answer was acted on."""
        return self._last is not None

    async def probe(self) -> Protocol:
        """Ask the endpoint once whether it takes tools, and the model whether it calls them."""
        question = Message(role="user", content="Call the tool `submit` now, and say nothing.")
        try:
            completion = await self._complete([question], self._sampling, NATIVE)
        except ToolsRefusedError as error:
            self.usage += error.usage or Usage()
            return FENCED
        except LimitReachedError as error:
            raise _OverError("money", str(error)) from None
        self.usage += completion.usage
        answer = _turn_of(completion)
        self.turns += (Turn(message=question, source="probe"), replace(answer, source="probe"))
        calls = completion.tool_calls or completion.stop != "stop"
        return NATIVE if calls else FENCED

    async def play(self, prompt: Sequence[Message], protocol: Protocol) -> NoReturn:
        """Take steps until one ends it, which raises _OverError."""
        self.turns += turns_of(prompt)
        self.prompt_digest = digest([[message.role, message.content] for message in prompt])
        limit = answer_limit(self._sampling, self._backend)
        talk = Conversation(self._backend, protocol.tools, prompt, limit)
        while True:
            await self._step(talk, protocol)

    async def _step(self, talk: Conversation, protocol: Protocol) -> None:
        """Ask the model, do what it asked for, and tell it what came of it."""
        completion = await self._ask(talk, protocol)
        requests = await asyncio.to_thread(requests_of, completion)
        outcomes = await self._do(requests)
        self._tell(talk, completion, requests, outcomes, protocol)

    async def _ask(self, talk: Conversation, protocol: Protocol) -> Completion:
        try:
            await talk.fit()
            self._hold_limits(talk)
            completion = await self._draw(talk, protocol)
        except LimitReachedError as error:
            raise _OverError("money", str(error)) from None
        except ContextOverflowError as error:
            raise _OverError("context", str(error)) from None
        except OutOfTimeError as error:
            if not self.usage.calls:
                raise  # It says more of the endpoint than of the model.
            raise _OverError("seconds", str(error)) from None
        talk.answered(as_sent(completion), completion)
        self.usage += completion.usage
        self.turns.append(_turn_of(completion))
        return completion

    async def _draw(self, talk: Conversation, protocol: Protocol) -> Completion:
        """Send the conversation, and once again where it is longer than was counted."""
        sampling = self._sampling.of_request(self._steps)
        self._steps += 1
        for attempt in range(2):
            try:
                return await self._complete(talk.messages, sampling, protocol)
            except (ContextOverflowError, LimitReachedError) as error:
                self.usage += error.usage or Usage()
                if attempt or isinstance(error, LimitReachedError):
                    raise
                talk.overflowed()
                await talk.fit()
        raise AssertionError("the second attempt returns or raises")

    async def _complete(
        self, messages: Sequence[Message], sampling: Sampling, protocol: Protocol
    ) -> Completion:
        request = self._backend.complete(messages, sampling, protocol.tools)
        return await within(self._seconds_left(), self._limits.seconds, request)

    def _hold_limits(self, talk: Conversation) -> None:
        """End the sample before a request that would pass a limit. Money is its backend's."""
        limits = self._limits
        used = self.usage.input_tokens + self.usage.output_tokens
        if self._steps >= limits.steps:
            raise _OverError("steps", f"the limit of {limits.steps} steps is reached")
        limit = answer_limit(self._sampling, self._backend)
        if used + talk.tokens + limit > limits.tokens:
            raise _OverError("tokens", over_tokens(limits))
        if self._seconds_left() <= 0:
            raise _OverError("seconds", f"the limit of {limits.seconds:.0f} seconds is reached")

    def _seconds_left(self) -> float:
        return self._started + self._limits.seconds - time.monotonic()

    async def _do(self, requests: Sequence[Request]) -> list[Outcome]:
        """Do one thing after the other. What comes after the work is handed in is not done."""
        outcomes: list[Outcome] = []
        for request in requests:
            if self._is_over(requests, outcomes):
                outcomes.append(told("Not done: the work is handed in.", refused=True))
            elif request.action is None:
                outcomes.append(told(request.fault, refused=True))
            elif isinstance(request.action, Submit):
                outcomes.append(await self._hand_in(outcomes))
            else:
                outcomes.append(await self._act(request.action))
        return outcomes

    async def _act(self, action: Action) -> Outcome:
        self._times = self._times + 1 if action == self._last else 1
        self._last = action
        seconds = max(min(self._limits.command_seconds, self._seconds_left()), 1.0)
        outcome = await act(action, self._workspace, timeout=seconds)
        if self._times < _SAME:
            return outcome
        return _with_remark(
            outcome,
            f"You did exactly this {self._times} times in a row. Doing it again shows nothing new: "
            "do something else.",
        )

    async def _hand_in(self, before: Sequence[Outcome]) -> Outcome:
        """Take the work, unless what was to be done before it was not, or there is none."""
        if any(outcome.refused for outcome in before):
            return told("Not handed in: see what went wrong before.", refused=True)
        self.handed_in = await self._workspace.patch()
        if not self.handed_in and not self._warned:
            self._warned = True
            return told(
                "Not handed in: nothing in the repository is changed yet. Submit again if it is "
                "to stay as it is.",
                refused=True,
            )
        return told("Handed in.")

    def _is_over(self, requests: Sequence[Request], outcomes: Sequence[Outcome]) -> bool:
        return any(
            isinstance(request.action, Submit) and not outcome.refused
            for request, outcome in zip(requests, outcomes, strict=False)
        )

    def _tell(
        self,
        talk: Conversation,
        completion: Completion,
        requests: Sequence[Request],
        outcomes: Sequence[Outcome],
        protocol: Protocol,
    ) -> None:
        """Go on with what came of an answer, or end where there is nothing to go on with."""
        understood = any(request.action for request in requests)
        self._mistakes = 0 if understood else self._mistakes + 1
        if not requests:
            requests = [Request(action=None)]
            outcomes = [told(_correction(completion, protocol), refused=True)]
        left = self._limits.steps - self._steps
        if 0 < left <= _FEW_STEPS:
            remark = f"Only {left} {'step is' if left == 1 else 'steps are'} left: then submit."
            outcomes = [*outcomes[:-1], _with_remark(outcomes[-1], remark)]
        replies = list(replies_to(requests, [outcome.observation.text for outcome in outcomes]))
        if self._mistakes < _MISTAKES:
            # The last correction is never sent.
            self.turns += _turns_of_replies(replies, outcomes)
        if self._is_over(requests, outcomes):
            raise _OverError("patch")
        if self._mistakes >= _MISTAKES:
            raise _OverError(
                _stop(completion),
                f"{_MISTAKES} answers in a row asked for nothing that can be done",
            )
        talk.add(replies)


def _correction(completion: Completion, protocol: Protocol) -> str:
    """Say in a sentence or two why an answer led to nothing."""
    match completion.stop:
        case "length":
            why = "Your answer was cut off because it was too long: be brief."
        case "content_filter":
            why = "Your answer was withheld by a filter."
        case _ if not completion.text.strip():
            why = "Your answer was empty."
        case _:
            why = "Your answer asks for nothing to be done."
    return f"{why} {protocol.reminder}"


def _stop(completion: Completion) -> ProposalStop:
    """Say what kept the last answer from being of use."""
    if completion.stop in {"length", "content_filter"}:
        return completion.stop
    return "unusable"


def _with_remark(outcome: Outcome, remark: str) -> Outcome:
    seen = outcome.observation
    text = f"{seen.text}{'' if seen.text.endswith(chr(10)) else chr(10)}({remark})\n"
    return replace(outcome, observation=replace(seen, text=text))


def _turn_of(completion: Completion) -> Turn:
    return Turn(
        message=completion.message,
        usage=completion.usage,
        seconds=completion.usage.seconds,
    )


def _turns_of_replies(replies: Sequence[Message], outcomes: Sequence[Outcome]) -> list[Turn]:
    """Keep the observations whole; several may share a message."""
    seen = [outcome.observation for outcome in outcomes]
    groups = [[one] for one in seen] if len(replies) == len(seen) else [seen]
    return [
        Turn(
            message=reply,
            seconds=sum(one.seconds for one in group),
            exit_code=group[-1].exit_code,
            whole="\n".join(one.whole or one.text for one in group)
            if any(one.whole for one in group)
            else "",
        )
        for reply, group in zip(replies, groups, strict=True)
    ]
