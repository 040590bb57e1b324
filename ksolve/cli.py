"""The command line: one command a file under `ksolve.commands`, put together here."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from ksolve import __version__
from ksolve.commands import (
    demo,
    doctor,
    export,
    fix,
    models,
    report,
    run,
    select,
    show,
    simulate,
    tasks,
    verify,
    view,
)
from ksolve.errors import BAD_INPUT, InputError, complain, one_sentence_errors
from ksolve.screen import open_streams, put

app = typer.Typer(
    name="ksolve",
    help="Sample many candidate patches per issue, verify each against the repository's tests, "
    "and see what that bought: coverage and cost per solve.\n\n"
    "[bold]Examples[/bold]\n\n"
    "    ksolve demo\n\n"
    "    ksolve run --tasks starter --model deepseek:deepseek-v4-flash --samples 8 --out runs/a\n\n"
    "    ksolve report runs/a --html report.html",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:  # noqa: FBT001 - the form that typer calls
    if value:
        put(f"ksolve {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[  # noqa: ARG001 - its callback has seen to it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that come before every command."""
    try:
        Path.home()
    except RuntimeError:
        complain(InputError("This user has no home folder to keep anything in: set HOME to one."))
        raise typer.Exit(BAD_INPUT) from None


app.command("run")(one_sentence_errors(run.run, goes_on=True))
app.command("fix")(one_sentence_errors(fix.fix, goes_on=True))
app.command("verify")(one_sentence_errors(verify.verify_predictions, goes_on=True))
app.command("report")(one_sentence_errors(report.report))
app.command("show")(one_sentence_errors(show.show))
app.command("view")(one_sentence_errors(view.view))
app.command("select")(one_sentence_errors(select.select, goes_on=True))
app.command("simulate")(one_sentence_errors(simulate.simulate))
app.add_typer(tasks.app, name="tasks")
app.command("models")(one_sentence_errors(models.models))
app.command("export")(one_sentence_errors(export.export))
app.command("doctor")(one_sentence_errors(doctor.doctor))
app.command("demo")(one_sentence_errors(demo.demo))


def main() -> None:
    """Run the command line. Asked to end by a supervisor, it ends as by Ctrl-C."""
    open_streams()
    signal.signal(signal.SIGTERM, _interrupt)
    app()


def _interrupt(*_: object) -> None:
    # A shell lets what it runs in the background ignore Ctrl-C, which this is not.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
