"""What the model behind a loopback endpoint thinks, says and calls: it solves one small issue.

It reads a conversation in any provider's form and answers as one that knows the fix: by an edit, a
script, a list of files, by calls of tools or by fenced blocks. While it thinks it drafts a wrong
fix, which is never to be taken for its answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from agent import workspace as workspace_module
from sandbox.fake import FakeSandbox, did
from sandbox.sandbox import ExecResult
from tests.agent.test_loop import CODE, ISSUE, Repository

RIGHT = "width * height"
REPAIR = f"sed -i 's/width + height/{RIGHT}/' shapes/area.py"
SPOIL = "sed -i 's/width + height/width - height/' shapes/area.py"


def edit(to: str) -> str:
    return (
        "shapes/area.py\n<<<<<<< SEARCH\n    return width + height\n=======\n"
        f"    return {to}\n>>>>>>> REPLACE\n"
    )


DRAFT = f"Perhaps so?\n\n{edit('width - height')}\n```bash\n{SPOIL}\n```\n\nNo, that is not right."
SCRIPT = "```python\nimport sys  # shows it\n\nsys.exit(2)\n```"

Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer before it has any provider's form."""

    text: str = ""
    calls: Sequence[Call] = ()
    thinking: str = DRAFT


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One turn of a conversation, whatever form it came in."""

    role: str
    text: str = ""
    # Ids of what it calls.
    calls: Sequence[str] = ()
    # The id of the call that it is the result of.
    answers: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


def heard(body: Mapping[str, Any]) -> list[Heard]:
    """Read the conversation of a request in the form of any of three APIs."""
    if "input" in body:
        return list(_of_responses(body["input"]))
    turns = [Heard(role="system", text=_text(body["system"]))] if body.get("system") else []
    return turns + [turn for message in body["messages"] for turn in _of_message(message)]


def answer_to(turns: Sequence[Heard], *, takes_tools: bool) -> Said:
    """Say what a model that knows the fix says next."""
    everything = "\n".join(turn.text for turn in turns)
    last = turns[-1]
    if "Call the tool `submit` now" in last.text:
        return Said(calls=[("submit", {})], thinking="So be it.")
    if "You find the files of a repository" in everything:
        return Said(text="shapes/area.py\nREADME.md", thinking="README.md or so?")
    if "You write a short Python script" in everything:
        return Said(text=f"Here it is:\n\n{SCRIPT}")
    if "Take one small step at a time" not in everything:
        return Said(text=f"It has to multiply.\n\n{edit(RIGHT)}")
    begun = max(n for n, turn in enumerate(turns) if ISSUE.statement in turn.text)
    step = sum(turn.role == "assistant" for turn in turns[begun:])
    if takes_tools:
        return (
            Said(
                text="I look at it.",
                calls=[("bash", {"command": "cat shapes/area.py"}), ("bash", {"command": "ls"})],
            ),
            Said(calls=[("bash", {"command": REPAIR})]),
            Said(text="That is it.", calls=[("submit", {})], thinking=""),
        )[min(step, 2)]
    fenced = ("cat shapes/area.py", REPAIR, "")[min(step, 2)]
    return Said(text=f"I go on.\n\n```bash\n{fenced}\n```" if fenced else "```submit\n```")


class Shapes(Repository):
    """A repository on whose files one command, which repairs it, has an effect."""

    def answer(self, argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        if argv[2] == workspace_module._SHELL and argv[3] in {REPAIR, SPOIL}:
            self.commands.append(argv[3])
            path = PurePosixPath("/testbed/shapes/area.py")
            to = RIGHT if argv[3] == REPAIR else "width - height"
            sandbox.files[path] = CODE.replace("width + height", to).encode()
            return did()
        return super().answer(argv, stdin, sandbox)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def _of_message(message: Mapping[str, Any]) -> Iterator[Heard]:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    uses = [part["id"] for part in parts if part.get("type") == "tool_use"]
    for part in parts:
        if part.get("type") == "tool_result":
            yield Heard(role="tool", text=_text(part["content"]), answers=part["tool_use_id"])
    if parts and all(part.get("type") == "tool_result" for part in parts):
        return
    yield Heard(
        role=message["role"],
        text=_text(content),
        calls=[*(call["id"] for call in message.get("tool_calls") or ()), *uses],
        answers=message.get("tool_call_id", ""),
        raw=message,
    )


def _of_responses(items: Sequence[Mapping[str, Any]]) -> Iterator[Heard]:
    """Read items; what a model wrote between two answers to it is one turn."""
    own: list[Mapping[str, Any]] = []
    for item in [*items, {"role": "end"}]:
        kind = item.get("type", "message")
        if kind in {"reasoning", "function_call"} or item.get("role") == "assistant":
            own.append(item)
            continue
        if own:
            yield Heard(
                role="assistant",
                text="".join(_text(one.get("content")) for one in own),
                calls=[one["call_id"] for one in own if one.get("type") == "function_call"],
                raw={"items": own},
            )
            own = []
        if kind == "function_call_output":
            yield Heard(role="tool", text=item["output"], answers=item["call_id"])
        elif item["role"] != "end":
            yield Heard(role=item["role"], text=_text(item["content"]))


def words(value: object) -> int:
    """Return how many tokens something has, as this model counts."""
    text = value if isinstance(value, str) else json.dumps(value)
    return len(text.split())
