"""How a model says what is to be done, and is told what came of it.

Either by calls of tools, which the endpoint reads, or by fenced blocks in its text, which are read
here: commands, SEARCH/REPLACE edits, and the word that hands in the work. Any answer is taken; what
cannot be read becomes a sentence for the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.backend import Completion, Message, Role, Tool, ToolCall
from agent.editing.edit_forms import Replacement, read_answer
from agent.tools import (
    Action,
    Bash,
    Edit,
    MalformedError,
    Submit,
    action_of,
    specifications,
)
from agent.workspace import cut, sound

# Of one answer; a model that asks for more is repeating itself.
_MOST_REQUESTS = 20
_LONGEST_NAME = 64
# Characters of why arguments cannot be read.
_LONGEST_FAULT = 300
_AFTER_EXAMPLE = "The work is handed in."

_FENCE = re.compile(r"\s{0,3}(?P<ticks>`{3,}|~{3,})\s*+(?P<info>\w*+)\s*$")
_SHELLS = {"bash", "sh", "shell", "zsh", "console"}
_SUBMIT = re.compile(r"[\s*`#>]*submit[\s*`.!]*$", re.IGNORECASE)
_SEARCH = re.compile(r"\s*(?:<{5,}|<{3,}\s*SEARCH)", re.IGNORECASE)
_END = re.compile(r"\s*(?:>{5,}|>{3,}\s*REPLACE)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One thing that an answer asks for."""

    action: Action | None
    fault: str = ""
    # Why there is no action: one sentence for the model.
    call_id: str = ""
    # Of the call that has to be answered, "" where it was asked for in text.


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """One way to ask for what is to be done."""

    tools: tuple[Tool, ...]
    # Sent with every request.
    guide: str
    # How to ask, for the prompt.
    reminder: str
    # The same in a sentence, for whoever did not.

    def demonstration(self, steps: Sequence[tuple[str, Action, str]]) -> Iterator[Message]:
        """Return a worked example, as the messages in which it would have happened.

        A step is a remark, an action, and what was seen of it.
        """
        for number, (remark, action, seen) in enumerate(steps):
            if not self.tools:
                yield _example("assistant", f"{remark}\n\n{_as_block(action)}")
                yield _example("user", seen)
                continue
            # Of nine letters and digits, which every family takes for an id.
            call = ToolCall(
                id=f"example{number:02d}",
                name=action.tool,
                arguments=action.model_dump_json(exclude_none=True),
            )
            yield replace(_example("assistant", remark), tool_calls=(call,))
            yield replace(_example("tool", seen), tool_call_id=call.id)
        # Not every family lets a user speak after a tool.
        yield _example("assistant", _AFTER_EXAMPLE)


NATIVE = Protocol(
    tools=specifications(),
    guide="You work by calling tools.",
    reminder="Call one of the tools bash, view, edit and submit.",
)

FENCED = Protocol(
    tools=(),
    guide="""\
Each answer is a short remark and one action. There are three kinds of actions.

A command, which is run by bash in the repository's folder:

```bash
grep -n "def area" shapes/*.py
```

An edit: the file, the lines to change exactly as they stand there, and the lines for their place. \
With nothing to search for, it makes a new file:

shapes/box.py
<<<<<<< SEARCH
    return w + h
=======
    return w * h
>>>>>>> REPLACE

The end, once all is done:

```submit
```""",
    reminder="Write one ```bash block, one SEARCH/REPLACE edit, or a ```submit block.",
)


def requests_of(completion: Completion) -> tuple[Request, ...]:
    """Return what an answer asks for, in its order; () where it asks for nothing."""
    if completion.tool_calls:
        return tuple(_of_call(call) for call in completion.tool_calls)
    said = sound(completion.text).replace("\r\n", "\n")
    found = tuple(_of_text(said.split("\n"), cut_off=completion.stop == "length"))
    return found[:_MOST_REQUESTS]


def as_sent(completion: Completion) -> Message:
    """Return an answer as it can be shown to the model again.

    Endpoints refuse a history in which there is nothing, or a call that they cannot read.
    """
    calls = tuple(
        replace(
            call,
            name=re.sub(r"[^a-zA-Z0-9_-]", "_", call.name)[:_LONGEST_NAME] or "unknown",
            arguments=_arguments_as_sent(call),
        )
        for call in completion.tool_calls
    )
    text = sound(completion.text)
    if not text.strip() and not calls:
        text = "(no answer)"
    return replace(completion.message, content=text, tool_calls=calls)


