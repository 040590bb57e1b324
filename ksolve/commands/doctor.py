"""`ksolve doctor`: what is missing on this machine, and the command that mends it."""

from __future__ import annotations

import asyncio
import json as jsonlib
import shutil
import time
from typing import Annotated

import platformdirs
import psutil
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ksolve.errors import INFRASTRUCTURE, InputError
from ksolve.options import JsonOption
from ksolve.screen import put, screen
from ksolve.setup import Found, Part, parts

GIB = 1024**3
DISK_WANTED = 15 * GIB
"""For everything that ksolve downloads or builds, with room to work."""


def doctor(
    *,
    mend: Annotated[bool, typer.Option("--mend", help="Set up what is missing.")] = False,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part; repeat it for more.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Remove containers whose ksolve is gone.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what this machine lacks, and why; with --mend set it up, with --sweep clean up.

    Ends with 0 when nothing is missing, 3 when something is.

    [bold]Example[/bold]

        ksolve doctor --mend --part engine --part base-image
    """
    console = screen(stderr=json)
    if sweep:
        from sandbox.orphans import sweep_orphans

        removed = asyncio.run(sweep_orphans())
        console.print(f"{len(removed)} orphaned containers removed.")
        if not mend:
            return
    try:
        chosen = parts(part or ())
    except KeyError as error:
        names = ", ".join(one.name for one in parts())
        raise InputError(f"There is no part {error}; there are {names}.") from None
    if mend:
        for one in chosen:
            set_up(one, console)
    found = {one.name: one.look() for one in chosen}
    if json:
        states = {name: one.state for name, one in found.items()}
        why_not = {name: one.why_not for name, one in found.items() if one.why_not}
        notes = {name: list(one.notes) for name, one in found.items() if one.notes}
        told = {**states, **_room(), "why_not": why_not, "notes": notes}
        put(jsonlib.dumps(told, indent=2))
    else:
        console.print(_table(chosen, found))
        for name, part_found in found.items():
            for sentence in filter(None, (part_found.why_not, *part_found.notes)):
                console.print(Text(f"{name}: {sentence}"), soft_wrap=True)
    if any(one.state is None for one in found.values()):
        console.print("`ksolve doctor --mend` sets up what it can of that.")
        raise typer.Exit(INFRASTRUCTURE)


def set_up(part: Part, console: Console) -> None:
    """Set one part up unless it stands, saying what is done and how far it is."""
    if part.look().state is not None:
        return
    started = time.monotonic()
    console.print(f"Setting up {part.name}: {part.purpose} ...")
    with console.status(part.name) as status:
        last = ""

        def say(text: str) -> None:
            nonlocal last
            status.update(text)
            # Without a terminal there is no status line: print each new stage, not each percent.
            stage = text.partition(" (")[0]
            if not console.is_terminal and stage != last:
                console.print(f"  {stage}")
            last = stage

        part.mend(say)
    console.print(f"  {part.name} stands ({time.monotonic() - started:.0f} s).")


def _table(chosen: list[Part], found: dict[str, Found]) -> Table:
    table = Table("part", "state", "what it is", box=None, pad_edge=False)
    for one in chosen:
        state = found[one.name].state
        style = "" if state else "red"
        otherwise = "missing" if found[one.name].is_missing else "not usable"
        table.add_row(one.name, Text(state or otherwise, style=style), one.purpose)
    room = _room()
    short = "" if room["disk_free_bytes"] >= DISK_WANTED else f", {DISK_WANTED // GIB} GiB wanted"
    table.add_row("disk", f"{room['disk_free_bytes'] / GIB:.0f} GiB free{short}", "for the cache")
    table.add_row("memory", f"{room['memory_bytes'] / GIB:.0f} GiB available", "for local models")
    return table


def _room() -> dict[str, int]:
    cache = platformdirs.user_cache_path("ksolve", ensure_exists=True)
    return {
        "disk_free_bytes": shutil.disk_usage(cache).free,
        "memory_bytes": psutil.virtual_memory().available,
    }
