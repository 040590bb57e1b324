"""`ksolve report`: what runs amount to, for a terminal, a page, a paper or a program."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from eval.axes import AXES, Axis
from eval.store import open_run
from eval.whole import write_whole
from ksolve.errors import InputError
from ksolve.figures.axes import document
from ksolve.figures.drawn import figures
from ksolve.figures.figure import Figure
from ksolve.findings import Findings, findings, read_run
from ksolve.options import JsonOption, ParametersOption, StrictOption, refuse_unwritable
from ksolve.pages.report import html as html_of
from ksolve.plain import as_csv, as_json
from ksolve.prices import parameters_of
from ksolve.report import markdown, terminal
from ksolve.results import models_in
from ksolve.screen import put, screen
from ksolve.worth import markdown as worth_markdown
from ksolve.worth import terminal as worth_terminal

AxisName = Literal["money", "tokens", "accelerator-seconds", "flops"]
AXES_BY_NAME: Mapping[str, Axis] = {axis.replace("_", "-"): axis for axis in AXES}


def report(
    *,
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN", help="Folders that `ksolve run --out` wrote; several are compared."
        ),
    ],
    html: Annotated[
        Path | None, typer.Option(help="Also write a page: one file that needs nothing else.")
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(
            help="Also draw figures: into a folder all of them, into a .svg file the one of its "
            "name, coverage where the name is none's."
        ),
    ] = None,
    json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_table: Annotated[
        bool, typer.Option("--csv", help="Print a tidy table: a row for each solver and k.")
    ] = False,
    axis: Annotated[
        AxisName | None,
        typer.Option(
            help="What costs are told in: money where all prices are known, else accelerator "
            "seconds or tokens, the first that all solvers have."
        ),
    ] = None,
    parameters: ParametersOption = None,
    without_flaky: Annotated[
        bool,
        typer.Option(
            "--without-flaky", help="Leave issues that are known to be flaky out of everything."
        ),
    ] = False,
    strict: StrictOption = False,
) -> None:
    """Print pass@k, issues solved, what that cost, and which solver is worth it, of runs.

    [bold]Examples[/bold]

        ksolve report runs/a --html report.html

        ksolve report runs/a runs/b --csv

        ksolve report runs/a --axis tokens --without-flaky
    """
    if json + as_markdown + as_table > 1:
        raise InputError("Give one of --json, --markdown and --csv.")
    refuse_unwritable(html)
    refuse_unwritable(svg, or_folder=True, endings=[".svg"])
    with ExitStack() as stack:
        stores = [stack.enter_context(open_run(run)) for run in runs]
        sizes = parameters_of(parameters, models_in(stores))
        read = [
            read_run(store, without_flaky=without_flaky, strict=strict, parameters=sizes)
            for store in stores
        ]
        told_in = AXES_BY_NAME[axis] if axis else None
        if json:
            show(findings(read, told_in, in_full=True), json=True)
            if html is None and svg is None:
                return
        of = findings(read, told_in)
        if as_markdown:
            parts = [markdown(of), worth_markdown(of.chosen_before)]
            put("\n".join(filter(None, parts)), end="")
        elif as_table:
            put(as_csv(of), end="")
        elif not json:
            show(of, json=False)
        drawn = figures(of) if html or svg else []
        console = screen(stderr=json or as_markdown or as_table)
        if html is not None:
            write_page(of, drawn, html)
            console.print(f"The page is {html}.")
        if svg is not None:
            for file in draw(drawn, svg):
                console.print(f"Drawn: {file}.")


def show(of: Findings, *, json: bool) -> None:
    """Print findings on stdout, for a person or for a program."""
    if json:
        put(as_json(of), end="")
    else:
        screen().print(terminal(of), worth_terminal(of.chosen_before))


def write_page(of: Findings, drawn: Sequence[Figure], file: Path) -> None:
    """Write the report as a page."""
    made = time.strftime("%Y-%m-%d %H:%M %z")
    # Text that is not valid Unicode was made harmless.
    write_whole(file, html_of(of, drawn, made=made))


def draw(drawn: Sequence[Figure], where: Path) -> list[Path]:
    """Write figures into a folder, or one into a file; return what was written."""
    known = {figure.name: document(figure.drawn) for figure in drawn if figure.drawn}
    if where.suffix != ".svg":
        where.mkdir(parents=True, exist_ok=True)
        files = {where / f"{name}.svg": text for name, text in known.items()}
    elif text := known.get(where.stem, known.get("coverage")):
        files = {where: text}
    else:
        raise InputError("There is nothing to draw: no sample has a verdict yet.")
    for file, text in files.items():
        write_whole(file, text)
    return list(files)
