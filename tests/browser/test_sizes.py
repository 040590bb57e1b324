"""Pages on a phone and on a desk, light and dark: nothing is cut, and what failed is seen first."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from eval.store import Store
from eval.verdict import Verdict
from ksolve.cli import app
from tests.browser.conftest import Served
from tests.ksolve.recorded import record
from tests.ksolve.view import made

pytestmark = pytest.mark.browser

PHONE, DESK = (390, 844), (1280, 800)
MODELS = ["openai:gpt-4o-mini-2024-07-18", "vllm:Qwen/Qwen2.5-Coder-7B-Instruct", "deepseek:chat"]
ISSUES = [f"scikit-learn__scikit-learn-{1000 + 37 * number}" for number in range(8)]

# All that is wider than the place that it has, as the person sees who has to push it aside.
CUT = """() => [...document.querySelectorAll("*")].filter((one) => {
  const how = getComputedStyle(one).overflowX;
  return one.tagName !== "PRE" && (how === "auto" || how === "scroll")
    && one.scrollWidth > one.clientWidth;
}).map((one) => `${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 60)}`)"""
UNFOLD = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"
SIZES = [
    pytest.param(size, scheme, id=f"{size[0]}-{scheme}")
    for size in (PHONE, DESK)
    for scheme in ("light", "dark")
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of several solvers with long names, flaky issues and failures."""
    folder = tmp_path_factory.mktemp("report")
    run = record(
        folder / "run",
        models=MODELS,
        strategies=("oneshot", "loop"),
        issues=ISSUES,
        samples=8,
        dearer=3.0,
        flaky=ISSUES[:2],
        failures=["the daemon is gone"],
    )
    page = folder / "report.html"
    done = CliRunner().invoke(app, ["report", str(run), "--html", str(page)])
    assert done.exit_code == 0, done.output
    return page


def opened(chromium: Browser, address: str, width: int, height: int, scheme: str) -> Page:
    size = {"width": width, "height": height}
    context = chromium.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address)
    return page


def looks_whole(page: Page) -> None:
    page.evaluate(UNFOLD)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(CUT) == []
    for chart in page.locator("svg.chart:visible").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= page.evaluate("window.innerWidth")


@pytest.mark.parametrize(("size", "scheme"), SIZES)
def test_a_report_fits_its_window(
    chromium: Browser, report: Path, size: tuple[int, int], scheme: str
) -> None:
    page = opened(chromium, f"file://{report}", *size, scheme)
    looks_whole(page)
    charts = page.locator("svg.chart:visible")
    assert charts.count() >= 4
    # Letters are read, not guessed: eleven pixels at least.
    least = charts.evaluate_all(
        """all => Math.min(...all.flatMap((one) => [...one.querySelectorAll("text")].map((text) =>
             parseFloat(getComputedStyle(text).fontSize) * one.getScreenCTM().a)))"""
    )
    assert least >= 11
    page.context.close()


def test_a_report_ends_without_raw_json(chromium: Browser, report: Path) -> None:
    page = opened(chromium, f"file://{report}", *DESK, "light")
    page.evaluate(UNFOLD)
    said = page.locator("body").inner_text()
    assert "Configuration of run" in said
    assert not any(mark in said for mark in ('["', '{"', "null", "[[", "[8"))
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), SIZES)
@pytest.mark.parametrize(
    "address", ["", "/issue/0", "/issue/1/sample/1/0", "/issue/0/compare?left=0.0&right=0.1"]
)
def test_pages_of_the_view_fit_their_window(
    chromium: Browser, served: Served, address: str, size: tuple[int, int], scheme: str
) -> None:
    made.record(served.folder)
    page = opened(chromium, f"{served.run}{address}", *size, scheme)
    looks_whole(page)
    page.goto(served.base)
    looks_whole(page)
    page.context.close()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["390", "1280"])
def test_the_failing_assertion_is_on_the_first_screen(
    chromium: Browser, served: Served, size: tuple[int, int]
) -> None:
    """Also where the patch is long, and the test says much before it fails."""
    made.record(served.folder)
    said = "".join(f"    value = step_{number}(value)\n" for number in range(90))
    log = (
        f"____ TestBox.test_area ____\n{said}E       assert 5 == 6\n==== short test summary ====\n"
    )
    which = made.key("a__b-2", 9)
    with Store(served.folder) as store:
        sample = store.sample(made.key("a__b-1", 0))
        patch = made.PATCH + "".join(f"+line {number}\n" for number in range(300))
        proposal = dataclasses.replace(sample.proposal, patch=patch)
        store.add_sample(dataclasses.replace(sample, key=which, proposal=proposal))
        test = "tests/test_box.py::TestBox::test_area"
        verdict = Verdict(outcome="unresolved", missing_fail_to_pass=(test,), log=log)
        store.add_verdict(which, "k" * 64, verdict)
    page = opened(chromium, f"{served.run}/issue/1/sample/0/9", *size, "light")
    box = page.get_by_text("assert 5 == 6").first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < size[1]
    page.context.close()
