"""A transcript as a page shows it: what was told and done in each turn, and what is folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.backend import ToolCall, Usage
from agent.trajectory import Turn
from eval.trajectories import arguments_of, is_drawn, is_observation
from ksolve.view.texts import Allowance, Shown, coloured, one_line

TURNS = 400
"""Turns that a page shows."""

_LONG = 80
# Characters of an argument that gets lines of its own.


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """One argument of a tool call."""

    name: str
    value: Shown
    is_long: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What a model asked to be done."""

    name: str
    id: str
    arguments: Sequence[Argument]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One turn."""

    number: int
    # From 1.
    role: str
    # "observation", or who speaks.
    facts: Sequence[str]
    gist: str
    # Its first words.
    body: Shown
    calls: Sequence[Call]
    is_open: bool
    # Of the model's own; prompts and observations are folded.
    is_shortened: bool
    # The model was shown less.


def steps(turns: Sequence[Turn]) -> tuple[Sequence[Step], Sequence[Step]]:
    """Return the first `TURNS` turns: those before the model's first own one, and the rest."""
    allowance = Allowance()
    told = [_step(number, turn, allowance) for number, turn in enumerate(turns[:TURNS], start=1)]
    begun = next((i for i, step in enumerate(told) if step.is_open), len(told))
    return told[:begun], told[begun:]


def whole(turn: Turn) -> str:
    """Return all of a turn as plain text: what was said and what was asked for."""
    calls = (f"\n[{call.name} {call.id}]\n{call.arguments}\n" for call in turn.message.tool_calls)
    return _said(turn) + "".join(calls)


def _said(turn: Turn) -> str:
    """Return the text of a turn, with what was thought before it."""
    text = turn.whole or turn.message.content
    thinking = turn.message.thinking
    return f"[thinking]\n{thinking}\n\n[answer]\n{text}" if thinking else text


def _step(number: int, turn: Turn, allowance: Allowance) -> Step:
    message = turn.message
    text = turn.whole or message.content
    body = allowance.body(_said(turn).strip("\n"))
    calls = [_call(call, allowance) for call in message.tool_calls]
    return Step(
        number=number,
        role="observation" if is_observation(turn) else message.role,
        facts=list(_facts(turn)),
        gist=one_line(text) or ", ".join(one_line(call.name) for call in message.tool_calls),
        body=body,
        calls=calls,
        is_open=is_drawn(turn),
        is_shortened=bool(turn.whole),
    )


def _facts(turn: Turn) -> Iterator[str]:
    message = turn.message
    if turn.source:
        yield one_line(turn.source)
    if message.role == "assistant":
        yield used(turn.usage) if is_drawn(turn) else "an example"
    if is_observation(turn):
        if turn.exit_code is not None:
            yield f"exit code {turn.exit_code}"
        elif message.role != "tool" or turn.seconds:
            yield "ended"
        if message.tool_call_id:
            yield f"answers {one_line(message.tool_call_id, 40)}"
    if turn.seconds:
        yield f"{turn.seconds:.1f} s"


def _call(call: ToolCall, allowance: Allowance) -> Call:
    arguments = arguments_of(call)
    if arguments is None:
        arguments = {"": call.arguments}
    return Call(
        name=call.name,
        id=call.id,
        arguments=[
            _argument(name, value if isinstance(value, str) else repr(value), allowance)
            for name, value in arguments.items()
        ],
    )


def _argument(name: str, value: str, allowance: Allowance) -> Argument:
    shown = allowance.body(value)
    if name == "command":
        shown = Shown(text=coloured(value[: len(value) - shown.left], "bash"), left=shown.left)
    is_long = "\n" in value.strip("\n") or len(value) > _LONG
    return Argument(name=name, value=shown, is_long=is_long)


def used(usage: Usage) -> str:
    """Write tokens in a few words."""
    cached = (
        f" ({usage.cached_tokens / usage.input_tokens:.0%} cached)" if usage.input_tokens else ""
    )
    reasoning = f" ({usage.reasoning_tokens:,} reasoning)" if usage.reasoning_tokens else ""
    requests = f", {usage.calls:,} requests" if usage.calls > 1 else ""
    return f"{usage.input_tokens:,}{cached} in, {usage.output_tokens:,}{reasoning} out{requests}"
