"""A chart is a well-formed SVG that shows what it was given, to the eye and in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from ksolve.figures.axes import document
from ksolve.figures.charts import (
    Bar,
    Bars,
    Point,
    Series,
    coverage_chart,
    frontier_chart,
    heat_chart,
    level_of,
    outcome_chart,
    selection_chart,
    solve_cost_chart,
)

NAMESPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("1")</script>&\'"\x00\u202e\ufffe]]>'


def curve(name: str, *, hollow_from: float = 99, fit: bool = False) -> Series:
    points = [
        Point(x=k, y=0.1 * k, low=0.05 * k, high=0.12 * k, told=name, hollow=k >= hollow_from)
        for k in (1, 2, 4, 8)
    ]
    law = [Point(x=k, y=0.1 + 0.02 * k, low=0.1, high=0.9) for k in range(1, 33)]
    return Series(name=name, points=points, fit=law if fit else ())


def charts(name: str = "small") -> dict[str, Markup]:
    bars = [Bar(name=name, value=0.4, low=0.3, high=0.5)]
    return {
        "coverage": coverage_chart([curve(name, fit=True), curve("large")], title=name),
        "frontier": frontier_chart([curve(name)], [(1, 0.1), (4, 0.4)], title=name, axis="money"),
        "solve cost": solve_cost_chart([curve(name)], title=name, axis="money"),
        "selection": selection_chart(
            [Bars(name=name, random=0.2, oracle=0.6, bars=bars)], title=name
        ),
        "outcomes": outcome_chart(
            [(name, {"resolved": 3, "no_patch": 5, "pending": 1})], title=name
        ),
        "heat": heat_chart([(name, [1.0, 0.5, 0.0, None])], title=name, axis=name),
    }


def elements(drawn: Markup, name: str, css: str) -> list[ET.Element]:
    root = ET.fromstring(drawn)
    return [one for one in root.iter(NAMESPACE + name) if css in one.get("class", "").split()]


def texts(drawn: Markup) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(drawn).iter(NAMESPACE + "text")]


@pytest.mark.parametrize("name", charts())
def test_a_chart_is_named_and_described_for_who_cannot_see_it(name: str) -> None:
    root = ET.fromstring(charts()[name])
    assert root.get("role") == "img"
    ids = {one.get("id"): "".join(one.itertext()) for one in root.iter() if one.get("id")}
    assert [bool(ids[one]) for one in root.get("aria-labelledby", "").split()] == [True, True]


@pytest.mark.parametrize("name", charts())
def test_hostile_text_stays_text_in_a_chart(name: str) -> None:
    drawn = charts(HOSTILE)[name]
    root = ET.fromstring(drawn)
    assert not list(root.iter(NAMESPACE + "script"))
    assert not any(key.startswith("on") for one in root.iter() for key in one.attrib)
    assert any('<script>alert("1")</script>' in text for text in root.itertext())
    assert not re.search("[\x00\u202e\ufffe]", drawn)


@pytest.mark.parametrize("name", charts())
def test_a_chart_of_its_own_refers_to_nothing_outside(name: str) -> None:
    text = document(charts()[name])
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in text
    assert "href" not in text
    assert "@import" not in text
    assert ET.fromstring(text).tag == NAMESPACE + "svg"


def test_dark_pages_get_their_own_colours_and_paper_the_light_ones() -> None:
    light, dark = document(charts()["coverage"]).split("@media screen and (prefers-color-scheme")
    assert ".chart .ground { fill: #ffffff; }" in light
    assert "#0f1318" in dark


def test_every_curve_has_its_line_band_and_marks() -> None:
    drawn = coverage_chart([curve("a"), curve("b")], title="t")
    assert len(elements(drawn, "path", "band")) == 2
    assert len(elements(drawn, "path", "line")) == 2 + 2  # the legend's
    assert len(elements(drawn, "path", "mark")) == 2 * (4 + 1)


def test_axes_carry_their_units_and_the_legend_its_names() -> None:
    drawn = charts()
    assert {"samples of each issue, k (logarithmic)", "issues solved", "small"} <= set(
        texts(drawn["coverage"])
    )
    assert {"1", "8", "32", "0%", "100%"} <= set(texts(drawn["coverage"]))
    assert "US dollars an issue (logarithmic)" in texts(drawn["frontier"])
    assert "US dollars a solve" in texts(drawn["solve cost"])
    tokens = solve_cost_chart([curve("small")], title="t", axis="tokens")
    assert "tokens a solve" in texts(tokens)
    assert not any("$" in text for text in texts(tokens))


def test_series_differ_in_the_shape_of_their_marks_and_not_only_in_colour() -> None:
    drawn = coverage_chart([curve(name) for name in "abcdef"], title="t")
    shapes = {re.sub(r"M[\d. ]+", "", one.get("d", "")) for one in elements(drawn, "path", "mark")}
    assert len(shapes) == 6


def test_a_point_on_fewer_issues_is_hollow() -> None:
    assert not elements(coverage_chart([curve("a")], title="t"), "path", "hollow")
    drawn = coverage_chart([curve("a", hollow_from=4)], title="t")
    assert len(elements(drawn, "path", "hollow")) == 2


def test_what_a_fit_says_beyond_the_samples_looks_unlike_what_it_says_within() -> None:
    drawn = coverage_chart([curve("a", fit=True)], title="t")
    within, beyond = elements(drawn, "path", "fit"), elements(drawn, "path", "beyond")
    assert (len(within), len(beyond)) == (1, 1)
    assert len(elements(drawn, "rect", "past")) == 1
    assert "not drawn, a guess" in texts(drawn)
    assert not elements(coverage_chart([curve("a")], title="t"), "rect", "past")


def test_higher_coverage_is_drawn_higher() -> None:
    (line,) = elements(coverage_chart([curve("a")], title="t"), "path", "line")[1:]
    heights = [float(pair.split()[1]) for pair in line.get("d", "")[1:].split("L")]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > heights[-1]


def test_the_field_of_a_selection_reaches_from_floor_to_ceiling() -> None:
    drawn = charts()["selection"]
    edges = [float(one.get("d", "M0 ")[1:].split()[0]) for one in elements(drawn, "path", "edge")]
    (mark,) = elements(drawn, "path", "mark")
    place = float(re.findall(r"[\d.]+", mark.get("d", ""))[0])
    assert edges[0] < place < edges[1]


def test_the_parts_of_a_bar_are_in_proportion_and_what_is_pending_is_one() -> None:
    drawn = charts()["outcomes"]
    widths = [float(one.get("width", "")) for one in elements(drawn, "rect", "part")]
    assert widths == pytest.approx([widths[-1] * count for count in (3, 5, 1)], abs=0.2)


@pytest.mark.parametrize(
    ("share", "level"), [(0.0, 0), (0.001, 1), (0.2, 1), (0.21, 2), (0.6, 3), (1.0, 5)]
)
def test_only_an_issue_that_nothing_resolves_has_the_lowest_shade(share: float, level: int) -> None:
    assert level_of(share) == level


def test_a_heat_map_of_thousands_of_issues_stays_small() -> None:
    shares: Sequence[float] = [(i % 11) / 10 for i in range(2294)]
    drawn = heat_chart([("a", shares), ("b", shares)], title="t", axis="x")
    assert len(drawn) < 250_000
    assert len(ET.fromstring(drawn).findall(f".//{NAMESPACE}path")) == 2 * 6


@pytest.mark.parametrize(
    "chart",
    [
        lambda series: coverage_chart(series, title="t"),
        lambda series: frontier_chart(series, [], title="t", axis="money"),
        lambda series: solve_cost_chart(series, title="t", axis="tokens"),
    ],
)
def test_a_chart_of_nothing_or_of_one_point_is_still_a_picture(
    chart: Callable[[Sequence[Series]], Markup],
) -> None:
    for points in ([], [Point(x=1, y=0.5, told="one")]):
        drawn = chart([Series(name="a", points=points)])
        assert ET.fromstring(drawn).tag == NAMESPACE + "svg"
