"""A summary as one picture: coverage against samples, and against money where it is known.

The SVG holds no script, font or address, and is readable on light and on dark pages.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eval.cost import cost_at_k, money, percent
from eval.coverage import Coverage
from eval.summary import Arm, Summary

# Pixels.
PLOT_WIDTH, PLOT_HEIGHT = 340, 240
LEFT, GAP, RIGHT, LINE = 72, 84, 28, 20

# One colour, with a dash of its own, for each arm; from the seventh on they come again.
LIGHT = ("#0063b1", "#c04a00", "#00784c", "#8b3fa6", "#7a6300", "#4d5863")
DARK = ("#5aa9ff", "#ff9b52", "#45cf93", "#d79df2", "#e0c54b", "#b3bcc6")
DASHES = ("none", "8 3", "2 3", "9 3 2 3", "14 4", "4 4")

Y_AXES = ((0.1, 0.02), (0.2, 0.05), (0.4, 0.1), (0.6, 0.2), (0.8, 0.2), (1.0, 0.2))
"""The top of the y axis and the step of its ticks: the first that all intervals fit under."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """One arm against one x."""

    name: str
    style: int
    points: Sequence[tuple[float, Coverage]]
    # x, and the coverage there (never None).


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plot:
    """Two axes and where they lie; x is logarithmic."""

    left: float
    top: float
    x_label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    y_top: float
    y_step: float

    def x(self, value: float) -> float:
        span = math.log(self.high / self.low) or 1.0
        return self.left + PLOT_WIDTH * math.log(value / self.low) / span

    def y(self, share: float) -> float:
        return self.top + PLOT_HEIGHT * (1 - share / self.y_top)


def svg(summary: Summary) -> str:
    """Return an SVG document: coverage with its 95% band for every arm, and a legend."""
    top = (3.4 + len(summary.arms)) * LINE
    plots = _plots(summary, top)
    width = LEFT + len(plots) * (PLOT_WIDTH + GAP) - GAP + RIGHT
    height = round(top + PLOT_HEIGHT + 3 * LINE)
    title = f"Coverage of {summary.issues} issues by k samples of each"
    told = "; ".join(_told(arm) for arm in summary.arms)
    marks = "band: 95% interval (bootstrap over issues)"
    if any(point.issues and point.excluded for arm in summary.arms for point in arm.pass_at_k):
        marks += "; hollow point: fewer issues, verdicts are owed"
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}"',
        'role="img" aria-labelledby="title told">',
        f'<title id="title">{title}</title><desc id="told">{html.escape(told)}</desc>',
        _style(),
        f'<rect class="paper" {size}/>',
        f'<text class="strong" x="{LEFT}" y="{1.2 * LINE:g}">{title}</text>',
        f'<text x="{LEFT}" y="{2.1 * LINE:g}">{marks}</text>',
        *_legend(summary),
    ]
    for plot, drawn in plots:
        lines += _axes(plot)
        for line in drawn:
            lines += _curve(plot, line)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _plots(summary: Summary, top: float) -> list[tuple[_Plot, list[_Line]]]:
    known = [
        [(point.k, point) for point in arm.pass_at_k if point.coverage is not None]
        for arm in summary.arms
    ]
    highest = max((p.high or p.coverage or 0.0 for line in known for _, p in line), default=1.0)
    y_top, y_step = next(axis for axis in Y_AXES if axis[0] >= highest - 1e-9)
    against_k = [
        _Line(name=arm.label, style=i, points=points)
        for i, (arm, points) in enumerate(zip(summary.arms, known, strict=True))
    ]
    against_money = [
        _Line(name=arm.label, style=i, points=[(cost * k, point) for k, point in points])
        for i, (arm, points) in enumerate(zip(summary.arms, known, strict=True))
        if (cost := cost_at_k(arm.cost_per_attempt, 1))
    ]
    plots: list[tuple[_Plot, list[_Line]]] = []
    for label, lines in (
        ("samples of each issue, k (logarithmic)", against_k),
        ("US dollars an issue (logarithmic)", against_money),
    ):
        xs = [x for line in lines for x, _ in line.points]
        if not xs:
            continue
        ticks = (
            [(k, f"{k:g}") for k in sorted(set(xs))]
            if lines is against_k
            else [(x, money(x, 1)) for x in _round_numbers(min(xs), max(xs))]
        )
        plot = _Plot(
            left=LEFT + len(plots) * (PLOT_WIDTH + GAP),
            top=top,
            x_label=label,
            low=min(xs),
            high=max(xs),
            ticks=ticks,
            y_top=y_top,
            y_step=y_step,
        )
        plots.append((plot, lines))
    return plots


def _round_numbers(low: float, high: float) -> Iterator[float]:
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for first in (1, 2, 5):
            number = first * 10.0**exponent
            if low <= number <= high:
                yield number


def _axes(plot: _Plot) -> Iterator[str]:
    right, bottom = plot.left + PLOT_WIDTH, plot.top + PLOT_HEIGHT
    for i in range(round(plot.y_top / plot.y_step) + 1):
        y = plot.y(i * plot.y_step)
        yield f'<path class="grid" d="M{plot.left} {y:.1f}H{right}"/>'
        yield (
            f'<text text-anchor="end" x="{plot.left - 8}" y="{y + 4:.1f}">'
            f"{i * plot.y_step:.0%}</text>"
        )
    free_from = -math.inf
    for value, label in plot.ticks:
        x = plot.x(value)
        yield f'<path class="axis" d="M{x:.1f} {bottom}v5"/>'
        half = 3.5 * len(label)
        if x - half >= free_from:  # labels never touch
            free_from = x + half + 6
            yield f'<text text-anchor="middle" x="{x:.1f}" y="{bottom + 19}">{label}</text>'
    middle = plot.left + PLOT_WIDTH / 2
    yield f'<path class="axis" d="M{plot.left} {bottom}H{right}"/>'
    yield f'<text text-anchor="middle" x="{middle}" y="{bottom + 42}">{plot.x_label}</text>'
    yield (
        f'<text text-anchor="middle" transform="translate({plot.left - 48} '
        f'{plot.top + PLOT_HEIGHT / 2}) rotate(-90)">issues solved</text>'
    )


def _curve(plot: _Plot, line: _Line) -> Iterator[str]:
    def path(corners: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{plot.x(x):.1f} {plot.y(share):.1f}" for x, share in corners)

    shares = [(x, point.coverage) for x, point in line.points if point.coverage is not None]
    lower = [(x, point.low) for x, point in line.points if point.low is not None]
    upper = [(x, point.high) for x, point in line.points if point.high is not None]
    yield f'<g class="s{line.style % len(LIGHT)}">'
    if lower:
        yield f'<path class="band" d="{path([*upper, *reversed(lower)])}Z"/>'
    if shares:
        yield f'<path class="line" d="{path(shares)}"/>'
    for x, point in line.points:
        share = point.coverage or 0.0
        hollow = " hollow" if point.excluded else ""
        yield (
            f'<circle class="dot{hollow}" cx="{plot.x(x):.1f}" cy="{plot.y(share):.1f}" r="3.5">'
            f"<title>{html.escape(line.name)}: {percent(share, point.issues)} at k={point.k}, "
            f"{point.issues} issues</title></circle>"
        )
    yield "</g>"


def _legend(summary: Summary) -> Iterator[str]:
    for i, arm in enumerate(summary.arms):
        y = (3.2 + i) * LINE
        yield (
            f'<g class="s{i % len(LIGHT)}"><path class="line" d="M{LEFT} {y - 4:g}h36"/></g>'
            f'<text x="{LEFT + 46}" y="{y:g}">{html.escape(arm.label)}</text>'
        )


def _told(arm: Arm) -> str:
    shares = [
        f"{percent(point.coverage, point.issues)} at k={point.k}"
        for point in arm.pass_at_k
        if point.coverage is not None
    ]
    return f"{arm.label}: {', '.join(shares) or 'no verdicts'}"


def _style() -> str:
    colours = [f".s{i}{{color:{colour}}}" for i, colour in enumerate(LIGHT)]
    dashes = [f".s{i} .line{{stroke-dasharray:{dash}}}" for i, dash in enumerate(DASHES)]
    dark = [f".s{i}{{color:{colour}}}" for i, colour in enumerate(DARK)]
    return (
        "<style>text{font:13px system-ui,sans-serif;fill:#3a424b}.strong{font-weight:600}"
        ".paper{fill:#ffffff}.grid{stroke:#e3e7eb}.axis{stroke:#6b7580}"
        ".line{fill:none;stroke:currentColor;stroke-width:2}"
        ".band{fill:currentColor;fill-opacity:.13}.dot{fill:currentColor;stroke:currentColor}"
        f".dot.hollow{{fill:#ffffff}}{''.join(colours)}{''.join(dashes)}"
        "@media(prefers-color-scheme:dark){text{fill:#d5dbe1}.paper,.dot.hollow{fill:#0d1117}"
        f".grid{{stroke:#2b323a}}.axis{{stroke:#8b949e}}{''.join(dark)}}}</style>"
    )
