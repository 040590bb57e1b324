"""Every chart, from plain points to an SVG.

A chart computes nothing but places. It leaves out what is not known, and says in its description
what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from eval.axes import UNITS, written
from eval.axes import Axis as CostAxis
from eval.verdict import OUTCOMES
from ksolve.figures.axes import (
    LETTER,
    LINE,
    SLIM,
    Axis,
    Plot,
    Scale,
    drawing,
    element,
    group,
    label,
    legend,
    mark,
    path,
    round_numbers,
    width,
)

LEFT, RIGHT, HEIGHT = 72.0, 24.0, 260.0
"""Pixels beside and of a plot."""

LEVELS = 5
"""Shades of the heat map above its lowest, which is 0."""

NEAR = 1.4
"""A tick less than so many times another one is too close to it."""

_TOPS = ((0.1, 0.02), (0.2, 0.05), (0.4, 0.1), (0.6, 0.2), (0.8, 0.2), (1.0, 0.2))
# The top of an axis of shares and the step of its ticks: the first that everything fits under.
_BAR, _GAP = 22.0, 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A place on a curve."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    # The interval of y.
    told: str = ""
    # What is shown of it when it is pointed at.
    hollow: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One curve, with what was fitted to it."""

    name: str
    points: Sequence[Point]
    fit: Sequence[Point] = ()
    # Closely spaced; what lies past the last point is drawn as the guess that it is.
    plain: bool = False
    # Marks only, no line.


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A share and its interval, between a random choice and the oracle of its group."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    used: str = ""
    # What it took, in a word or two.


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """One solver's bars."""

    name: str
    random: float
    oracle: float
    bars: Sequence[Bar]


def coverage_chart(series: Sequence[Series], *, title: str, name: str = "coverage") -> Markup:
    """Draw shares of issues against k, with bands and fits; `name` as in `drawing`."""
    drawn = [point for one in series for point in (*one.points, *one.fit)]
    top, step = _top(drawn)
    high = max((point.x for point in drawn), default=1.0)
    last = max((point.x for one in series for point in one.points), default=1.0)
    x = _of_k(last, high)
    return _curves(
        name,
        title=title,
        series=series,
        x=x,
        top=top,
        step=step,
        past=last if high > last else None,
    )


def frontier_chart(
    series: Sequence[Series],
    frontier: Sequence[tuple[float, float]],
    *,
    title: str,
    axis: CostAxis,
) -> Markup:
    """Draw shares of issues against the cost of an issue, and the frontier as steps."""
    drawn = [point for one in series for point in one.points]
    top, step = _top(drawn)
    low, high = _range([point.x for point in drawn])
    ticks = [(x, written(x, axis, digits=1)) for x in round_numbers(low, high)]
    x = _across(low, high, f"{UNITS[axis]} an issue (logarithmic)", ticks)
    corners: list[tuple[float, float]] = []
    for (start, share), (end, _) in pairwise([*frontier, (high, 0.0)] if frontier else []):
        corners += [(start, share), (end, share)]
    return _curves("frontier", title=title, series=series, x=x, top=top, step=step, stairs=corners)


def solve_cost_chart(series: Sequence[Series], *, title: str, axis: CostAxis) -> Markup:
    """Draw the cost of a solve against k; both axes are logarithmic."""
    drawn = [point for one in series for point in one.points]
    low, high = _range([y for p in drawn for y in (p.y, p.low, p.high) if y])
    last = max((point.x for point in drawn), default=1.0)
    x = _of_k(last, last)
    names, below = _legend(series)
    y = Axis(
        scale=Scale(low=low, high=high, start=below + HEIGHT, end=below, is_log=True),
        title=f"{UNITS[axis]} a solve",
        ticks=[(value, written(value, axis, digits=1)) for value in round_numbers(low, high)],
    )
    parts = [names, *_drawn(Plot(x=x, y=y), series)]
    return drawing("solve-cost", title, _told(series), below + HEIGHT + 2.6 * LINE, parts)


