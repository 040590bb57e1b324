"""The page of a report: one file, readable by everyone, in which what a model wrote stays text."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from agent.backend import Usage
from eval.schema import SAMPLES
from eval.store import Store, open_run
from ksolve.commands.fix import repeating
from ksolve.figures.drawn import figures
from ksolve.findings import findings, read_run
from ksolve.pages.html import diff
from ksolve.pages.issues import MOST_SAMPLES
from ksolve.pages.report import html
from tests.ksolve.recorded import LARGE, SMALL, USAGE, record

HOSTILE = (
    "</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>"
    "\" onmouseover='alert(1)' {{ 7*7 }} {% raw %} \u202eevil\u2066 \x00 \x1b[31mred &lt;"
)
VOID = {"meta", "input", "br", "link", "img", "hr"}


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of the page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(*folders: Path) -> str:
    with ExitStack() as stack:
        of = findings([read_run(stack.enter_context(open_run(folder))) for folder in folders])
        return html(of, figures(of))


@pytest.fixture
def page(tmp_path: Path) -> str:
    return page_of(record(tmp_path / "run"))


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    run = record(
        tmp_path / "run",
        models=[f"openai:{HOSTILE}", "openai:b"],
        issues=[f"t{HOSTILE}", "u"],
        patch=f"+{HOSTILE}\n-{HOSTILE}\n",
        drawn=3,
        failures=[HOSTILE],
        flaky=[f"t{HOSTILE}"],
    )
    (run / "sweep.toml").write_text(HOSTILE, encoding="utf-8")
    return page_of(run)


def test_a_page_is_one_file_that_asks_for_nothing(page: str) -> None:
    parsed = Parsed(page)
    assert not parsed.open
    assert set(re.findall(r"https?://[^\"'\s<]*", page)) == {"http://www.w3.org/2000/svg"}
    tags = Counter(tag for tag, _ in parsed.elements)
    assert not tags.keys() & {"link", "img", "iframe", "object", "embed", "base", "form"}
    assert not any(attributes.keys() & {"src", "srcset"} for _, attributes in parsed.elements)
    assert all(one["href"].startswith("#") for one in parsed.all("a"))
    assert "url(" not in page
    assert "@import" not in page


def test_the_one_script_is_the_one_that_the_policy_of_the_page_names(page: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(one["content"] for one in Parsed(page).all("meta") if "http-equiv" in one)
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_what_a_model_or_a_folder_says_stays_text(hostile: str) -> None:
    parsed = Parsed(hostile)
    assert len(parsed.all("script")) == 1
    assert not parsed.all("img")
    assert not any(key.startswith("on") for _, attributes in parsed.elements for key in attributes)
    assert not re.search("[\x00\x1b\u202e\u2066]", hostile)
    assert "<script>alert(1)</script>" in "".join(parsed.texts)
    assert "{{ 7*7 }}" in hostile
    assert "49" not in re.findall(r"\{\{ [^}]* \}\}", hostile)


def test_every_table_and_picture_can_be_read_aloud(page: str) -> None:
    parsed = Parsed(page)
    assert len(parsed.all("table")) == len(parsed.all("caption"))
    assert all(one.get("scope") in {"row", "col"} for one in parsed.all("th"))
    ids = Counter(attributes["id"] for _, attributes in parsed.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    pictures = parsed.all("svg")
    # Each chart is there twice, for a phone too.
    assert len(pictures) == 2 * 7
    for picture in pictures:
        assert picture["role"] == "img"
        assert all(name in ids for name in picture["aria-labelledby"].split())
    assert all(one["aria-labelledby"] in ids for one in parsed.all("section"))
    assert len(parsed.all("main")) == len(parsed.all("h1")) == 1
    assert next(iter(parsed.all("html")))["lang"] == "en"


def test_headings_skip_no_level(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Parsed(page).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_behind_each_chart_is_a_table_with_its_numbers(page: str) -> None:
    assert page.count("The numbers behind this figure") == 6  # the issues have theirs in sight
    assert "Samples that resolve the issue, of those with a verdict" in page


def test_a_cell_of_the_heat_map_leads_to_the_samples(page: str) -> None:
    parsed = Parsed(page)
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    links = [one["href"][1:] for one in parsed.all("a") if "cell" in one.get("class", "")]
    assert len(links) == 6 * 2
    assert set(links) <= ids
    assert page.count('<span class="outcome resolved">') == (3 + 2 + 1) + (4 + 4 + 3 + 2 + 1)


def test_numbers_say_what_they_stand_on(page: str) -> None:
    text = " ".join("".join(Parsed(page).texts).split())
    assert "95% interval over issues" in text
    assert "3 of 6" in text
    assert "5 of 6" in text
    assert "Nothing is pending" in text
    assert "No issue of the run is known to be flaky" in text
    assert "It takes 20 issues to say what more samples bring, not 6." in text


def test_an_unknown_price_is_said_and_costs_are_told_in_tokens(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", cost=None))
    text = "".join(Parsed(page).texts)
    assert "Costs are in tokens, since they are unknown in US dollars (small, large)" in text
    assert "tokens a solve" in text
    # What failed draws cost, of which there are none.
    assert set(re.findall(r"\$\d[\d.]*", text)) == {"$0"}
    assert len(Parsed(page).all("svg")) == 2 * 7


def test_an_unknown_cost_is_said_and_nothing_is_drawn_of_it(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", cost=None, usage=Usage()))
    text = "".join(Parsed(page).texts)
    assert "Not held against the frontier: what it cost in US dollars is unknown." in text
    assert "small: what its solves cost in US dollars is unknown." in text
    assert len(Parsed(page).all("svg")) == 2 * 5


def test_estimated_usage_is_said(tmp_path: Path) -> None:
    usage = dataclasses.replace(USAGE, estimated_calls=1)
    text = "".join(Parsed(page_of(record(tmp_path / "run", usage=usage))).texts)
    assert "small: of 24 requests, 24 told no usage, or were given up; their tokens" in text


def test_what_is_pending_failed_and_flaky_is_listed(tmp_path: Path) -> None:
    run = record(tmp_path / "run", drawn=3, judged=2, failures=["no answer"], flaky=["t1"])
    text = " ".join("".join(Parsed(page_of(run)).texts).split())
    assert "What is still to be drawn or judged; in no rate" in text
    assert "1 failure of the system, in no rate" in text
    assert "no answer" in text
    assert "1 issue known to be flaky, in all figures above: t1." in text
    assert "Coverage without the flaky issues" in text
    assert "fewer than the 6 issues have as many verdicts" in text


@pytest.mark.parametrize("drawn", [0, 1])
def test_a_run_of_next_to_nothing_is_a_page(tmp_path: Path, drawn: int) -> None:
    parsed = Parsed(page_of(record(tmp_path / "run", issues=1, samples=1, drawn=drawn)))
    assert not parsed.open


def test_several_runs_stand_side_by_side_under_names_of_their_own(tmp_path: Path) -> None:
    page = page_of(
        record(tmp_path / "a" / "run", models=[SMALL]),
        record(tmp_path / "b" / "run", models=[LARGE], issues=["t0", "t1", "new"]),
    )
    text = " ".join("".join(Parsed(page).texts).split())
    assert "7 issues, 2 runs side by side" in text
    assert "run #1: small" in text
    assert "run #2: large" in text
    assert "run #1: small and run #2: large" in text  # the paired test


def test_a_page_of_many_samples_shows_some_and_says_so(tmp_path: Path) -> None:
    many = MOST_SAMPLES + 4
    page = page_of(record(tmp_path / "run", issues=2, samples=many, patch="+a line\n" * 1000))
    text = " ".join("".join(Parsed(page).texts).split())
    assert "Some samples of every solver on every issue" in text
    assert page.count('<span class="outcome ') == 2 * 2 * MOST_SAMPLES
    assert f"{MOST_SAMPLES} of {many} samples" in text
    assert re.search(r"\(\d+ lines more\)", text)
    # All but one of the samples of small on t0 resolve it: that one is among those shown.
    assert page.count('<span class="outcome unresolved">') == 1 + 2 + 0 + 0


def test_a_page_of_a_great_run_is_no_larger_than_one_that_opens(tmp_path: Path) -> None:
    patch = "+a line of some length that a model wrote, one of many\n" * 200
    page = page_of(record(tmp_path / "run", issues=500, samples=4, patch=patch))
    assert len(page) < 4_000_000
    assert page.count(">2 of 4 samples, ") == 500 * 2


def test_how_to_repeat_it_is_the_command_or_the_file_of_the_sweep(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    text = "".join(Parsed(page_of(run)).texts)
    assert f"ksolve run --tasks starter --model {SMALL} --model {LARGE} --strategy oneshot" in text
    (run / "sweep.toml").write_text('tasks = "starter"\n', encoding="utf-8")
    text = "".join(Parsed(page_of(run)).texts)
    assert "ksolve run --config sweep.toml" in text
    assert 'tasks = "starter"' in text


@pytest.mark.parametrize("given", ["gold", None])
def test_verdicts_on_predictions_are_repeated_by_verifying_them(
    tmp_path: Path, given: str | None
) -> None:
    config = {
        "tasks": "starter",
        "tasks_digest": "d",
        "task_ids": ["t0", "t 1"],
        "arms": [["gold", "predictions"]],
        "prices": {},
        "samples": [1],
        "predictions_digest": "d",
    }
    with Store(tmp_path / "run") as store:
        store.begin(config | ({} if given is None else {"predictions": given}))
    text = "".join(Parsed(page_of(tmp_path / "run")).texts)
    file = given or "predictions.jsonl"
    ids = "--id t0 --id 't 1'"
    assert f"ksolve verify --tasks starter --predictions {file} {ids} --out runs/again" in text
    # A run of an earlier version does not say where they were, and holds them.
    exported = "ksolve export run --predictions predictions.jsonl" in text
    assert exported == (given is None)
    assert "ksolve run" not in text


def test_a_search_for_a_patch_is_repeated_by_searching_again(tmp_path: Path) -> None:
    models, file = ["a:b", "c:d"], Path("a b.md")
    issue = "It's -1.\nNot 1."
    command = repeating(
        Path("the repo"), issue=issue, model=models, base=None, samples=4, issue_file=file
    )
    words = "ksolve fix REPO --issue TEXT --model a:b --model c:d --samples 4"
    rest = " --issue-file FILE --out runs/again"
    stand_for = {"REPO": "the repo", "TEXT": issue, "FILE": str(file)}
    assert shlex.split(command) == [stand_for.get(one, one) for one in (words + rest).split()]
    config = {
        "tasks": "the repo",
        "tasks_digest": "d",
        "task_ids": ["local__the-repo-1"],
        "arms": [["a:b", "oneshot"]],
        "prices": {},
        "samples": [4],
        "command": command,
    }
    with Store(tmp_path / "run") as store:
        store.begin(config)
    text = "".join(Parsed(page_of(tmp_path / "run")).texts)
    assert text.count(command) == 1
    assert "ksolve run" not in text


def test_a_diff_is_marked_line_by_line() -> None:
    assert diff("+a < b\n-c\n d\n") == "<ins>+a &lt; b\n</ins><del>-c\n</del> d\n"


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def shown(page: Page, column: int = 0) -> Sequence[str]:
    cells = page.locator("table.heat tbody tr:visible").all()
    return [row.locator("th, td").nth(column).inner_text() for row in cells]


def test_in_a_browser_tables_sort_and_filter_and_links_unfold(
    tmp_path: Path, page: str, browser_page: Page
) -> None:
    said: list[str] = []
    browser_page.on("console", lambda message: said.append(message.text))
    browser_page.on("pageerror", lambda error: said.append(str(error)))
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    browser_page.goto(file.as_uri())
    head = browser_page.locator("table.heat thead th").first
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert shown(browser_page) == [f"t{i}" for i in range(6)]
    head.get_by_role("button").click()
    assert shown(browser_page)[0] == "t5"
    browser_page.get_by_label("Filter issues").fill("t3")
    assert shown(browser_page) == ["t3"]
    assert browser_page.get_by_role("status").filter(has_text="1 of 6").count() == 1
    browser_page.emulate_media(media="print")
    assert len(shown(browser_page)) == 6
    browser_page.emulate_media(media="screen")
    browser_page.locator("table.heat tbody tr:visible a").first.click()
    assert browser_page.locator("details.issue[open]").count() == 1
    assert not said


def test_in_a_browser_every_long_table_can_be_filtered_and_every_one_sorted_by_the_keyboard(
    tmp_path: Path, page: str, browser_page: Page
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    browser_page.goto(file.as_uri())
    for folded in browser_page.locator("details").all():
        folded.evaluate("element => { element.open = true; }")
    tables = browser_page.locator("table").all()
    fields = browser_page.get_by_role("searchbox").all()
    names = {field.get_attribute("aria-label") for field in fields}
    assert len(names) == len(fields)
    long = [table for table in tables if table.locator("tbody tr").count() > 5]
    captions = [table.locator("caption").inner_text() for table in long]
    assert names == {
        f"{'Filter issues' if 'A number leads' in caption else 'Filter rows'}: {caption}"
        for caption in captions
    }
    assert len(long) > 1
    for table in tables:
        head = table.get_by_role("columnheader").last
        head.get_by_role("button").focus()
        for order in ("ascending", "descending"):
            browser_page.keyboard.press("Enter")
            assert head.get_attribute("aria-sort") == order
    settings = browser_page.get_by_role("table", name="Configuration of run")
    browser_page.get_by_label("Filter rows: Configuration of run").focus()
    browser_page.keyboard.type("temperature")
    assert 0 < settings.locator("tbody tr:visible").count() < settings.locator("tbody tr").count()


def test_in_a_browser_what_is_not_known_comes_last_whichever_way_a_column_is_sorted(
    tmp_path: Path, browser_page: Page
) -> None:
    run = record(tmp_path / "run", issues=["a", "b", "undrawn"], drawn=1)
    with Store(run) as store, store._db.begin() as connection:
        connection.execute(SAMPLES.delete().where(SAMPLES.c.task_id == "undrawn"))
    file = tmp_path / "report.html"
    file.write_text(page_of(run), encoding="utf-8")
    browser_page.goto(file.as_uri())
    button = browser_page.locator("table.heat thead th").nth(1).get_by_role("button")
    for _ in range(2):
        button.click()
        assert shown(browser_page)[-1] == "undrawn"


def test_in_a_browser_without_script_all_is_there_to_read(
    tmp_path: Path, page: str, browser_page: Page
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    assert browser_page.context.browser is not None
    with browser_page.context.browser.new_context(java_script_enabled=False) as context:
        plain = context.new_page()
        plain.goto(file.as_uri())
        assert plain.locator("button, input").count() == 0
        assert len(shown(plain)) == 6
        assert plain.locator("table.heat thead th").first.inner_text() == "issue"
        plain.locator("details.data summary").first.click()
        assert plain.locator("details.data[open] table").first.is_visible()
