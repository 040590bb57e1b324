"""What an agent can do: run a command, look at a file, change one, hand in its work.

Whatever a model asks for, the answer is text for the model; only faults of the sandbox rise. What
a command may do is bounded by its sandbox, not here.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, assert_never

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.backend import Tool
from agent.editing.diff import git_diff
from agent.editing.placing import replace_lines
from agent.reading.syntax import parse_python
from agent.workspace import (
    FileRefusedError,
    FolderError,
    NoFileError,
    Observation,
    Workspace,
    cut,
    named,
)

_LISTING_SECONDS = 30.0
_SHOWN_LINES = 200
# Of a file, when a model names no range.
_SHOWN_CHANGE = 1_500
# Characters of what an edit did.
_SHOWN_PLACES = 8
_LINES_AROUND = 4
_COMPARED_LINES = 20_000
# Of a file, with a text that is not in it.


class _Asked(BaseModel):
    """The arguments of a tool, as a model wrote them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tool: ClassVar[str]
    does: ClassVar[str]


class Bash(_Asked):
    """Run a command."""

    tool: ClassVar[str] = "bash"
    does: ClassVar[str] = (
        "Run a command by bash in the repository's folder, and see what it prints. Each command is "
        "a new shell: `cd` and variables do not last."
    )
    command: str = Field(min_length=1)


class View(_Asked):
    """Look at a file or folder."""

    tool: ClassVar[str] = "view"
    does: ClassVar[str] = "See a file with line numbers, or what is in a folder."
    path: str = Field(min_length=1)
    first: int | None = Field(default=None, description="The first line to show.")
    last: int | None = Field(default=None, description="The last line to show.")


class Edit(_Asked):
    """Replace a text in a file."""

    tool: ClassVar[str] = "edit"
    does: ClassVar[str] = "Replace a text in a file, or make a new file."
    path: str = Field(min_length=1)
    old: str = Field(
        default="",
        description="The text to replace, exactly as it stands there once. Empty for a new file.",
    )
    new: str = Field(description="The text that takes its place.")


class Submit(_Asked):
    """Hand in the work."""

    tool: ClassVar[str] = "submit"
    does: ClassVar[str] = "Hand in the repository as it is now. Do this last."
    # Some endpoints take no tool without parameters.
    note: str | None = Field(default=None, description="What was done, in a sentence.")


Action = Bash | View | Edit | Submit

_ACTIONS: Mapping[str, type[Action]] = {one.tool: one for one in (Bash, View, Edit, Submit)}


class MalformedError(Exception):
    """No action can be read. The message is one sentence for the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of an action."""

    observation: Observation
    refused: bool = False
    # It was not done; the observation says why.


def specifications() -> tuple[Tool, ...]:
    """Return the tools as an endpoint takes them."""
    return tuple(
        Tool(name=one.tool, description=one.does, parameters=_schema(one))
        for one in _ACTIONS.values()
    )


def action_of(name: str, arguments: object) -> Action:
    """Return the action that a call asks for. Raises MalformedError."""
    if name not in _ACTIONS:
        raise MalformedError(f"There is no tool {name[:50]!r}, only {', '.join(_ACTIONS)}.")
    try:
        return _ACTIONS[name].model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MalformedError(
            f"The arguments of {name} are wrong: {f'{where}: ' if where else ''}{first['msg']}."
        ) from None


async def act(action: Action, workspace: Workspace, *, timeout: float) -> Outcome:
    """Do what is asked, within `timeout` seconds. Raises SandboxError."""
    try:
        match action:
            case Bash():
                ran = await workspace.run(action.command, timeout=timeout)
                return Outcome(observation=_with_exit_code(ran))
            case View():
                return Outcome(observation=await _view(action, workspace))
            case Edit():
                return told(await _edit(action, workspace))
            case Submit():
                return told("Handed in.")
    except FileRefusedError as error:
        return told(str(error), refused=True)
    assert_never(action)


def told(text: str, *, refused: bool = False) -> Outcome:
    """Return an outcome that is only words."""
    return Outcome(
        observation=Observation(text=text, whole="", exit_code=None, seconds=0.0), refused=refused
    )


def _with_exit_code(ran: Observation) -> Observation:
    if ran.exit_code is None or (ran.exit_code == 0 and ran.text):
        return ran
    words = f"exit code {ran.exit_code}" if ran.text else f"no output, exit code {ran.exit_code}"
    gap = "\n" if ran.text and not ran.text.endswith("\n") else ""
    return Observation(
        text=f"{ran.text}{gap}({words})\n",
        whole=ran.whole,
        exit_code=ran.exit_code,
        seconds=ran.seconds,
    )


