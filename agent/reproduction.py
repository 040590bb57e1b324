"""A script that shows whether an issue is there: how it is asked for, read out of an answer, run.

It exits with 0 where the issue is fixed and with 2 where it is not; anything else is broken. One
that does not exit with 2 on the tree as it is proves nothing about any edit. Between runs the tree
is put back; what a script leaves elsewhere in its sandbox, or in files that git ignores, is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from agent.backend import Message
from agent.forms import BASKET, BASKET_ISSUE, Form
from agent.reading.syntax import parse_python
from agent.workspace import Observation, Workspace

FIXED, NOT_FIXED = 0, 2
Outcome = Literal["fixed", "not fixed", "broken"]

_APPLY_SECONDS = 60.0
_GIT = "git -c safe.directory='*'"
# Read from standard input, as `sh` would not take a long one as an argument, and run from a folder
# with nothing else in it, so that it is in no patch and hides no module. What is compiled would be
# taken for the next edit's when that is as long and came in the same second. `python` is the one of
# the image's environment, where it has one.
_RUN = (
    "rm -rf /tmp/reproduction && mkdir -p /tmp/reproduction && cat > /tmp/reproduction/script.py "
    '&& PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1 '
    '"$(command -v python || command -v python3)" /tmp/reproduction/script.py < /dev/null'
)
_APPLY = f"{_GIT} apply --whitespace=nowarn"
_IS_CLEAN = f'status="$({_GIT} status --porcelain)" && test -z "$status"'
_UNDO = f"{_APPLY} --reverse && {_IS_CLEAN}"

_FENCE = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"^\s*(?:from\s+\S+\s+)?import\s", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """A script, and what it did on the unpatched tree."""

    script: str
    unpatched: Observation

    @property
    def worth(self) -> bool:
        """Whether it fails where it has to, so that its word about an edit means something."""
        return self.unpatched.exit_code == NOT_FIXED


class Bench:
    """Runs scripts in a workspace, on the tree as it was opened and with patches in it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._is_clean = True

    async def run(self, script: str, patch: str, *, timeout: float) -> Observation | None:
        """Run a script on the tree with a patch, "" for none; None when it does not apply.

        Raises SandboxError.
        """
        if not self._is_clean:
            await self._workspace.reset()
        self._is_clean = False
        data = patch.encode(errors="replace")
        if patch:
            applied = await self._workspace.run(_APPLY, timeout=_APPLY_SECONDS, stdin=data)
            if applied.exit_code != 0:
                return None
        source = script.encode(errors="replace")
        observation = await self._workspace.run(_RUN, timeout=timeout, stdin=source)
        # A fresh sandbox is dearer than this, and most scripts leave nothing.
        undone = await self._workspace.run(
            _UNDO if patch else _IS_CLEAN, timeout=_APPLY_SECONDS, stdin=data
        )
        self._is_clean = undone.exit_code == 0 and observation.exit_code is not None
        return observation


def outcome(observation: Observation) -> Outcome:
    """Say what a script's exit says about the tree that it ran on."""
    if observation.exit_code == FIXED:
        return "fixed"
    return "not fixed" if observation.exit_code == NOT_FIXED else "broken"


def script_from_answer(answer: str) -> str:
    """Return the script that an answer holds, "" when it holds none.

    Of several fences the last that Python can read; without a fence, an answer that is a program.
    """
    text = answer.replace("\0", "").replace("\r\n", "\n")
    fences = [found for found in _FENCE.findall(text) if found.strip()]
    readable = [found for found in fences if parse_python(found) is not None]
    if fences:
        return str((readable or fences)[-1])
    is_program = _CODE.search(text) is not None and parse_python(text) is not None
    return text.strip() + "\n" if is_program else ""


def fenced(script: str) -> str:
    """Return a script in the form in which it is asked for."""
    return f"```python\n{script.rstrip()}\n```"


def reproduction_form(like: Form) -> Form:
    """Return the form in which a script is asked for, with as much code as `like` shows."""
    return replace(_FORM, code_tokens=like.code_tokens, mapped=like.mapped)


_SYSTEM = f"""\
You write a short Python script that shows whether a bug is there. It runs the code in question, \
prints what came out, and exits with {NOT_FIXED} if that is wrong, with {FIXED} if it is right. \
An exception that is the bug is caught. You answer with the script alone."""

_QUESTION = f"""\
{{context}}
Issue:
{{statement}}

Write a script that shows this issue: sys.exit({NOT_FIXED}) if the result is wrong, \
sys.exit({FIXED}) if it is as the issue expects."""

_EXAMPLE_SCRIPT = f"""\
import sys

from shop.basket import Basket

basket = Basket()
basket.add("apple", 2)
basket.add("apple", 3)
size = basket.size()
print("size is", size, "and should be 5")
sys.exit({FIXED} if size == 5 else {NOT_FIXED})"""

_FORM = Form(
    shared=(
        Message(role="system", content=_SYSTEM),
        Message(role="user", content=_QUESTION.format(context=BASKET, statement=BASKET_ISSUE)),
        Message(role="assistant", content=fenced(_EXAMPLE_SCRIPT)),
    ),
    question=_QUESTION,
)
