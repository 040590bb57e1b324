"""What a person sees while a sweep goes on."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from eval.store import Store
from ksolve.progress import SweepProgress
from tests.ksolve.recorded import LARGE, SMALL, record


def test_what_earlier_sessions_drew_is_counted_from_the_start(tmp_path: Path) -> None:
    record(tmp_path, issues=6, samples=4, drawn=3, judged=2, cost=0.25)
    out = io.StringIO()
    with (
        Store(tmp_path) as store,
        SweepProgress(
            Console(file=out, width=200), store, tasks=6, wanted=dict.fromkeys((SMALL, LARGE), 24)
        ),
    ):
        pass
    small, large = (line for line in out.getvalue().splitlines() if "solved" in line)
    for line, solved in ((small, 2 - 1), (large, 2 + 1)):
        assert f"solved {solved}/6, samples 18/24, verified 12/18, 34,200 tokens, $4.50" in line


def test_samples_that_are_not_asked_for_any_more_are_told_apart(tmp_path: Path) -> None:
    record(tmp_path, models=[SMALL], issues=2, samples=3, drawn=4)
    out = io.StringIO()
    with (
        Store(tmp_path) as store,
        SweepProgress(Console(file=out, width=200), store, tasks=2, wanted={SMALL: 6}),
    ):
        pass
    assert "samples 6/6 and 2 not asked for, verified 8/8" in out.getvalue()


def test_one_sample_of_unknown_price_makes_the_cost_unknown(tmp_path: Path) -> None:
    record(tmp_path, models=[SMALL], cost=None)
    out = io.StringIO()
    with (
        Store(tmp_path) as store,
        SweepProgress(Console(file=out, width=200), store, tasks=6, wanted={SMALL: 24}),
    ):
        pass
    assert "$" not in out.getvalue()
    assert "unknown" in out.getvalue()
