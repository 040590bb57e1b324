"""What the page of a run says in numbers, the same for the page and for the stream that renews it.

Each figure has a name, by which the script of the page finds the place where it stands.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import numpy as np
from markupsafe import Markup

from eval.cost import cost_per_solve, money, percent
from eval.coverage import Coverage, curve, ladder, pass_at_k
from eval.table import PENDING, Ints
from eval.verdict import OUTCOMES
from ksolve.figures.axes import slim
from ksolve.figures.charts import Series, coverage_chart, level_of
from ksolve.figures.measured import points_of
from ksolve.view.standing import Standing, State

TITLE = "Coverage: issues that at least one of k samples solves"
STATES: Mapping[State, str] = {
    "drawing": "under way",
    "complete": "complete",
    "done": "done",
    "stopped": "stopped",
}


def facts(at: Standing) -> dict[str, str]:
    """Return the figures of the whole run, by name."""
    drawn, judged = int(at.drawn.sum()), int(at.judged.sum())
    of = "of up to" if at.is_adaptive else "of"
    return {
        "state": STATES[at.state],
        "solved": f"{at.solved:,} of {len(at.issues):,}",
        "samples": f"{drawn:,} {of} {at.samples_wanted:,}",
        "verdicts": f"{judged:,} of {drawn:,}",
        "tokens": " / ".join(short(int(at.tokens[:, i].sum())) for i in (0, 2)),
        "money": money(at.cost),
        "left": time_left(at),
        "failures": f"{at.failures:,}",
    }


def progress(at: Standing) -> dict[str, int]:
    """Return what bars show, by name: a value, and its greatest one under `NAME-most`."""
    return {"judged": int(at.judged.sum()), "judged-most": max(at.samples_wanted, 1)}


def time_left(at: Standing) -> str:
    """Say how long the run still takes, as far as one can tell."""
    if at.state != "drawing":
        return "-"
    if at.seconds_left is None:
        return "not known yet"
    minutes = at.seconds_left / 60
    if minutes < 1:
        return "under a minute"
    hours, rest = divmod(round(minutes), 60)
    return f"about {hours} h {rest} min" if hours else f"about {rest} min"


def solvers(at: Standing) -> list[dict[str, str]]:
    """Return the figures of every solver, by name."""
    return [dict(_solver(at, arm, name)) for arm, name in enumerate(at.labels)]


def _solver(at: Standing, arm: int, label: str) -> Iterator[tuple[str, str]]:
    issues = len(at.issues)
    drawn, judged, resolved = at.drawn[arm], at.judged[arm], at.resolved[arm]
    solved = int(np.count_nonzero(resolved))
    yield "label", label
    yield "solved", f"{solved:,} of {issues:,}"
    for name, k in (("first", 1), ("last", at.wanted[arm])):
        chance = pass_at_k(judged, resolved, k)
        known = chance[~np.isnan(chance)]
        partly = "*" * (0 < known.size < issues)
        yield name, percent(float(known.mean()), known.size) + partly if known.size else "-"
    yield "samples", f"{int(drawn.sum()):,} of {issues * at.wanted[arm]:,}"
    yield "pending", f"{int(at.counts[arm, :, PENDING].sum()):,}"
    yield "tokens", tokens(at.tokens[arm])
    yield "money", money(at.costs[arm])
    yield "per-solve", money(cost_per_solve(at.costs[arm], solved)) if solved else "-"


def outcomes(at: Standing) -> list[tuple[str, list[int]]]:
    """Return every outcome that occurs and its samples by solver; what is pending comes last."""
    totals = at.counts.sum(axis=1)
    return [
        (name, totals[:, i].tolist())
        for i, name in enumerate((*OUTCOMES, "pending"))
        if totals[:, i].any()
    ]


@functools.lru_cache(maxsize=32)
def cells(at: Standing) -> Mapping[str, tuple[str, str]]:
    """Return what the table of issues says of every solver: text and shade, by ISSUE.SOLVER.

    Where nothing is drawn there is no entry.
    """
    drawn, judged, resolved = at.drawn, at.judged, at.resolved
    return {
        f"{issue}.{arm}": cell(
            int(drawn[arm, issue]), int(judged[arm, issue]), int(resolved[arm, issue])
        )
        for arm, issue in np.argwhere(drawn).tolist()
    }


def cell(drawn: int, judged: int, resolved: int) -> tuple[str, str]:
    """Return the text and the shade of one cell."""
    if not judged:
        return (f"{drawn} pending", "none") if drawn else ("-", "empty")
    return f"{resolved}/{judged}", str(level_of(resolved / judged))


@functools.lru_cache(maxsize=32)
def chart(at: Standing) -> Markup:
    """Draw coverage against k for every solver, with what is known of it so far.

    It is drawn twice: for a wide window, and for a phone.
    """
    series = []
    for arm, name in enumerate(at.labels):
        ks = [k for k in ladder(at.wanted[arm]) if k <= at.judged[arm].max(initial=0)]
        points = curve(at.judged[arm], at.resolved[arm], ks) if ks else ()
        series.append(
            Series(
                name=name,
                points=points_of(points, functools.partial(_told, name)),
            )
        )
    if not any(one.points for one in series):
        return Markup()
    with slim():
        for_phones = coverage_chart(series, title=TITLE)
    return coverage_chart(series, title=TITLE) + for_phones


def _told(name: str, point: Coverage) -> str:
    share = percent(point.coverage or 0.0, point.issues)
    return f"{name}: {share} at k={point.k}, {point.issues:,} issues"


def tokens(used: Ints) -> str:
    """Write the tokens that went in, which part of them was cached, and those that came out."""
    given, cached, drawn = used.tolist()
    return f"{short(given)}{f' ({cached / given:.0%})' if given else ''} / {short(drawn)}"


def short(number: int) -> str:
    """Write a count with two or three digits and a unit."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= 10 * size:
            return f"{number / size:.0f}{unit}"
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)
