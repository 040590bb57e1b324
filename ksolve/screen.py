"""The console that commands print to."""

from __future__ import annotations

import os

from rich.console import Console

PIPED_WIDTH = 120
"""Columns in a file or a pipe, where there is no screen to ask."""


def screen(*, stderr: bool = False) -> Console:
    """Return a console on standard output or standard error."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console
