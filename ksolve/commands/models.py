"""`ksolve models`: which models can be named, what they cost, and whether they answer."""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from agent.backend import BackendError, Message, Sampling
from agent.models import ENDPOINT_KEY, Model, known_presets
from agent.scripted import EXAMPLE
from ksolve.errors import INFRASTRUCTURE, complain, console, exit_code
from ksolve.options import JsonOption, PriceOption, models_of
from ksolve.screen import screen

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


def models(
    *,
    model: Annotated[
        list[str] | None, typer.Argument(help="Ask these one question each; none lists the forms.")
    ] = None,
    price: PriceOption = None,
    json: JsonOption = False,
) -> None:
    """List the forms of model names, or ask models one short question.

    [bold]Example[/bold]

        ksolve models deepseek:deepseek-chat vllm:qwen2.5-coder-0.5b
    """
    if not model:
        _list(json=json)
        return
    chosen = models_of(model, price or (), patience=PATIENCE, progress=_Told())
    answers = [asyncio.run(_ask(one)) for one in chosen]
    if json:
        rows = [
            {"model": one.name, "price": str(one.price), "answers": error is None}
            for one, error in zip(chosen, answers, strict=True)
        ]
        typer.echo(jsonlib.dumps(rows, indent=2))
    worst = 0
    for one, error in zip(chosen, answers, strict=True):
        if error is None:
            screen(stderr=json).print(f"{one.name} answers; price: {one.price}")
        else:
            complain(error)
            worst = max(worst, exit_code(error) or INFRASTRUCTURE)
    raise typer.Exit(worst)


class _Told:
    """Says what a server is doing, once: how far it is, in brackets, changes every second."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, text: str) -> None:
        words = text.partition(" (")[0]
        if words != self._said:
            console.print(Text(f"  {words}"))
        self._said = words


async def _ask(model: Model) -> BackendError | None:
    console.print(Text(f"Asking {model.name}; what fails is tried again for {PATIENCE:g} s ..."))
    question = [Message(role="user", content="Answer with the one word: ready")]
    try:
        async with model.backend as backend:
            await backend.complete(question, Sampling(temperature=0.0, max_tokens=16))
    except BackendError as error:
        return error
    return None


def _list(*, json: bool) -> None:
    presets = known_presets()
    if json:
        rows = {
            name: {"key": preset.key_variable, "example": preset.example}
            for name, preset in presets.items()
        }
        typer.echo(jsonlib.dumps(rows, indent=2))
        return
    table = Table("example", "key", "what it is", box=None, pad_edge=False)
    for name, preset in presets.items():
        here = "set" if os.environ.get(preset.key_variable) else "not set"
        table.add_row(preset.example, f"{preset.key_variable} ({here})", f"the API of {name}")
    for example, key, note in OTHER_FORMS:
        table.add_row(example, key, note)
    screen().print(table)
    screen().print(Text(f"A line of answers.jsonl: {EXAMPLE}"), soft_wrap=True)