def replies_to(requests: Sequence[Request], texts: Sequence[str]) -> Iterator[Message]:
    """Return the messages that tell what came of each request: every call gets its own."""
    if any(request.call_id for request in requests):
        for request, text in zip(requests, texts, strict=True):
            yield Message(role="tool", content=text, tool_call_id=request.call_id)
    elif len(texts) == 1:
        yield Message(role="user", content=texts[0])
    else:
        numbered = (f"Action {number}:\n{text}" for number, text in enumerate(texts, start=1))
        yield Message(role="user", content="\n".join(numbered))


def _of_call(call: ToolCall) -> Request:
    try:
        arguments = _parsed(call)
        return Request(action=action_of(call.name, arguments), call_id=call.id)
    except MalformedError as error:
        return Request(action=None, fault=str(error), call_id=call.id)
    except (ValueError, RecursionError) as error:
        why = cut(str(error), _LONGEST_FAULT)
        fault = f"The arguments of {sound(call.name)[:_LONGEST_NAME]} are no JSON ({why})."
        return Request(action=None, fault=fault, call_id=call.id)


def _parsed(call: ToolCall) -> Any:
    """Return what the arguments say; a line feed within a string is no reason to refuse it."""
    said: object = json.loads(call.arguments or "{}", strict=False)
    if isinstance(said, str):
        said = json.loads(said or "{}", strict=False)
    if said is None:
        said = {}
    return json.loads(sound(json.dumps(said, ensure_ascii=False)))


def _arguments_as_sent(call: ToolCall) -> str:
    try:
        # A number without a form in JSON, which Python reads, is refused by endpoints.
        said = _parsed(call)
        return json.dumps(said, allow_nan=False) if isinstance(said, dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _of_text(lines: Sequence[str], *, cut_off: bool) -> Iterator[Request]:
    """Read blocks in their order; text between them is looked through for edits."""
    loose: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        fence = _FENCE.match(line)
        if _SEARCH.match(line):
            # Whatever stands in an edit is the text of a file.
            end = _end_of_edit(lines, number)
            loose += lines[number:end]
            number = end
        elif fence and fence["info"].lower() in _SHELLS | {"submit"}:
            yield from _edits(loose, cut_off=False)
            loose = []
            end = _end_of_fence(lines, number, fence["ticks"])
            if end < len(lines) or not cut_off:
                yield from _of_block(fence["info"].lower(), lines[number + 1 : end])
            number = end + 1
        elif _SUBMIT.match(line):
            yield from _edits(loose, cut_off=False)
            loose = []
            yield Request(action=Submit())
            number += 1
        else:
            loose.append(line)
            number += 1
    yield from _edits(loose, cut_off=cut_off)


def _of_block(kind: str, lines: Sequence[str]) -> Iterator[Request]:
    command = "\n".join(lines).strip("\n")
    if kind == "submit" or command.strip().lower() == "submit":
        yield Request(action=Submit())
        return
    if command.startswith("$ "):
        # Copied from a terminal: what follows a command is what it would have printed.
        command = "\n".join(line[2:] for line in lines if line.startswith("$ "))
    if command.strip():
        yield Request(action=Bash(command=command))


def _edits(lines: Sequence[str], *, cut_off: bool) -> Iterator[Request]:
    if not any(_SEARCH.match(line) for line in lines):
        return
    forms = read_answer("\n".join(lines), cut_off=cut_off)
    for edit in forms[0] if forms else ():
        if not isinstance(edit, Replacement):
            fault = "The edit is not complete: it needs SEARCH, a line of =======, and REPLACE."
            yield Request(action=None, fault=fault)
        elif not edit.path:
            fault = "The edit names no file: write its path on the line above <<<<<<< SEARCH."
            yield Request(action=None, fault=fault)
        else:
            old, new = (
                "".join(f"{line}\n" for line in part) for part in (edit.search, edit.replace)
            )
            yield Request(action=Edit(path=edit.path, old=old if old.strip() else "", new=new))


def _end_of_edit(lines: Sequence[str], start: int) -> int:
    """Return the line after an edit, or after its beginning where it has no end."""
    for number in range(start + 1, len(lines)):
        if _END.match(lines[number]):
            return number + 1
    return len(lines)


def _end_of_fence(lines: Sequence[str], start: int, ticks: str) -> int:
    for number in range(start + 1, len(lines)):
        fence = _FENCE.match(lines[number])
        if fence and not fence["info"] and fence["ticks"].startswith(ticks):
            return number
    return len(lines)


def _example(role: Role, content: str) -> Message:
    return Message(role=role, content=content, is_example=True)


def _as_block(action: Action) -> str:
    match action:
        case Bash():
            return f"```bash\n{action.command}\n```"
        case Edit():
            old, new = action.old.rstrip("\n"), action.new.rstrip("\n")
            return f"{action.path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"
        case _:
            return "```submit\n```"