def selection_chart(groups: Sequence[Bars], *, title: str) -> Markup:
    """Draw what each way of choosing solves, between choosing at random and knowing the answer."""
    names = [bar.name for one in groups for bar in one.bars]
    is_slim = width() == SLIM
    most = 170.0 if is_slim else 300.0
    margin = 24 + min(max(LETTER * max(map(len, names), default=0), 166.0), most)
    # On a phone there is no room for what was used.
    used = 0 if is_slim else max((len(b.used) for one in groups for b in one.bars), default=0)
    end = width() - 24.0 - LETTER * used
    values = [v for one in groups for bar in one.bars for v in (bar.value, bar.high) if v]
    highest = max([*values, *(one.oracle for one in groups)], default=1.0)
    top, step = next(axis for axis in _TOPS if axis[0] >= highest - 1e-9)
    across = Scale(low=0.0, high=top, start=margin, end=end)
    ticks = [i * step for i in range(round(top / step) + 1)]
    parts, y = [], 1.2 * LINE
    for style, one in enumerate(groups):
        parts.append(label(one.name, 0.0, y, css="strong"))
        y += 0.7 * LINE
        first, last = y, y + LINE * len(one.bars) + 6
        parts += [path([(across(tick), first), (across(tick), last)], "grid") for tick in ticks]
        between = [(one.random, first), (one.oracle, first), (one.oracle, last), (one.random, last)]
        corners = [(across(share), height) for share, height in between]
        inside = [path(corners, "far", closed=True)]
        for bar in one.bars:
            y += LINE
            parts.append(label(bar.name, margin - 10, y, anchor="end"))
            if bar.low is not None and bar.high is not None:
                ends = [(across(bar.low), y - 4.5), (across(bar.high), y - 4.5)]
                inside.append(path(ends, "line"))
            told = f"{one.name}, {bar.name}: {_share(bar.value, bar.low, bar.high)}"
            if bar.used:
                told += f"; {bar.used}"
            if bar.used and not is_slim:
                parts.append(label(bar.used, width() - 10.0, y, anchor="end", css="soft"))
            inside.append(mark(style, across(bar.value), y - 4.5, told))
        edges = across(one.random), across(one.oracle)
        inside += [path([(edge, first), (edge, last)], "edge") for edge in edges]
        parts.append(group(style, *inside))
        y = last + 1.6 * LINE
    parts += [label(f"{tick:.0%}", across(tick), y - LINE, anchor="middle") for tick in ticks]
    parts.append(
        label("issues solved by the patch that is chosen", end, y, anchor="end", css="soft")
    )
    told = "; ".join(
        f"{one.name}: random {one.random:.0%}, oracle {one.oracle:.0%}, "
        + ", ".join(f"{bar.name} {bar.value:.0%}" for bar in one.bars)
        for one in groups
    )
    return drawing("selection", title, told, y + 0.5 * LINE, parts)


def outcome_chart(rows: Sequence[tuple[str, dict[str, int]]], *, title: str) -> Markup:
    """Draw the samples of each solver by outcome, as parts of one bar."""
    met = [o for o in (*OUTCOMES, "pending") if any(counts.get(o) for _, counts in rows)]
    parts: list[Markup] = []
    x, y = 0.0, LINE * 0.8
    for outcome in met:
        name = outcome.replace("_", " ")
        if x + 30 + LETTER * len(name) > width():
            x, y = 0.0, y + LINE
        parts.append(element("rect", class_=outcome, x=x, y=y - 11, width=14, height=14, rx=3))
        parts.append(label(name, x + 20, y))
        x += 40 + LETTER * len(name)
    y += LINE * 0.6
    for name, counts in rows:
        total = sum(counts.values()) or 1
        y += LINE
        parts.append(label(name, 0, y, css="strong"))
        x, y = 0.0, y + _GAP
        for outcome in met:
            share = counts.get(outcome, 0) / total
            part = share * width()
            if not part:
                continue
            told = f"{name}: {counts[outcome]:,} {outcome.replace('_', ' ')} ({share:.1%})"
            box = {"x": x, "y": y, "width": part, "height": _BAR}
            parts.append(element("rect", element("title", told), class_=f"part {outcome}", **box))
            if part > 6 * LETTER:
                css = f"in-{outcome}"
                parts.append(
                    label(f"{share:.0%}", x + part / 2, y + 15.5, anchor="middle", css=css)
                )
            x += part
        y += _BAR + _GAP
    told = "; ".join(
        f"{name}: " + ", ".join(f"{counts.get(o, 0):,} {o.replace('_', ' ')}" for o in met)
        for name, counts in rows
    )
    return drawing("outcomes", title, told, y, parts)


def heat_chart(
    rows: Sequence[tuple[str, Sequence[float | None]]], *, title: str, axis: str
) -> Markup:
    """Draw a row of cells for each solver, a column an issue: the share of samples that resolve it.

    The cells of one shade are one path, so that thousands of issues stay small.
    """
    parts: list[Markup] = []
    names = ["none", "to 20%", "to 40%", "to 60%", "to 80%", "to 100%", "no verdict"]
    x, y = 0.0, LINE * 0.8
    for level, name in enumerate(names):
        css = f"h{level}" if level <= LEVELS else "none"
        if x + 18 + LETTER * len(name) > width():
            x, y = 0.0, y + LINE
        parts.append(element("rect", class_=css, x=x, y=y - 11, width=14, height=14, rx=3))
        parts.append(label(name, x + 18, y))
        x += 38 + LETTER * len(name)
    y += LINE * 0.4
    for name, shares in rows:
        y += LINE
        parts.append(label(name, 0, y, css="strong"))
        y += _GAP
        column = width() / (len(shares) or 1)
        gap = min(2.0, column * 0.15)
        cells: dict[str, list[str]] = {}
        for i, share in enumerate(shares):
            css = "none" if share is None else f"h{level_of(share)}"
            corner = f"M{i * column + gap / 2:.2f} {y:.1f}"
            cells.setdefault(css, []).append(
                f"{corner}h{column - gap:.2f}v{_BAR:.0f}h{gap - column:.2f}z"
            )
        parts += [element("path", class_=css, d="".join(ds)) for css, ds in sorted(cells.items())]
        y += _BAR + 4
    y += LINE * 0.8
    parts.append(label(axis, 0, y, css="soft"))
    told = "; ".join(
        f"{name}: {sum(bool(share) for share in shares)} of {len(shares)} issues solved"
        for name, shares in rows
    )
    return drawing("heat", title, told, y + _GAP, parts)


