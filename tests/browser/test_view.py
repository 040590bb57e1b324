"""The pages of the view in a real browser: they load, they live, and hostile text stays text."""

from __future__ import annotations

import shutil
import threading

import pytest
from playwright.sync_api import Browser, expect

from eval.store import Store
from tests.browser.conftest import Served, Watched
from tests.ksolve.view import made

pytestmark = pytest.mark.browser

PAGES = ("", "/issue/0", "/issue/0/sample/0/0", "/issue/0/compare?left=0.0&right=0.1")
"""Of a run."""


def test_every_page_loads_without_a_complaint_and_links_lead_on(
    watched: Watched, served: Served
) -> None:
    page, name = watched.page, made.record(served.folder).name
    page.goto(served.base)
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    expect(page.get_by_role("img", name="Coverage")).to_be_visible()
    page.get_by_role("link", name="a__b-1").click()
    expect(page.get_by_text("The statement is not at hand.")).to_be_visible()
    page.get_by_role("radio", name="Sample 1 of qwen-0.5b on the right").check()
    page.get_by_role("button", name="Side by side").click()
    expect(page.get_by_role("region", name="Right")).to_contain_text("sample 1")
    page.get_by_role("link", name="qwen-0.5b, sample 1").click()
    expect(page.get_by_text("Every test that counts passes.")).to_be_visible()
    page.get_by_role("link", name="next").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("sample 2")


def test_what_is_drawn_meanwhile_appears_without_a_reload(watched: Watched, served: Served) -> None:
    page = watched.page
    with Store(served.folder) as store:
        store.begin(made.config(["a__b-1", "a__b-2"], models=[made.SMALL], samples=8))
        made.add(store, made.key("a__b-1", 0), "unresolved")
        page.goto(served.run)
        page.evaluate("window.loaded = 'once'")
        expect(page.get_by_text("under way")).to_be_visible()
        before = page.locator("#chart path.line").count()

        def draw() -> None:
            for index in range(1, 8):
                made.add(store, made.key("a__b-1", index), "resolved" if index > 5 else "timeout")
                made.add(store, made.key("a__b-2", index), "resolved")

        writer = threading.Thread(target=draw)
        writer.start()
        writer.join()
        expect(page.locator("[data-live=solved]")).to_have_text("2 of 2")
        expect(page.locator("[data-live=samples]")).to_have_text("15 of 16")
        expect(page.locator("[data-live=left]")).to_have_text("under a minute")
        expect(page.locator("[data-cell='0.0']")).to_have_text("2/8")
        expect(page.locator("[data-cell='0.0']")).to_have_class("cell l2")
        expect(page.locator("[data-cell='1.0']")).to_have_text("7/7")
        expect(page.locator("progress").first).to_have_js_property("value", 15)
        expect(page.locator("#chart path.line")).not_to_have_count(before)
    expect(page.locator("h1 .state")).to_have_text("stopped")
    assert page.evaluate("window.loaded") == "once"


def test_a_run_that_vanishes_is_said_on_the_page_that_is_open(
    watched: Watched, served: Served
) -> None:
    page = watched.page
    made.record(served.folder)
    page.goto(served.run)
    shutil.rmtree(served.folder)
    expect(page.get_by_role("alert")).to_contain_text("moved or removed")


@pytest.mark.parametrize("address", PAGES)
def test_hostile_text_is_shown_and_does_nothing(
    watched: Watched, served: Served, address: str
) -> None:
    page = watched.page
    made.record_hostile(served.folder)
    page.goto(f"{served.run}{address}")
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate("document.title.includes('ksolve')")
    assert page.evaluate("[...document.images].length + document.scripts.length") <= 2
    shown = page.locator("body").inner_text()
    assert "\u202e" not in shown
    assert "document.title='taken'" in shown
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_hostile_news_of_a_run_stays_text(watched: Watched, served: Served) -> None:
    page, folder = watched.page, made.record_hostile(served.folder)
    page.goto(served.run)
    with Store(folder) as store:
        name = f"{made.HOSTILE}#{made.HOSTILE}"
        which = made.key("plain", 0, name)
        made.add(store, which, "resolved")
    expect(page.locator("[data-cell='1.0']")).to_have_text("1/1")
    assert page.evaluate("document.querySelectorAll('#chart script, #chart img').length") == 0


def test_what_is_folded_opens_by_the_keyboard_alone(watched: Watched, served: Served) -> None:
    page = watched.page
    made.record(served.folder)
    page.goto(f"{served.run}/issue/1/sample/1/0")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    log = page.get_by_text("The whole log")
    for _ in range(60):
        page.keyboard.press("Tab")
        if log.evaluate("element => element === document.activeElement"):
            break
    expect(log).to_be_focused()
    text = page.get_by_text("short test summary info")
    expect(text).to_be_hidden()
    page.keyboard.press("Enter")
    expect(text).to_be_visible()
    page.keyboard.press("Space")
    expect(text).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_no_page_is_wider_than_its_screen(
    chromium: Browser, served: Served, width: int, scheme: str
) -> None:
    made.record(served.folder)
    how = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with chromium.new_context(**how) as context:  # type: ignore[arg-type]
        page = context.new_page()
        for address in (served.base, *(f"{served.run}{page}" for page in PAGES)):
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (scheme == "light")
