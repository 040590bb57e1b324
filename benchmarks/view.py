"""How long the pages of `ksolve view` take on a run of 100,000 samples.

The run is the synthetic one of `benchmarks.analysis`. The view runs in a process of its own, as a
person starts it, and each page is asked for over loopback: the first time, when the run has yet to
be counted, and again. The bar is a first page within a second of asking for it.

    python -m benchmarks.view
    python -m benchmarks.view --run runs/a
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.analysis import build

ISSUES, SAMPLES = 500, 100
"""Of each issue by each of two models."""

AGAIN = 5
"""Times that each page is asked for after the first."""

BAR = 1.0
"""Seconds that the first page may take."""

PAGES = {
    "first page": "/",
    "page of the run": "/run/{run}",
    "page of an issue": "/run/{run}/issue/7",
    "page of a sample": "/run/{run}/issue/7/sample/1/0",
}


def main() -> None:
    """Build the run, ask for every page, print a line for each; end with 1 above the bar."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, help="build the run here, or look at the one here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = asked.run or Path(scratch) / "run"
        if not (run / "run.db").exists():
            build(run, issues=ISSUES, samples=SAMPLES)
        started = time.perf_counter()
        with viewing(run) as address:
            print(f"the view listens after {time.perf_counter() - started:.2f} s")
            print(f"{'':<20} {'first, s':>9} {'again, s':>9} {'KiB':>6}")
            first = [
                measure(address, name, path.format(run=run.name)) for name, path in PAGES.items()
            ]
    if first[0] > BAR:
        raise SystemExit(f"the first page took more than {BAR:g} s")


@contextlib.contextmanager
def viewing(run: Path) -> Iterator[str]:
    """Give host and port of a view of the run."""
    command = [sys.executable, "-m", "ksolve.cli", "view", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        yield urlsplit(found[0]).netloc
        process.terminate()


def measure(address: str, name: str, path: str) -> float:
    """Ask for a page and again, print what it took, and return the seconds of the first time."""
    seconds = []
    size = 0
    for _ in range(1 + AGAIN):
        started = time.perf_counter()
        with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            size = len(answer.read())
        if answer.status != http.client.OK:
            raise SystemExit(f"{path} was answered with {answer.status}")
        seconds.append(time.perf_counter() - started)
    print(f"{name:<20} {seconds[0]:>9.3f} {min(seconds[1:]):>9.3f} {size / 1024:>6.0f}", flush=True)
    return seconds[0]


if __name__ == "__main__":
    main()
