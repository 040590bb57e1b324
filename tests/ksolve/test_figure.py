"""The picture of a run is a well-formed SVG that says what the summary says."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from agent.backend import Usage
from eval.summary import SampleRow, Summary, summarise
from ksolve.figure import svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def run(
    *,
    models: Sequence[str] = ("small", "large"),
    samples: int = 16,
    verdicts: int = 16,
    cost: float | None = 0.002,
) -> Summary:
    rows = (
        SampleRow(
            task_id=f"t{i}",
            model=model,
            strategy="oneshot",
            index=j,
            outcome=None if j >= verdicts else "resolved" if j > i else "unresolved",
            usage=Usage(),
            cost=cost,
            patch_digest=f"{j}",
            verify_seconds=1.0,
        )
        for model in models
        for i in range(12)
        for j in range(samples)
    )
    return summarise(
        rows,
        task_ids=[f"t{i}" for i in range(12)],
        models=models,
        samples=samples,
        price_notes={},
        failures={},
    )


def elements(summary: Summary, name: str, css: str) -> list[ET.Element]:
    root = ET.fromstring(svg(summary))
    return [one for one in root.iter(NAMESPACE + name) if css in one.get("class", "").split()]


def texts(summary: Summary) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(svg(summary)).iter(NAMESPACE + "text")]


def test_every_arm_has_its_line_band_and_points_in_both_plots() -> None:
    summary = run()
    assert len(elements(summary, "path", "band")) == 2 * 2
    assert len(elements(summary, "path", "line")) == 2 * 2 + 2  # the legend's
    assert len(elements(summary, "circle", "dot")) == 2 * 2 * 5


def test_axes_carry_their_units_and_the_legend_its_names() -> None:
    shown = texts(run())
    assert "samples of each issue, k (logarithmic)" in shown
    assert "US dollars an issue (logarithmic)" in shown
    assert {"small", "large", "issues solved", "1", "16", "0%", "100%"} <= set(shown)


def test_an_unknown_price_leaves_the_plot_of_money_out() -> None:
    summary = run(cost=None)
    assert not any("$" in text or "dollars" in text for text in texts(summary))
    assert len(elements(summary, "path", "band")) == 2


def test_higher_coverage_is_drawn_higher() -> None:
    heights = [float(dot.get("cy", "")) for dot in elements(run(models=["m"]), "circle", "dot")[:5]]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > heights[-1]


def test_a_point_on_fewer_issues_is_hollow() -> None:
    whole = run()
    assert not elements(whole, "circle", "hollow")
    partial = summarise(
        (
            SampleRow(
                task_id=f"t{i}",
                model="m",
                strategy="oneshot",
                index=j,
                outcome="resolved",
                usage=Usage(),
                cost=None,
                patch_digest="",
                verify_seconds=1.0,
            )
            for i, depth in enumerate((4, 4, 2))
            for j in range(depth)
        ),
        task_ids=["t0", "t1", "t2"],
        models=["m"],
        samples=4,
        price_notes={},
        failures={},
    )
    assert len(elements(partial, "circle", "hollow")) == 1
    assert any("hollow point" in text for text in texts(partial))


def test_a_hostile_name_stays_text() -> None:
    name = '<script>alert("1")</script>&"'
    summary = run(models=[name])
    root = ET.fromstring(svg(summary))
    assert not list(root.iter(NAMESPACE + "script"))
    assert summary.arms[0].label in texts(summary)


def test_it_refers_to_nothing_outside() -> None:
    text = svg(run())
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in text
    assert "href" not in text


def test_dark_pages_get_their_own_colours() -> None:
    light, dark = svg(run()).split("prefers-color-scheme:dark")
    assert ".paper{fill:#ffffff}" in light
    assert "#0d1117" in dark


def test_a_run_without_verdicts_is_still_a_picture() -> None:
    for summary in (run(verdicts=0), run(models=[]), run(samples=1, verdicts=1)):
        assert ET.fromstring(svg(summary)).tag == NAMESPACE + "svg"