async def _view(asked: View, workspace: Workspace) -> Observation:
    """Return the lines asked for, numbered from 1, or the names in a folder."""
    try:
        lines = (await workspace.read(asked.path)).split("\n")
    except FolderError:
        # Else a name could be an option.
        start = f"./{asked.path}" if asked.path.startswith("-") else asked.path
        found = f"find {shlex.quote(start)} -maxdepth 2 -not -path '*/.*' -not -name '*.pyc'"
        return await workspace.run(f"{found} | sort", timeout=_LISTING_SECONDS)
    if lines[-1] == "":
        lines.pop()
    first = max(asked.first or 1, 1)
    last = min(asked.last or first + _SHOWN_LINES - 1, len(lines))
    if first > max(len(lines), 1):
        raise FileRefusedError(f"{named(asked.path)} has only {len(lines)} lines.")
    shown = lines[first - 1 : max(last, first)]
    text = "".join(f"{number:>5} | {line.rstrip()}\n" for number, line in enumerate(shown, first))
    if len(shown) < len(lines):
        text += f"(lines {first} to {first + len(shown) - 1} of {len(lines)})\n"
    short = cut(text or "(an empty file)\n", workspace.shown_characters)
    whole = text if short != text and text else ""
    return Observation(text=short, whole=whole, exit_code=None, seconds=0.0)


async def _edit(asked: Edit, workspace: Workspace) -> str:
    """Make an edit and return what it changed. Raises FileRefusedError where it has no place."""
    if not asked.old:
        return await _make(asked, workspace)
    before = await workspace.read(asked.path)
    # To find what is most like a text takes long in a long file.
    after, note = await asyncio.to_thread(_replaced, asked, before)
    if after == before:
        raise FileRefusedError("Nothing is changed: both texts are the same.")
    await workspace.write(asked.path, after)
    return await asyncio.to_thread(_told_change, asked.path, before, after, note)


async def _make(asked: Edit, workspace: Workspace) -> str:
    try:
        before = await workspace.read(asked.path)
    except NoFileError:
        before = ""
    if before.strip():
        raise FileRefusedError(
            f"{named(asked.path)} is there already: give the text in it that is to be replaced."
        )
    await workspace.write(asked.path, asked.new)
    return await asyncio.to_thread(_changed, asked.path, before, asked.new, "a new file")


def _replaced(asked: Edit, before: str) -> tuple[str, str]:
    """Return the text after the edit, and what was forgiven. Raises FileRefusedError."""
    old, new = asked.old, asked.new
    if "\r\n" in before and "\r" not in old:
        # A model is not shown carriage returns.
        old, new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
    count = before.count(old)
    if count == 1:
        return before.replace(old, new), ""
    if count > 1:
        raise FileRefusedError(
            f"The text is not unique: it stands {count} times in {named(asked.path)}, "
            f"{_lines(before, old)}; give more of the lines around the one that is meant."
        )
    lines = before.split("\n")
    end = [lines.pop()] if lines[-1] == "" else []
    placed = replace_lines(lines, asked.old.split("\n"), asked.new.split("\n"))
    if placed is None:
        raise FileRefusedError(_missed(asked, lines))
    return "\n".join([*placed.lines, *(end if placed.lines else [])]), placed.note


def _missed(asked: Edit, lines: Sequence[str]) -> str:
    """Say that a text is not in a file, and what is there that is most like it."""
    path = named(asked.path)
    meant = max((line.strip() for line in asked.old.split("\n")), key=len)
    by_text = {line.strip(): number for number, line in enumerate(lines[:_COMPARED_LINES])}
    near = get_close_matches(meant, by_text, n=1)
    if not near:
        return f"The text is not in {path}; look at the file, and copy the lines exactly."
    at = by_text[near[0]]
    around = lines[max(at - _LINES_AROUND, 0) : at + _LINES_AROUND + 1]
    return (
        f"The text is not in {path}. Most like it are these lines; copy what is to be "
        "replaced exactly, or look at the file.\n" + cut("\n".join(around), _SHOWN_CHANGE)
    )


def _lines(text: str, part: str) -> str:
    """Say where a part begins."""
    numbers: list[str] = []
    at = text.find(part)
    while at >= 0 and len(numbers) < _SHOWN_PLACES:
        numbers.append(str(text.count("\n", 0, at) + 1))
        at = text.find(part, at + len(part))
    return f"on lines {', '.join(numbers)}{', ...' if at >= 0 else ''}"


def _told_change(path: str, before: str, after: str, note: str) -> str:
    change = git_diff(path, before, after).split("\n", 3)[-1]
    return _changed(path, before, after, note) + "\n" + cut(change, _SHOWN_CHANGE)


def _changed(path: str, before: str, after: str, note: str) -> str:
    notes = [note] if note else []
    if path.endswith(".py") and parse_python(after) is None and parse_python(before) is not None:
        notes.append("but now it is no valid Python any more")
    remark = f" ({'; '.join(notes)})" if notes else ""
    return f"{named(path)} is changed{remark}."


def _schema(action: type[Action]) -> dict[str, Any]:
    """Return a JSON Schema without the titles, which only cost tokens."""
    said = action.model_json_schema()
    properties = {
        # What may be left out has no default to be told, and may then be of no type, too.
        name: {"type": about.get("type", "integer")}
        | {word: about[word] for word in ("description",) if word in about}
        for name, about in said.get("properties", {}).items()
    }
    return {"type": "object", "properties": properties, "required": said.get("required", [])}
