"""What a person sees while predictions are judged: how many, how they came out, and the time.

On a terminal a panel is drawn again and again; elsewhere a line is printed now and then.
"""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from eval.observer import Observer
from eval.sample import Failure, SampleKey
from eval.verdict import Verdict
from ksolve.progress import LINE_EVERY
from tasks.task import Task


class VerifyProgress(Observer):
    """Counts verdicts and baselines; used as `with VerifyProgress(...) as progress`."""

    def __init__(self, console: Console, *, wanted: int, known: int = 0) -> None:
        """`wanted` verdicts are there at the end, of which an earlier session left `known`."""
        self._console = console
        self._wanted = wanted
        self._judged = known
        self._outcomes: Counter[str] = Counter()
        self._failed = 0
        self._learnt = 0
        self._started = time.monotonic()
        self._last_line = self._started
        self._live = (
            Live(console=console, get_renderable=self._panel, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        self._console.print(Text(f"  {self._sentence()}"))

    def stage(self, text: str) -> None:
        """Say what is being waited for."""
        self._console.print(Text(f"  {text}"))

    def learning(self, task: Task) -> None:
        """Take note that a task is run without a candidate, to have what its tests do of it."""
        if not self._learnt:
            said = "each is first run without a candidate, to know what is usual there"
            self._console.print(Text(f"  Learning the tasks, beginning with {task.id}: {said}."))
        self._learnt += 1
        self._line()

    def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:  # noqa: ARG002
        """Count a verdict."""
        self._judged += 1
        self._outcomes[verdict.outcome] += 1
        self._line()

    def failed(self, failure: Failure) -> None:
        """Show a failure at once."""
        self._failed += 1
        where = f"{failure.key.task_id} #{failure.key.index}"
        self._console.print(Text(f"  failed ({where}): {failure.message}", style="yellow"))

    def _line(self) -> None:
        now = time.monotonic()
        if self._live is None and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            self._console.print(Text(f"  {self._sentence()}"))

    def _sentence(self) -> str:
        counts = ", ".join(f"{count:,} {name}" for name, count in self._outcomes.most_common())
        parts = [
            f"{self._judged:,} of {self._wanted:,} judged" + (f" ({counts})" if counts else ""),
            f"{self._failed:,} failed" if self._failed else "",
            f"{self._learnt:,} tasks learnt" if self._learnt else "",
            f"{time.monotonic() - self._started:.0f} s",
        ]
        return ", ".join(filter(None, parts))

    def _panel(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(self._wanted, 1), completed=self._judged, width=16)
        table.add_row(bar, Text(self._sentence()))
        return Group(table)
