"""A headless Chromium, and a page in it that takes no error for granted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20_000
"""Milliseconds that a busy machine may take."""


@dataclass
class Watched:
    """A page, and what happened on it that should not."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def request(self, request: Request) -> None:
        if not request.url.startswith("http://127.0.0.1:"):
            self.complaints.append(f"request: {request.url}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Skip where there is no Chromium, unless KSOLVE_REQUIRE_BROWSER says that one must be.

    Of a module, since playwright's event loop runs as long as this does, beside no other.
    """
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("KSOLVE_REQUIRE_BROWSER"):
            pytest.fail("there is no chromium on the PATH: apt-get install chromium")
        pytest.skip("there is no chromium on the PATH")
    # Its own sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    """A page whose errors, dialogs and requests elsewhere fail the test at its end."""
    with chromium.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(SECONDS)
        seen = Watched(page=page)
        page.on("console", lambda message: seen.complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
        page.on("dialog", seen.dialog)
        page.on("request", seen.request)
        yield seen
        assert seen.complaints == []


@dataclass(frozen=True, slots=True)
class Served:
    """A folder for one run, and where `ksolve view` shows it."""

    folder: Path
    base: str
    # The address of the list of runs, without its last slash.

    @property
    def run(self) -> str:
        """The address of the run."""
        return f"{self.base}/run/{self.folder.name}"


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """One `ksolve view` for all tests: it finds the runs that they make."""
    place = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "ksolve.cli", "view", str(place), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://[^/]+", process.stdout.readline())
        assert found
        yield place, found[0]
        process.terminate()
        assert process.wait(timeout=20) == 0


@pytest.fixture
def served(view: tuple[Path, str]) -> Served:
    place, base = view
    return Served(place / f"run{len(list(place.iterdir()))}", base)
