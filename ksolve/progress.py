"""What a person sees while a sweep goes on: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent.backend import BackendUnusableError, Usage
from eval.cost import money
from eval.observer import Observer
from eval.sample import Failure, Sample, SampleKey
from eval.store import Store
from eval.table import Bools, SampleTable
from eval.verdict import Verdict
from tasks.task import Task

LINE_EVERY = 15.0
"""Seconds between two lines where there is no terminal."""


_VERDICTS_WAIT = "verdicts follow when the model is done: both need this machine's processor"


class Stages:
    """Hands on what a server says it is doing, once there is somebody to show it."""

    def __init__(self) -> None:
        self.listener: Callable[[str], None] = lambda _: None

    def __call__(self, text: str) -> None:
        """Hand it on."""
        self.listener(text)


@dataclass(slots=True)
class _ModelTally:
    sampled: int = 0
    beyond: int = 0
    # Drawn by earlier sessions, and not asked for by this one; those sampled are without them.
    verified: int = 0
    drawn_now: int = 0
    # In this session: what the remaining time is estimated from.
    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0
    solved: set[str] = field(default_factory=set)
    first_draw: float | None = None
    note: str = ""


class SweepProgress(Observer):
    """Shows issues solved, samples, tokens, money and the time left, per model."""

    def __init__(
        self, console: Console, store: Store, *, tasks: int, wanted: Mapping[str, int]
    ) -> None:
        """`wanted` is the number of samples by model, those of earlier sessions included."""
        self._console = console
        self._tasks = tasks
        self._wanted = wanted
        self._started = time.monotonic()
        self._last_line = self._started
        self._stage = ""
        self._verdicts_wait = False
        self._tallies = {model: _ModelTally() for model in wanted}
        self._recent: list[str] = []
        for (model, _), failed in store.failed().items():
            if model in self._tallies:
                self._add_cost(self._tallies[model], failed.cost)
        table, asked = store.table(), (store.config() or {})["samples"]
        for position, (model, _) in enumerate(table.arms):
            if model in self._tallies:
                drawn = table.arm == position
                self._count_drawn(self._tallies[model], table, drawn, asked[position])
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
        self._console.print(self._panel())

    def stage(self, text: str) -> None:
        """Say what is being waited for, such as the start of a server."""
        before, self._stage = self._stage, text
        # Only the words: how far it is, in brackets behind them, changes every second.
        words = text.partition(" (")[0]
        if self._live is None and words != before.partition(" (")[0]:
            self._console.print(Text(f"  {words}"))

    def sampled(self, sample: Sample) -> None:
        """Count a sample."""
        tally = self._tallies[sample.key.model]
        self._stage = ""
        tally.first_draw = tally.first_draw or time.monotonic() - sample.proposal.seconds
        tally.sampled += 1
        tally.drawn_now += 1
        tally.usage += sample.proposal.usage
        self._add_cost(tally, sample.cost)
        self._line()

    def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:  # noqa: ARG002
        """Count a verdict."""
        tally = self._tallies.get(key.model)
        if tally is not None:
            self._count(tally, key.task_id, verdict.outcome)
        self._line()

    def failed(self, failure: Failure) -> None:
        """Count what it cost, and show a failure at once."""
        tally = self._tallies.get(failure.key.model)
        if tally is not None:
            self._add_cost(tally, failure.cost)
        if failure.stage == "broken off":
            return
        where = f"{failure.key.task_id} #{failure.key.index}, {failure.stage}"
        self._console.print(Text(f"  failed ({where}): {failure.message}", style="yellow"))

    def learning(self, task: Task) -> None:
        """Say that a task is run without a candidate first."""
        self.stage(f"learning what {task.id} is like without a candidate")

    def holding(self, *, verdicts_wait: bool) -> None:
        """Say why there are no verdicts yet."""
        if verdicts_wait and self._live is None:
            self._console.print(Text(f"  {_VERDICTS_WAIT}"))
        self._verdicts_wait = verdicts_wait

    def unusable(self, model: str, error: BackendUnusableError) -> None:
        """Show at once that a model has stopped."""
        self._tallies[model].note = "stopped"
        # Most errors of a model begin with its name.
        said = str(error).removeprefix(f"{model}: ")
        self._console.print(Text(f"  {model}: {said}", style="red"))

    @classmethod
    def _count_drawn(
        cls, tally: _ModelTally, table: SampleTable, chosen: Bools, asked: int
    ) -> None:
        """Count what earlier sessions drew under one strategy, of which so many are asked for."""
        beyond = int((chosen & (table.index >= asked)).sum())
        tally.beyond += beyond
        tally.sampled += int(chosen.sum()) - beyond
        tally.verified += int((chosen & table.judged).sum())
        tally.usage += table.usage(chosen)
        cost = float(table.cost[chosen].sum())
        cls._add_cost(tally, None if math.isnan(cost) else cost)
        tally.solved.update(table.tasks[i] for i in np.unique(table.task[chosen & table.resolved]))

    @staticmethod
    def _add_cost(tally: _ModelTally, cost: float | None) -> None:
        tally.cost = None if cost is None or tally.cost is None else tally.cost + cost

    @staticmethod
    def _count(tally: _ModelTally, task_id: str, outcome: str) -> None:
        tally.verified += 1
        if outcome == "resolved":
            tally.solved.add(task_id)

    def _line(self) -> None:
        now = time.monotonic()
        if self._live is None and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            for name, tally in self._tallies.items():
                if tally.sampled:
                    self._console.print(Text(f"  {name}: {self._sentence(name)}"))

    def _sentence(self, model: str) -> str:
        tally, wanted = self._tallies[model], self._wanted[model]
        parts = [
            f"solved {len(tally.solved)}/{self._tasks}",
            f"samples {tally.sampled}/{wanted}"
            + (f" and {tally.beyond} not asked for" if tally.beyond else ""),
            f"verified {tally.verified}/{tally.sampled + tally.beyond}",
            f"{tally.usage.input_tokens + tally.usage.output_tokens:,} tokens",
            money(tally.cost),
        ]
        left = self._time_left(tally, wanted)
        if tally.note:
            parts.append(tally.note)
        elif left is not None:
            parts.append(f"{left:.0f} s left")
        return ", ".join(parts)

    @staticmethod
    def _time_left(tally: _ModelTally, wanted: int) -> float | None:
        if tally.first_draw is None or not tally.drawn_now:
            return None
        pace = (time.monotonic() - tally.first_draw) / tally.drawn_now
        return pace * max(0, wanted - tally.sampled)

    def _panel(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        for name, tally in self._tallies.items():
            bar = ProgressBar(total=self._wanted[name], completed=tally.verified, width=16)
            table.add_row(Text(name, overflow="fold"), bar, Text(self._sentence(name)))
        elapsed = time.monotonic() - self._started
        said = self._stage or (_VERDICTS_WAIT if self._verdicts_wait else "")
        footer = f"{elapsed:.0f} s" + (f" - {said}" if said else "")
        return Group(table, Text(footer, style="dim"))
