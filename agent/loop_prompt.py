"""What a model is told before its first step in the strategy `loop`.

The same words come first for all issues, and then the same for all samples of one, so that the
prefix cache serves them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from agent.backend import Message
from agent.limits import AgentLimits
from agent.protocol import FENCED, NATIVE, Protocol
from agent.reading.context import likely_tokens, shortened
from agent.tools import Action, Bash, Edit, Submit
from agent.workspace import Workspace
from tasks.task import Issue

VARIANTS: Mapping[str, str] = {
    "plain": (
        "Find the cause of this issue in the code and fix it there, then check that it is fixed. "
        "Submit when it is."
    ),
    "reproduce-first": (
        "First write a small script outside of the repository, in /tmp, that shows the issue, and "
        "run it. Then find the cause in the code and fix it there, and run the script again. "
        "Submit when the script shows that it is fixed."
    ),
}
"""By name: what a model is asked to do."""

_REVISION = "2"
_LISTED = 1_200
# Characters of the list of files.
_LIST_SECONDS = 30.0
_SHARE_OF_ISSUE = 0.4
# Of the room, that the issue's text may take; the example takes no more than `_SHARE_OF_EXAMPLE`.
_SHARE_OF_EXAMPLE = 0.25

_SYSTEM = """\
You fix bugs in a repository. You see its files only by what you do. {guide}

Take one small step at a time, and wait for what it shows."""

_QUESTION = """\
You are in {workdir}, a repository with these files:
{files}
{tests}
Issue:
{statement}

{task}"""

_EXAMPLE_QUESTION = _QUESTION.format(
    workdir="/home/me/shapes",
    files="shapes/box.py\nshapes/wheel.py\n",
    tests="",
    statement="Box(2, 5).area() gives 7, but a box of 2 by 5 has an area of 10.",
    task=VARIANTS["plain"],
)
_EXAMPLE: tuple[tuple[str, Action, str], ...] = (
    (
        "I look at how a box computes its area.",
        Bash(command="cat shapes/box.py"),
        (
            "class Box:\n    def __init__(self, width, height):\n        self.width = width\n"
            "        self.height = height\n\n    def area(self):\n"
            "        return self.width + self.height\n"
        ),
    ),
    (
        "It adds where it should multiply.",
        Edit(
            path="shapes/box.py",
            old="        return self.width + self.height\n",
            new="        return self.width * self.height\n",
        ),
        (
            "shapes/box.py is changed.\n@@ -7,1 +7,1 @@\n-        return self.width + self.height\n"
            "+        return self.width * self.height\n"
        ),
    ),
    (
        "I check that it is fixed.",
        Bash(command="python3 -c 'from shapes.box import Box; print(Box(2, 5).area())'"),
        "10\n",
    ),
    ("It is fixed.", Submit(), "Handed in."),
)


async def first_prompt(
    issue: Issue, workspace: Workspace, protocol: Protocol, variant: str, room: int
) -> tuple[Message, ...]:
    """Return the first messages: what all issues share, then what all samples of this one do.

    What would take more than its share of `room` tokens is shortened. Raises SandboxError.
    """
    listed = await workspace.run("git ls-files", timeout=_LIST_SECONDS)
    names = listed.text[:_LISTED].rpartition("\n")[0]
    if len(names) + 1 < len(listed.text):
        names += "\n..."
    system = Message(role="system", content=_SYSTEM.format(guide=protocol.guide))
    example = (
        Message(role="user", content=_EXAMPLE_QUESTION, is_example=True),
        *protocol.demonstration(_EXAMPLE),
    )
    if sum(likely_tokens(message.content) for message in example) > room * _SHARE_OF_EXAMPLE:
        example = ()
    question = _QUESTION.format(
        workdir=issue.workdir,
        files=names + "\n",
        tests=f"Its tests are run by: {issue.test_command}\n" if issue.test_command else "",
        statement=shortened(issue.statement.strip(), int(room * _SHARE_OF_ISSUE)),
        task=VARIANTS[variant],
    )
    return (system, *example, Message(role="user", content=question))


def version_of(variant: str, limits: AgentLimits) -> str:
    """Return what changes whenever a model would be asked differently."""
    ways = [
        [
            protocol.guide,
            protocol.reminder,
            [[tool.name, tool.description, dict(tool.parameters)] for tool in protocol.tools],
            [str(message) for message in protocol.demonstration(_EXAMPLE)],
        ]
        for protocol in (NATIVE, FENCED)
    ]
    words = [_SYSTEM, _QUESTION, _EXAMPLE_QUESTION, VARIANTS[variant]]
    return f"{_REVISION}-{variant}-{digest([ways, words, limits.observation_characters])[:8]}"


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
