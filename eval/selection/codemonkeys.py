"""The combination of CodeMonkeys: tests vote a few candidates in, a model decides among them.

The model may write scripts that tell them apart, and sees what these do under each. It never sees
the oracle's tests; that its choice is right is not promised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.backend import Message
from agent.limits import AgentLimits
from agent.reproduction import script_from_answer
from agent.workspace import Observation, cut
from eval.selection.candidates import Candidates, Scored
from eval.selection.evidence import AskedOnce, RunOnce, open_bench
from eval.selection.judge import Judge
from eval.selection.scripts import LIMITS, count_votes
from eval.selection.votes import sizes
from sandbox.sandbox import SandboxHost

_FINALISTS = 3
_ROUNDS = 4
_OUTPUT = 1_000
# Characters of what a script prints that are shown.
_FOR_QUESTION = 0.5
# Of the room; the rest is for scripts and what they print.

_QUESTION = """\
Issue:
{}

Patches for it, of which at least one may be right:

{}

Choose the one that fixes the issue and breaks nothing else. To tell them apart you may write a \
Python script in a ```python fence: it is run on the unpatched code and under each patch, and you \
are shown what it prints. When you know, answer with one line, CHOICE: and the patch's number."""
_LAST = "Answer now with one line, CHOICE: and the patch's number."
_AGAIN = "Answer with a script in a ```python fence, or with one line, CHOICE: and a number."
_CHOICE = re.compile(r"CHOICE\W*(\d{1,9})", re.IGNORECASE)


class CodeMonkeysChoice:
    """The top few by votes of tests, then a model's choice among them with tests of its own.

    After "CodeMonkeys" (Ehrlich et al. 2025, arXiv 2501.14723). Where votes are equal the more
    frequent patch goes ahead; where the model makes no choice the votes decide.
    """

    name = "codemonkeys"

    def __init__(
        self,
        judge: Judge,
        sandboxes: SandboxHost,
        *,
        limits: AgentLimits = LIMITS,
        finalists: int = _FINALISTS,
        rounds: int = _ROUNDS,
    ) -> None:
        """`rounds` is how many answers the model has for an issue, its choice included."""
        self._judge = judge
        self._sandboxes = sandboxes
        self._limits = limits
        self._finalists = finalists
        self._rounds = rounds

    async def score(self, candidates: Candidates) -> Scored:
        """Vote, then ask. Raises BackendError or SandboxError."""
        issue, metered = candidates.known_issue(), self._judge.metered(candidates)
        patches, frequency = candidates.distinct(), sizes(candidates)
        if len(patches) < 2:  # noqa: PLR2004 - nothing to choose between
            return Scored(scores=candidates.spread(dict.fromkeys(patches, 0.0)))
        opened = open_bench(issue, self._sandboxes, self._limits, candidates.evidence)
        async with opened as bench:
            votes = await count_votes(bench, candidates, self._limits.command_seconds)
            ahead = sorted(patches, key=lambda one: (-votes.by_group[one], -frequency[one], one))
            final = ahead[: self._finalists]
            table = _Table(bench, [patches[one] for one in final], self._limits.command_seconds)
            choice = await self._decide(issue.statement, table, metered)
        scores = {one: votes.by_group[one] for one in final}
        if choice is not None:
            scores[final[choice]] = max(scores.values()) + 1
        effort = self._judge.effort(metered, runs=votes.runs + table.runs)
        return Scored(scores=candidates.spread(scores), effort=effort)

    async def _decide(self, statement: str, table: _Table, metered: AskedOnce) -> int | None:
        """Return the position of the model's choice, None when it makes none."""
        shown = "\n\n".join(
            f"Patch {number}:\n```diff\n{patch.strip()}\n```"
            for number, patch in enumerate(table.patches, start=1)
        )
        messages = await self._judge.question(
            _QUESTION, statement.strip(), shown, share=_FOR_QUESTION
        )
        for left in reversed(range(self._rounds)):
            answer = await self._judge.answer(metered, messages)
            found = _CHOICE.findall(answer)
            if found:
                number = int(found[-1])
                return number - 1 if 1 <= number <= len(table.patches) else None
            if not answer or not left:
                return None
            script = script_from_answer(answer)
            told = await table.told(script) if script else _AGAIN
            if left == 1:
                told = f"{told}\n\n{_LAST}" if script else _LAST
            messages += [
                Message(role="assistant", content=answer),
                Message(role="user", content=told),
            ]
        return None


class _Table:
    """The finalists, and what scripts do under each of them."""

    def __init__(self, bench: RunOnce, patches: Sequence[str], timeout: float) -> None:
        self.patches = patches
        self.runs = 0
        self._bench = bench
        self._timeout = timeout

    async def told(self, script: str) -> str:
        """Run a script on the unpatched code and under each patch; return that in words."""
        parts = []
        for name, patch in [
            ("On the unpatched code", ""),
            *((f"Under patch {number}", patch) for number, patch in enumerate(self.patches, 1)),
        ]:
            observation = await self._bench.run(script, patch, timeout=self._timeout)
            self.runs += 1
            parts.append(f"{name} {_did(observation)}")
        return "\n\n".join(parts)


def _did(observation: Observation | None) -> str:
    if observation is None:
        return "nothing was run: git does not apply it."
    code = observation.exit_code
    ended = "it did not come to an end" if code is None else f"it exits with {code}"
    printed = cut(observation.text, _OUTPUT).strip()
    return f"{ended} and prints:\n{printed}" if printed else f"{ended} and prints nothing."
