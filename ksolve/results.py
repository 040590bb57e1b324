"""From a run folder to its figures, and those on the screen."""

from __future__ import annotations

from collections import Counter

import typer

from eval.flaky import FlakyTasks
from eval.store import Store, StoreError
from eval.summary import Summary, summarise
from eval.table import SampleTable
from ksolve.report import as_json, terminal
from ksolve.screen import screen


def summary_of(
    store: Store, flaky_tasks: FlakyTasks | None = None, table: SampleTable | None = None
) -> Summary:
    """Sum up the run in a store, whose `table` may be at hand; raises StoreError without a run.

    Known to be flaky is what the run itself says to be (`flaky` in its configuration), and what was
    found of its dataset on this machine, before the run or since.
    """
    config = store.config()
    if config is None:
        raise StoreError(f"{store.folder} holds no run yet.")
    found = (flaky_tasks or FlakyTasks()).load().flaky_in(config["tasks_digest"])
    return summarise(
        table or store.table(),
        samples=max(config["samples"]),
        price_notes=config["prices"],
        failures=Counter((failure.key.model, failure.key.strategy) for failure in store.failures()),
        wanted={
            (model, name): samples
            for (model, name), samples in zip(config["arms"], config["samples"], strict=True)
        },
        failed_costs=store.failed_costs(),
        flaky={*found, *config.get("flaky", ())},
        adaptive=config.get("allocate") == "adaptive",
    )


def show(summary: Summary, *, json: bool) -> None:
    """Print a summary on stdout, for a person or for a program."""
    if json:
        typer.echo(as_json(summary), nl=False)
    else:
        screen().print(terminal(summary))