def level_of(share: float) -> int:
    """Return the shade of a share, 0 to `LEVELS`; only 0 has shade 0."""
    return math.ceil(round(share * LEVELS, 9))


def _curves(
    name: str,
    *,
    title: str,
    series: Sequence[Series],
    x: Axis,
    top: float,
    step: float,
    past: float | None = None,
    stairs: Sequence[tuple[float, float]] = (),
) -> Markup:
    names, below = _legend(series)
    ticks = [(i * step, f"{i * step:.0%}") for i in range(round(top / step) + 1)]
    upwards = Scale(low=0.0, high=top, start=below + HEIGHT, end=below)
    plot = Plot(x=x, y=Axis(scale=upwards, title="issues solved", ticks=ticks))
    parts = [names]
    if past is not None:
        start, end = x.scale(past), x.scale.end
        box = {"x": start, "y": below, "width": end - start, "height": HEIGHT}
        parts.append(element("rect", class_="past", **box))
        if end - start > 20 * LETTER:
            parts.append(label("not drawn, a guess", start + 8, below + 16, css="soft"))
    if stairs:
        parts.append(path([plot.place(*corner) for corner in stairs], "edge"))
    parts += _drawn(plot, series)
    return drawing(name, title, _told(series), below + HEIGHT + 2.6 * LINE, parts)


def _drawn(plot: Plot, series: Sequence[Series]) -> Iterator[Markup]:
    """Yield the axes and above them all bands, then all lines, then all marks."""
    yield from plot.axes()
    for i, one in enumerate(series):
        banded = [p for p in one.points if p.low is not None and p.high is not None]
        lower = [plot.place(p.x, p.low) for p in banded if p.low is not None]
        upper = [plot.place(p.x, p.high) for p in banded if p.high is not None]
        if len(banded) > 1 and not one.plain:
            yield group(i, path([*upper, *reversed(lower)], "band", closed=True))
    for i, one in enumerate(series):
        last = max((p.x for p in one.points), default=0.0)
        for css, part in (
            ("fit", [p for p in one.fit if p.x <= last]),
            ("beyond", [p for p in one.fit if p.x >= last]),
        ):
            banded = [p for p in part if p.low is not None and p.high is not None]
            if css == "beyond" and len(banded) > 1:
                lower = [plot.place(p.x, p.low) for p in banded if p.low is not None]
                upper = [plot.place(p.x, p.high) for p in banded if p.high is not None]
                yield group(i, path([*upper, *reversed(lower)], "far", closed=True))
            if len(part) > 1:
                yield group(i, path([plot.place(p.x, p.y) for p in part], css))
        if len(one.points) > 1 and not one.plain:
            yield group(i, path([plot.place(p.x, p.y) for p in one.points], "line"))
    for i, one in enumerate(series):
        marks = [mark(i, *plot.place(p.x, p.y), p.told, hollow=p.hollow) for p in one.points]
        yield group(i, *marks)


def _legend(series: Sequence[Series]) -> tuple[Markup, float]:
    names, height = legend([(one.name, i) for i, one in enumerate(series)], 0.0, LINE * 0.8)
    return names, height + LINE * 1.7


def _of_k(last: float, high: float) -> Axis:
    """Return the axis of k up to `high`, with the powers of two that keep away from its ends."""
    ends = {1.0, last, high}
    powers = (float(1 << i) for i in range(math.floor(math.log2(high)) + 1))
    ks = ends | {k for k in powers if all(max(k / end, end / k) > NEAR for end in ends)}
    ticks = [(k, f"{k:,g}") for k in sorted(ks)]
    return _across(1.0, high, "samples of each issue, k (logarithmic)", ticks)


def _across(low: float, high: float, title: str, ticks: Sequence[tuple[float, str]]) -> Axis:
    scale = Scale(low=low, high=high, start=LEFT, end=width() - RIGHT, is_log=True)
    return Axis(scale=scale, title=title, ticks=ticks)


def _top(points: Sequence[Point]) -> tuple[float, float]:
    highest = max((point.high or point.y for point in points), default=1.0)
    return next(axis for axis in _TOPS if axis[0] >= min(highest, 1.0) - 1e-9)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return a range that holds these values and the round numbers next to them."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    return low / 1.25, high * 1.25


def _told(series: Sequence[Series]) -> str:
    return "; ".join(
        ", ".join(point.told for point in one.points) or f"{one.name}: nothing known"
        for one in series
    )


def _share(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{value:.1%}"
    return f"{value:.1%} ({low:.0%} to {high:.0%})"
