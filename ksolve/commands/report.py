"""`ksolve report`: what a run amounts to, for a terminal, a page or a program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.store import open_run
from ksolve.figure import svg
from ksolve.options import JsonOption
from ksolve.report import markdown
from ksolve.results import show, summary_of


def report(
    *,
    run: Annotated[Path, typer.Argument(help="The folder that `ksolve run --out` wrote.")],
    json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    figure: Annotated[
        Path | None, typer.Option("--svg", help="Also draw coverage against k into this file.")
    ] = None,
) -> None:
    """Print pass@k, issues solved, tokens, cost and cost per solve of a run.

    [bold]Example[/bold]

        ksolve report runs/a --markdown
    """
    with open_run(run) as store:
        summary = summary_of(store)
    if figure is not None:
        figure.write_text(svg(summary), encoding="utf-8")
    if as_markdown:
        typer.echo(markdown(summary))
    else:
        show(summary, json=json)
