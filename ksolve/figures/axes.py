"""What every chart is made of: SVG elements, scales, a plot with its axes, a legend.

An element holds no script, font or address, and whatever text goes into it is escaped. A chart
inside a page takes its look from the page; as a document of its own it carries `chart.css`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from markupsafe import Markup, escape

from ksolve.pages.html import read
from ksolve.screen import harmless

WIDTH, SLIM = 760.0, 400.0
"""Pixels of every chart, and of the same where it is drawn for a phone."""

# Pixels from one line of text to the next.
LINE = 20
# Pixels that a letter takes, about.
LETTER = 7.6
# Colours and marks; a seventh series begins with the first again.
STYLES = 6
_NONCHARACTERS = {0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}
_RATIOS = {True: (1.0, 2.0, 5.0), False: (1.0,)}


_WIDTH: ContextVar[float] = ContextVar("width", default=WIDTH)


def width() -> float:
    """Return the pixels of the charts that are drawn now."""
    return _WIDTH.get()


@contextlib.contextmanager
def slim() -> Iterator[None]:
    """Draw charts for a phone while this is open: letters stay as large, all else is narrower."""
    before = _WIDTH.set(SLIM)
    try:
        yield
    finally:
        _WIDTH.reset(before)


def element(name: str, *inside: str, **attributes: object) -> Markup:
    """Return one SVG element; `class_` is the attribute class, and `_` in a name is a hyphen."""
    said = Markup().join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value is not None
    )
    content = Markup().join(part if isinstance(part, Markup) else words(part) for part in inside)
    form = Markup("<{0}{1}>{2}</{0}>") if content else Markup("<{0}{1}/>")
    return form.format(name, said, content)


def words(text: str) -> Markup:
    """Return text as SVG can hold it."""
    return escape(harmless(text).translate(_NONCHARACTERS))


def label(text: str, x: float, y: float, *, anchor: str | None = None, css: str = "") -> Markup:
    """Return one line of text; `anchor` is start (where none is given), middle or end."""
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=css or None)


def path(corners: Iterable[tuple[float, float]], css: str, *, closed: bool = False) -> Markup:
    """Return straight lines through these pixels."""
    along = "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
    return element("path", class_=css, d=f"M{along}{'Z' * closed}")


def mark(style: int, x: float, y: float, told: str, *, hollow: bool = False) -> Markup:
    """Return the mark of a series, which differs in shape as well as in colour."""
    r = 4.0
    shape = (
        f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z",
        f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}Z",
        f"M{x:.1f} {y - 5:.1f}l5 8.5h-10Z",
        f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z",
        f"M{x:.1f} {y + 5:.1f}l5 -8.5h-10Z",
        f"M{x - 1.5:.1f} {y - 5:.1f}h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5Z",
    )[style % STYLES]
    css = "mark hollow" if hollow else "mark"
    return element("path", element("title", told), class_=css, d=shape)


def group(style: int, *inside: Markup) -> Markup:
    """Return marks and lines in the colour of a series."""
    return element("g", *inside, class_=f"s{style % STYLES}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """From a quantity to pixels."""

    low: float
    high: float
    start: float
    end: float
    # Pixels of `low` and of `high`.
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        if self.is_log:
            span = math.log(self.high / self.low) or 1.0
            share = math.log(value / self.low) / span
        else:
            share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """A scale with its title and the values that are written beside it."""

    scale: Scale
    title: str
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """Two axes."""

    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixels of a point."""
        return self.x.scale(x), self.y.scale(y)

    def axes(self) -> Iterator[Markup]:
        """Yield the grid, both axes and what is written beside them."""
        left, right = self.x.scale.start, self.x.scale.end
        bottom, top = self.y.scale.start, self.y.scale.end
        for value, name in self.y.ticks:
            y = self.y.scale(value)
            yield path([(left, y), (right, y)], "grid")
            yield label(name, left - 8, y + 4.5, anchor="end")
        free_from = -math.inf
        for value, name in self.x.ticks:
            x = self.x.scale(value)
            half = LETTER * len(name) / 2
            yield path([(x, bottom), (x, bottom + 5)], "axis")
            if x - half >= free_from:  # what is written never touches
                free_from = x + half + 6
                yield label(name, x, bottom + LINE, anchor="middle")
        yield path([(left, bottom), (right, bottom)], "axis")
        yield label(self.x.title, right, bottom + 2.1 * LINE, anchor="end", css="soft")
        yield label(self.y.title, 0, top - LINE * 0.7, css="soft")


def round_numbers(low: float, high: float) -> list[float]:
    """Return the 1, 2 and 5 times powers of ten from `low` to `high`; of many only the first."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ratios = _RATIOS[len(decades) <= 5]  # noqa: PLR2004 - more would touch each other
    numbers = [ratio * 10.0**decade for decade in decades for ratio in ratios]
    return [number for number in numbers if low <= number <= high]


def legend(entries: Sequence[tuple[str, int]], left: float, top: float) -> tuple[Markup, float]:
    """Return the names of series with their marks, in lines, and the pixels that they take."""
    x, y, parts = left, top, []
    for name, style in entries:
        room = 34 + LETTER * len(name)
        if x > left and x + room > width():
            x, y = left, y + LINE
        line = path([(x, y - 4.5), (x + 24, y - 4.5)], "line")
        parts += [group(style, line, mark(style, x + 12, y - 4.5, name)), label(name, x + 30, y)]
        x += room + 16
    return Markup().join(parts), (y - top + LINE if entries else 0.0)


def drawing(name: str, title: str, told: str, height: float, parts: Iterable[Markup]) -> Markup:
    """Return an SVG for a page, which says its title and, to who cannot see it, what it shows.

    `name` tells it from the other drawings of a page.
    """
    is_slim = width() == SLIM
    name += "-slim" if is_slim else ""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", told, id=f"{name}-told"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_short(width())} {_short(height)}",
        class_="chart slim" if is_slim else "chart",
        role="img",
        aria_labelledby=f"{name}-title {name}-told",
    )


def document(drawn: Markup) -> str:
    """Return an SVG as a file of its own, with its style and a ground to lie on."""
    opening, rest = drawn.split(">", 1)
    ground = element("rect", class_="ground", width="100%", height="100%")
    return f"{opening}><style>{read('chart.css')}</style>{ground}{rest}\n"


def _short(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value
