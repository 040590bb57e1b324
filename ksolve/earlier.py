"""What to tell of runs that an earlier version began and this one goes on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

SEEDS = "of issue, model and strategy"
"""What the seeds of a run depend on, beside `--seed` and the index of the sample."""


def tell_of_earlier(config: Mapping[str, Any], console: Console) -> None:
    """Say what is other than when a run of this configuration began; {} is for a new run."""
    if "arms" in config and "seeds" not in config:
        console.print(
            Text(
                "An earlier version of ksolve began this run. It drew sample i of every solver "
                f"with --seed + i; what is pending is drawn with seeds {SEEDS}. It took the first "
                "tasks for --limit, and now they are random: a run that has a --limit goes on with "
                "--id for each of its tasks."
            )
        )
