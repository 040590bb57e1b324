"""The strategy `monkeys`: a script that shows the issue, an edit, and the one run on the other.

In the manner of CodeMonkeys (arXiv 2501.14723): the model writes a reproduction script, sees it run
on the unpatched tree, edits, sees it run on the patched one, and alternates between both until the
script says fixed, it says itself that it is done, or its turns end. What a script says is the
model's own word: that the edit is right is not promised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from agent.backend import (
    Backend,
    Completion,
    ContextOverflowError,
    LimitReachedError,
    Message,
    Sampling,
    Usage,
    answer_limit,
)
from agent.editing.edits import EditResult, patch_from_answer
from agent.forms import form_for
from agent.limits import AgentLimits, OutOfTimeError, over_tokens, within
from agent.prompts import MARGIN, ContextKind, Prompt, SharedPrompts
from agent.reading.snapshot import RepositorySnapshot
from agent.reproduction import (
    NOT_FIXED,
    Bench,
    Reproduction,
    outcome,
    reproduction_form,
    script_from_answer,
)
from agent.revision import Edit, Questions, keeps_script, says_done
from agent.strategy import Proposal, ProposalStop, drawn_in_window
from agent.trajectory import Turn, turns_of
from agent.workspace import Observation, open_workspace
from sandbox.sandbox import SandboxHost
from tasks.task import Issue

_LIMITS = AgentLimits()
_FOR_QUESTION = 0.75
# Of the room: what the issue and its code may take; the rest is for what came of it.

_Next = Literal["test", "edit", "end"]


class Monkeys:
    """Tests and edits in turns; one sample is one chain of them.

    `depth` is how many test turns, and how many edit turns, a chain has at most. The width is the
    number of samples, so that the same cost can be spent on a few long chains or on many short.
    """

    name = "monkeys"

    def __init__(
        self,
        *,
        depth: int = 4,
        limits: AgentLimits = _LIMITS,
        context: ContextKind = "bm25",
        prompt_tokens: int | None = None,
    ) -> None:
        """Aim for first questions of `prompt_tokens`; by default those of `oneshot`."""
        if depth < 1:
            raise ValueError(f"The depth of monkeys is at least 1, not {depth}.")
        words = ["2", f"depth-{depth}"]
        words += [context] if context != "bm25" else []
        words += [str(prompt_tokens)] if prompt_tokens else []
        self.version = "-".join(words)
        self._depth = depth
        self._limits = limits
        self._shared = SharedPrompts(context=context, prompt_tokens=prompt_tokens)

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
        snapshot = await self._shared.snapshot(issue, sandboxes)
        ranking, new = await self._shared.ranking(issue, snapshot, backend)
        form = form_for(backend.context_window)
        limit = answer_limit(sampling, backend)
        room = backend.context_window - limit - MARGIN
        tests, edits = [
            await self._shared.prompt(
                issue, snapshot, ranking, backend, form=asked, room=int(room * _FOR_QUESTION)
            )
            for asked in (reproduction_form(form), form)
        ]
        # The last paragraph says how an edit is to be written.
        ask_edit = form.question.rpartition("\n\n")[2]
        questions = Questions(
            backend=backend, room=room, tests=tests, edits=edits, ask_edit=ask_edit
        )
        chain = _Chain(
            backend=backend,
            sampling=sampling,
            limits=self._limits,
            started=started,
            snapshot=snapshot,
            questions=questions,
            edits=edits,
        )
        chain.turns += new.turns
        chain.usage += new.usage
        if tests.fits and edits.fits:
            async with open_workspace(issue, sandboxes, self._limits) as workspace:
                await chain.draw(Bench(workspace), self._depth)
        else:
            chain.turns += turns_of(tests.messages)
            chain.end(
                "context",
                f"the issue and {limit} tokens of answer do not fit into the "
                f"{backend.context_window} tokens of {backend.name}",
            )
        return chain.proposal(tests.digest)


class _OverError(Exception):
    """A limit is reached, and which one is noted."""


class _Chain:
    """The turns of one sample."""

    def __init__(
        self,
        *,
        backend: Backend,
        sampling: Sampling,
        limits: AgentLimits,
        started: float,
        snapshot: RepositorySnapshot,
        questions: Questions,
        edits: Prompt,
    ) -> None:
        self.turns: list[Turn] = []
        self.usage = Usage()
        self._backend = backend
        self._sampling = sampling
        self._limits = limits
        self._started = started
        self._snapshot = snapshot
        self._questions = questions
        self._shown = edits.shown
        self._requests = 0
        self._asked: set[Message] = set()
        self._edits: list[Edit] = []
        # All of them, in their order.
        self._script: Reproduction | None = None
        # The last one that is worth something.
        self._worthless: Reproduction | None = None
        # The last one, where it is worth nothing and there is no other.
        self._scripts = self._worthless_scripts = 0
        self._stop: ProposalStop | None = None
        self._notes: list[str] = []

    def end(self, stop: ProposalStop, note: str) -> None:
        """Keep what ended the chain before its turns did."""
        self._stop = stop
        self._notes.append(note)

    async def draw(self, bench: Bench, depth: int) -> None:
        """Take turns, at most `depth` of each kind. Raises BackendError or SandboxError."""
        tests = edits = depth
        following: _Next = "test"
        try:
            while edits and following != "end":
                if following == "test" and tests:
                    tests -= 1
                    following = await self._test(bench, again=tests + 1 < depth)
                else:
                    edits -= 1
                    following = await self._edit(bench)
        except _OverError:
            return

    def proposal(self, prompt_digest: str) -> Proposal:
        """Return what came of it: the edit that its script calls fixed, else the last that applies.

        The chain ends with the first that is called fixed, so that both are the last one made.
        """
        made = [edit for edit in self._edits if edit.result.patch]
        kept = made or self._edits
        notes = list(self._notes)
        if self._worthless_scripts:
            notes.append(
                f"{self._worthless_scripts} of {self._scripts} scripts are worthless: they do not "
                f"exit with {NOT_FIXED} on the unpatched tree"
            )
        if any(edit.outcome == "fixed" for edit in made):
            notes.append("the script calls the edit fixed")
        elif any(edit.outcome for edit in made):
            notes.append("the script calls no edit fixed")
        elif made:
            notes.append("no script tested the edit")
        for edit in kept[-1:]:
            notes += ["the answer was cut off at the token limit"] if edit.cut_off else []
            notes.append(edit.result.note)
        return Proposal(
            patch=kept[-1].result.patch if kept else "",
            stop=self._stop or (kept[-1].stop if kept else "empty"),
            note="; ".join(filter(None, notes)),
            usage=self.usage,
            seconds=time.monotonic() - self._started,
            prompt_digest=prompt_digest,
            trajectory=tuple(self.turns),
        )

    async def _test(self, bench: Bench, *, again: bool) -> _Next:
        """Ask for a script, and run it on the unpatched tree."""
        edit = self._edits[-1] if self._edits else None
        question = await self._questions.for_script(
            self._script, self._worthless, edit, again=again
        )
        completion = await self._ask("test", question)
        script = script_from_answer(completion.text)
        if self._script and (keeps_script(completion.text) or script == self._script.script):
            return "edit"
        if not script:
            return "test"
        self._scripts += 1
        unpatched = await self._run(bench, script, "")
        assert unpatched is not None  # there was no patch that could not be applied
        reproduction = Reproduction(script=script, unpatched=unpatched)
        told = self._questions.told_unpatched(reproduction)
        self._record_run("run unpatched", told, unpatched)
        if not reproduction.worth:
            self._worthless_scripts += 1
            self._worthless = None if self._script else reproduction
            return "edit" if self._script else "test"
        self._script, self._worthless = reproduction, None
        if edit and edit.result.patch:
            # The last edit may have been right, and the script before this one wrong.
            following = await self._try_edit(bench, edit, reproduction)
            return "end" if following == "end" else "edit"
        return "edit"

    async def _edit(self, bench: Bench) -> _Next:
        """Ask for an edit, and run the script with it in the tree."""
        last = self._edits[-1] if self._edits else None
        completion = await self._ask("edit", await self._questions.for_edit(self._script, last))
        if last and last.told and says_done(completion.text):
            self._notes.append("the model says that it is done")
            return "end"
        cut_off = completion.stop == "length"
        result = await asyncio.to_thread(
            patch_from_answer,
            completion.text,
            self._snapshot,
            shown=self._shown,
            cut_off=cut_off,
        )
        stop = _stop(result, completion)
        edit = Edit(answer=completion.text, result=result, stop=stop, cut_off=cut_off)
        # Kept before it is tried: it is no worse for a limit that is reached meanwhile.
        self._edits.append(edit)
        if not result.patch:
            return "edit"
        if self._script is None:
            # No script failed where it should, so that no further edit would be known from this.
            return "end"
        return await self._try_edit(bench, edit, self._script)

    async def _try_edit(self, bench: Bench, edit: Edit, reproduction: Reproduction) -> _Next:
        """Run a script with the last edit in the tree, and keep what it says."""
        observation = await self._run(bench, reproduction.script, edit.result.patch)
        if observation is None:
            refused = EditResult(patch="", stop="unusable", note="git does not apply the edit")
            self._edits[-1] = replace(edit, result=refused, stop="unusable")
            return "edit"
        told = self._questions.told_patched(observation)
        self._edits[-1] = replace(edit, told=told, outcome=outcome(observation))
        self._record_run("run patched", told, observation)
        return "end" if outcome(observation) == "fixed" else "test"

    async def _ask(self, source: str, messages: Sequence[Message]) -> Completion:
        """Draw one answer, unless a limit is reached. Raises _OverError and BackendError."""
        await self._hold_limits(messages)
        # Every question begins anew: what it repeats is recorded once, its end always.
        self.turns += (
            Turn(message=message, source=source)
            for message in messages
            if message not in self._asked or message is messages[-1]
        )
        self._asked.update(messages)
        sampling = self._sampling.of_request(self._requests)
        self._requests += 1
        try:
            completion = await within(
                self._seconds_left(),
                self._limits.seconds,
                self._backend.complete(messages, sampling),
            )
        except OutOfTimeError as error:
            if not self.usage.calls:
                raise  # It says more of the endpoint than of the model.
            self.end("seconds", str(error))
            raise _OverError from None
        except (LimitReachedError, ContextOverflowError) as error:
            self.usage += error.usage or Usage()
            self.end("context" if isinstance(error, ContextOverflowError) else "money", str(error))
            raise _OverError from None
        self.usage += completion.usage
        message = completion.message
        self._asked.add(message)
        self.turns.append(
            Turn(
                message=message,
                usage=completion.usage,
                seconds=completion.usage.seconds,
                source=source,
            )
        )
        return completion

    async def _hold_limits(self, messages: Sequence[Message]) -> None:
        limits = self._limits
        if self._requests >= limits.steps:
            self.end("steps", f"the limit of {limits.steps} steps is reached")
            raise _OverError
        left = limits.tokens - self.usage.input_tokens - self.usage.output_tokens
        if left < self._backend.context_window:
            left -= await self._backend.count_tokens(messages)
            left -= answer_limit(self._sampling, self._backend)
        if left < 0:
            self.end("tokens", over_tokens(limits))
            raise _OverError
        self._seconds_left()

    def _seconds_left(self) -> float:
        left = self._started + self._limits.seconds - time.monotonic()
        if left <= 0:
            self.end("seconds", f"the limit of {self._limits.seconds:.0f} s is reached")
            raise _OverError
        return left

    async def _run(self, bench: Bench, script: str, patch: str) -> Observation | None:
        timeout = min(self._limits.command_seconds, self._seconds_left())
        return await bench.run(script, patch, timeout=timeout)

    def _record_run(self, source: str, told: str, observation: Observation) -> None:
        whole = observation.whole or observation.text
        self.turns.append(
            Turn(
                message=Message(role="user", content=told),
                seconds=observation.seconds,
                exit_code=observation.exit_code,
                whole="" if self._questions.output(observation) == whole.strip() else whole,
                source=source,
            )
        )


def _stop(result: EditResult, completion: Completion) -> ProposalStop:
    """Say why an edit turn ended; what kept a useless answer from being whole comes first."""
    if result.stop != "patch" and completion.stop in {"length", "content_filter"}:
        return completion.stop
    return result.stop
