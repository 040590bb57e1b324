"""What a model is asked in a chain of tests and edits, and how it is told what came of them.

Every question begins with the same bytes for all samples of an issue, so that they are in the
prefix cache; behind them stands only what is needed: the script, the last edit and what the script
said of it. That is cut where it is long, and left out where the window has no room for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent.backend import Backend, Message
from agent.editing.edits import EditResult
from agent.prompts import Prompt
from agent.reading.context import shortened
from agent.reproduction import (
    FIXED,
    NOT_FIXED,
    Outcome,
    Reproduction,
    fenced,
    outcome,
    script_from_answer,
)
from agent.strategy import ProposalStop
from agent.workspace import Observation, cut

_DONE, _KEEP = "DONE", "KEEP"
_LEAST_OUTPUT = 400
# Characters of output that are shown; an eighth of a window's tokens where that is more.
_PART = 1 / 12
# Of the window: for a script, for an edit, for what was said of it.
_SHARES = (1.0, 0.5, 0.25)
# Of that, until it fits.


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One answer to a question for an edit, and what a script said of it."""

    answer: str
    result: EditResult
    stop: ProposalStop
    cut_off: bool
    # At the token limit.
    told: str = ""
    # What the script did on the patched tree, in words; "" when none was run.
    outcome: Outcome | None = None


class Questions:
    """Asks one model about one issue."""

    def __init__(
        self, *, backend: Backend, room: int, tests: Prompt, edits: Prompt, ask_edit: str
    ) -> None:
        """`tests` and `edits` are what the questions begin with, of `room` tokens at most."""
        self._backend = backend
        self._room = room
        self._tests = tests
        self._edits = edits
        self._ask_edit = ask_edit

    async def for_script(
        self,
        script: Reproduction | None,
        worthless: Reproduction | None,
        edit: Edit | None,
        *,
        again: bool,
    ) -> Sequence[Message]:
        """Ask for a script: a first one, a better one than a worthless one, or whether to keep it.

        `again` says that the last answer held none.
        """
        base = self._tests.messages
        last = script or worthless
        if last is None:
            wanted = "\n\nAnswer with one script, in a ```python fence."
            return _with_more(base, wanted) if again else base
        told = self.told_unpatched(last)
        if script and edit and edit.told:
            parts = [script.script, told, edit.result.patch, edit.told]
            form = (
                "{1}\n\nThen the code was edited:\n{2}\n{3}\n\n"
                f"If the script is right and the edit is wrong, answer {_KEEP}. "
                "If the script is wrong, write it again."
            )
        else:
            parts = [last.script, told]
            form = "{1}\n\nWrite the script again."

        def build(parts: Sequence[str]) -> Sequence[Message]:
            return (
                *base,
                Message(role="assistant", content=fenced(parts[0])),
                Message(role="user", content=form.format(*parts)),
            )

        return await self._fitted(base, build, parts)

    async def for_edit(self, script: Reproduction | None, edit: Edit | None) -> Sequence[Message]:
        """Ask for an edit, with the script that shows the issue and what came of the last edit."""
        base = self._edits.messages
        if script is None and edit is None:
            return base
        parts = [
            script.script if script else "",
            self.output(script.unpatched) if script else "",
            edit.answer.strip() if edit else "",
            edit.told or edit.result.note if edit else "",
        ]

        def build(parts: Sequence[str]) -> Sequence[Message]:
            messages = base
            if script:
                # Not a fence: asked for code, small models hand back the code that they saw last.
                shown = (
                    f"\n\nA script shows the issue. It exits with {NOT_FIXED} now, and has to exit "
                    f"with {FIXED} without being changed:\n"
                    f"<script>\n{parts[0].rstrip()}\n</script>{_printed(parts[1])}"
                )
                messages = _with_more(messages, f"{shown}\n\n{self._ask_edit}")
            if edit is None:
                return messages
            if edit.told:
                after = (
                    f"{parts[3]}\n\nThe edit is undone. {self._ask_edit} If you are sure that the "
                    f"edit was right, answer {_DONE}."
                )
            else:
                after = f"That was of no use: {parts[3]}.\n\n{self._ask_edit}"
            if not parts[2]:
                return _with_more(messages, f"\n\n{after}")
            answered = Message(role="assistant", content=parts[2])
            return (*messages, answered, Message(role="user", content=after))

        return await self._fitted(base, build, parts)

    def output(self, observation: Observation) -> str:
        """Return what the model is shown of a script's output."""
        most = max(self._backend.context_window // 8, _LEAST_OUTPUT)
        return cut(observation.text, most).strip()

    def told_unpatched(self, reproduction: Reproduction) -> str:
        """Say what a script did on the unpatched tree, and what that makes of it."""
        told = f"On the unpatched code the script {_ended(reproduction.unpatched)}"
        if reproduction.worth:
            told += ", as it should."
        else:
            told += (
                f". That makes it worthless: the bug is there, so it has to exit with {NOT_FIXED}."
            )
        return told + _printed(self.output(reproduction.unpatched))

    def told_patched(self, observation: Observation) -> str:
        """Say what a script did on the patched tree."""
        told = f"With the edit the script {_ended(observation)}: {outcome(observation)}."
        return told + _printed(self.output(observation))

    async def _fitted(
        self,
        base: Sequence[Message],
        build: Callable[[Sequence[str]], Sequence[Message]],
        parts: Sequence[str],
    ) -> Sequence[Message]:
        """Build a question from parts, cut until it fits; the bare one where it never does."""
        for share in _SHARES:
            budget = int(self._backend.context_window * _PART * share)
            messages = build([shortened(part, budget) for part in parts])
            if await self._backend.count_tokens(messages) <= self._room:
                return messages
        return base


def says_done(answer: str) -> bool:
    """Whether a model has no further edit to make."""
    return _says(_DONE, answer)


def keeps_script(answer: str) -> bool:
    """Whether a model stands by its script; one that gives no other does."""
    return _says(_KEEP, answer) or not script_from_answer(answer)


def _says(word: str, answer: str) -> bool:
    """Whether an answer is this word, and perhaps its reasons, rather than code."""
    return re.match(rf"\W*{word}\b", answer) is not None and not re.search("```|<<<<", answer)


def _with_more(messages: Sequence[Message], text: str) -> tuple[Message, ...]:
    """Let the last message go on, since not every model takes two of one role in a row."""
    last = messages[-1]
    return (*messages[:-1], replace(last, content=last.content + text))


def _ended(observation: Observation) -> str:
    code = observation.exit_code
    return "did not come to an end" if code is None else f"exits with {code}"


def _printed(output: str) -> str:
    return f"\nIt printed:\n{output}" if output else "\nIt printed nothing."
