"""`ksolve models`: which models can be named, and what an endpoint says and takes."""

from __future__ import annotations

import asyncio
import dataclasses
import json as jsonlib
import os
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from agent.backend import BackendError, Completion, Message, Sampling, ToolsRefusedError
from agent.endpoint.attempt import Timing
from agent.endpoint.backend import EndpointBackend
from agent.models import ENDPOINT_KEY, Model, ModelOptions
from agent.presets import PRESETS
from agent.protocol import NATIVE
from agent.scripted import EXAMPLE
from ksolve.errors import INFRASTRUCTURE, complain, console, exit_code
from ksolve.options import (
    HeaderOption,
    JsonOption,
    PriceOption,
    ServeOption,
    WindowOption,
    headers_of,
    models_of,
    serve_of,
)
from ksolve.screen import put, screen

PATIENCE = 5.0
"""Seconds for which a question is asked again: whoever asks it waits for it."""

OTHER_FORMS = (
    ("vllm:qwen2.5-coder-0.5b", "", "served by ksolve itself: an alias, a folder or a hub name"),
    ("http://127.0.0.1:8000/v1#NAME", f"{ENDPOINT_KEY} if set", "any compatible endpoint"),
    (
        "scripted:answers.jsonl",
        "",
        "answers from a file, to try the pipeline: one JSON object a line",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What two short questions showed of a model."""

    name: str
    error: BackendError | None = None
    context_window: int = 0
    answer_tokens: int = 0
    thinks: bool = False
    sent: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    tools: str = ""
    notes: tuple[str, ...] = ()
    price: str = ""
    cost: float | None = None
    """US dollars of the questions."""


def models(
    *,
    model: Annotated[
        list[str] | None,
        typer.Argument(
            help="Ask these two short questions each. An address alone (http://HOST:PORT/v1) "
            "lists its models; no name at all lists the forms of names."
        ),
    ] = None,
    price: PriceOption = None,
    header: HeaderOption = None,
    context_window: WindowOption = None,
    serve: ServeOption = None,
    json: JsonOption = False,
) -> None:
    """List the forms of model names, or find out what models answer, take and cost.

    [bold]Example[/bold]

        ksolve models deepseek:deepseek-v4-flash http://127.0.0.1:8000/v1
    """
    if not model:
        _list(json=json)
        return
    headers = headers_of(header)
    addresses = [name for name in model if name.startswith("http") and "#" not in name]
    options = ModelOptions(
        context_window=context_window,
        headers=headers,
        serve=serve_of(serve) or {},
        timing=Timing(patience=PATIENCE),
    )
    named = [name for name in model if name not in addresses]
    chosen = models_of(named, price or (), options, progress=_Told())
    listed = {address: asyncio.run(_offered(address, options)) for address in addresses}
    reports = [asyncio.run(_ask(one)) for one in chosen]
    if json:
        rows = [_row(report) for report in reports]
        rows += [
            {"address": address, "models": names} if error is None else {"address": address}
            for address, (names, error) in listed.items()
        ]
        put(jsonlib.dumps(rows, indent=2))
    errors = [report.error for report in reports] + [error for _, error in listed.values()]
    for report in reports:
        if report.error is None and not json:
            _show(report)
    for address, (names, _) in listed.items():
        for name in () if json else names:
            screen().print(Text(f"{address}#{name}"), soft_wrap=True)
    for error in errors:
        if error is not None:
            complain(error)
    failed = [exit_code(error) or INFRASTRUCTURE for error in errors if error is not None]
    raise typer.Exit(max(failed, default=0))


class _Told:
    """Says what a server is doing, once: how far it is, in brackets, changes every second."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, text: str) -> None:
        words = text.partition(" (")[0]
        if words != self._said:
            console.print(Text(f"  {words}"))
        self._said = words


async def _offered(address: str, options: ModelOptions) -> tuple[list[str], BackendError | None]:
    """Return the models that an endpoint lists, or why they cannot be had."""
    from agent.endpoint.openai import OpenAIBackend

    backend = OpenAIBackend(
        name=address,
        model="",
        base_url=address,
        api_key=os.environ.get(ENDPOINT_KEY, "").strip() or None,
        key_variable=ENDPOINT_KEY,
        headers=options.headers,
        # Known, so that nothing is looked up when it is entered.
        context_window=1,
        timing=options.timing,
    )
    try:
        async with backend:
            names = await backend.list_models()
            nothing = f"{address} lists no models that can be read: add #NAME to its address."
            return names, None if names else BackendError(nothing)
    except BackendError as error:
        return [], error


async def _ask(model: Model) -> Report:
    console.print(Text(f"Asking {model.name}; what fails is tried again for {PATIENCE:g} s ..."))
    question = [Message(role="user", content="Answer with the one word: ready")]
    try:
        async with model.backend as backend:
            answered = await backend.complete(question, Sampling(seed=0))
            tools, asked = await _tools(model)
            usage = answered.usage + asked.usage if asked else answered.usage
            return Report(
                name=model.name,
                context_window=backend.context_window,
                answer_tokens=backend.answer_tokens,
                sent=dict(answered.sent),
                tools=tools,
                price=str(model.price),
                cost=model.price.at().cost(usage),
                **_learnt(model),
            )
    except BackendError as error:
        return Report(name=model.name, error=error, price=str(model.price))


async def _tools(model: Model) -> tuple[str, Completion | None]:
    """Say how the model calls tools, and return its answer."""
    question = [Message(role="user", content="Call the tool `submit` now, and say nothing.")]
    try:
        answer = await model.backend.complete(question, Sampling(seed=0), NATIVE.tools)
    except ToolsRefusedError:
        return "refused: actions are asked for in fenced blocks", None
    if answer.tool_calls:
        return "called natively", answer
    return "taken and not called: actions are asked for in fenced blocks", answer


def _learnt(model: Model) -> dict[str, Any]:
    backend = model.backend
    if not isinstance(backend, EndpointBackend):
        return {}
    profile = backend.profile
    return {
        "thinks": profile.thinks,
        "left_out": dict(profile.left_out),
        "notes": profile.notes,
    }


def _row(report: Report) -> dict[str, Any]:
    row = dataclasses.asdict(report) | {"model": report.name, "answers": report.error is None}
    row["error"] = None if report.error is None else str(report.error)
    del row["name"]
    return row


def _show(report: Report) -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    sent = ", ".join(f"{name}={value}" for name, value in report.sent.items()) or "none"
    rows = {
        "context window": f"{report.context_window:,} tokens",
        "answers": f"of up to {report.answer_tokens:,} tokens, unless --max-tokens says otherwise"
        + ("; it thinks before it answers" if report.thinks else ""),
        "settings sent": sent,
        "left out": "; ".join(f"{name} ({why})" for name, why in report.left_out.items()) or "none",
        "tools": report.tools,
        "price": report.price,
    }
    for name, text in rows.items():
        table.add_row(Text(name), Text(text))
    for number, note in enumerate(report.notes):
        table.add_row(Text("" if number else "learnt"), Text(note))
    screen().print(Text(f"{report.name} answers"), soft_wrap=True)
    screen().print(table)


def _list(*, json: bool) -> None:
    if json:
        rows = {
            name: {"key": preset.key_variable, "example": preset.example}
            for name, preset in PRESETS.items()
        }
        put(jsonlib.dumps(rows, indent=2))
        return
    table = Table("example", "key", "what it is", box=None, pad_edge=False)
    for name, preset in PRESETS.items():
        here = "set" if os.environ.get(preset.key_variable) else "not set"
        note = preset.note or f"the API of {name}"
        table.add_row(preset.example, f"{preset.key_variable} ({here})", note)
    for example, key, note in OTHER_FORMS:
        table.add_row(example, key, note)
    screen().print(table)
    screen().print(Text(f"A line of answers.jsonl: {EXAMPLE}"), soft_wrap=True)
