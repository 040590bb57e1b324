"""`ksolve run` against a provider that keeps books: what it cost is what was billed.

To the cent where the provider tells what a request used, in any form and with faults between; as
a high estimate, and marked, where a stream was cut or a request was under way when the run was
interrupted, ran out of time or was not needed any more.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eval.cost import money
from tests.agent.books import FORMS, TOLD, Act, Books, Rates
from tests.agent.loopback import Asked, Endpoint

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

TASK = "ksolve__ledger-1"
# The price of writing to a cache cannot be given on the command line: it is as that of input.
RATES = Rates(input=1.0, cached=0.1, written=1.0, output=4.0)
PRICE = "in=1,cached=0.1,out=4"
# Dollars.
EXACT = 1e-9
# Seconds between two interruptions.
GAP = 0.05
# Seconds for what comes in a few.
PATIENCE = 60.0
# An answer without a patch, so that nothing has to be verified.
NOTHING = "I do not know what is wrong here. " * 20


def books_of(**options: Any) -> Books:
    """Open the books of a provider that thinks more than it says.

    Else nobody could tell thinking that is beside the completion, and in no total, from a part.
    """
    defaults: dict[str, Any] = {
        "rates": RATES,
        "text": lambda _: NOTHING,
        "thought": lambda number: 200 + 37 * number % 101,
    }
    return Books(**{**defaults, **options})


def words(server: Endpoint, out: Path, *more: str, samples: int, in_flight: int) -> list[str]:
    return [
        *(sys.executable, "-m", "ksolve.cli", "run", "--tasks", "starter", "--id", TASK),
        *("--model", f"{server.url}#m", "--samples", str(samples), "--out", str(out)),
        *("--price", PRICE, "--in-flight", str(in_flight), "--json", *more),
    ]


def ended(command: list[str], code: int = 0) -> dict[str, Any]:
    """Run a command to its end, and return what it reports of the one solver."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told["solvers"][0] if "solvers" in told else told


def ksolve(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ksolve.cli", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(out: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table of a run."""
    with closing(sqlite3.connect(f"file:{out}/run.db?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]


def cost(rows: list[dict[str, Any]]) -> float:
    return sum(float(row["cost"]) for row in rows)


def told(books: Books) -> float:
    """Return what was billed for answers that tell what they used."""
    return sum(entry.dollars for entry in books.entries if entry.act in TOLD)


def interrupted(command: list[str], books: Books, held: int, times: int = 1) -> None:
    """Start a run, and interrupt it once so many requests are under way for good."""
    # Tests that were started in the background may have been told to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + PATIENCE
        while books.held() < held:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end, f"{books.held()} of {held} requests came"
            time.sleep(0.02)
        # Those that wait for their turn have a while to be sent all the same.
        time.sleep(0.5)
        assert books.held() == held
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(GAP)
        _, said = process.communicate(timeout=PATIENCE)
        # One that comes too late meets a process which has ended.
        assert process.returncode in {130, -signal.SIGINT if times > 1 else 130}, said
    finally:
        process.kill()
        process.wait()


# --- told, in every form ------------------------------------------------------------------------

ROUND = 2 * len(FORMS)


@pytest.fixture(scope="module")
def in_every_form(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Books, Path, dict[str, Any]]:
    """A run in which every form of usage comes whole and as a stream, with faults between."""
    acts: list[Act] = []
    for number in range(ROUND):
        fault: list[Act] = ["500"] if number % 16 == 3 else ["429"] if number % 16 == 9 else []
        acts += [*fault, "stream" if number % 2 else "whole"]
    books = books_of(acts=acts)
    out = tmp_path_factory.mktemp("forms") / "run"
    with Endpoint(otherwise=books) as server:
        arm = ended(words(server, out, samples=ROUND, in_flight=8))
    return books, out, arm


def test_a_run_costs_what_the_provider_bills_in_every_form_of_usage(
    in_every_form: tuple[Books, Path, dict[str, Any]],
) -> None:
    books, _, arm = in_every_form
    assert {entry.form for entry in books.entries} == {form.name for form in FORMS}
    assert books.asked > len(books.entries) == arm["samples"] == ROUND
    assert arm["cost"] == pytest.approx(books.dollars, abs=EXACT)
    assert arm["failed_cost"] == 0.0
    assert arm["usage"]["estimated_calls"] == 0
    assert arm["usage"]["calls"] == books.asked


def test_what_was_billed_and_what_the_list_says_are_both_kept_and_told(
    in_every_form: tuple[Books, Path, dict[str, Any]], tmp_path: Path
) -> None:
    books, out, arm = in_every_form
    billing = {form.name for form in FORMS if form.markup is not None}
    bills = [entry for entry in books.entries if entry.form in billing]
    used = arm["usage"]
    assert used["billed_calls"] == len(bills)
    billed, listed = sum(b.dollars for b in bills), sum(b.listed for b in bills)
    assert used["billed"] == pytest.approx(billed, abs=EXACT)
    ksolve("export", str(out), "--jsonl", str(tmp_path / "tables"))
    lines = (tmp_path / "tables" / "samples.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert sum(row["cost"] for row in rows) == pytest.approx(books.dollars, abs=EXACT)
    assert sum(row["billed"] for row in rows) == pytest.approx(billed, abs=EXACT)
    # A person sees both.
    report = ksolve("report", str(out))
    assert money(billed) in report
    assert money(used["billed_at_list"]) in report
    assert used["billed_at_list"] != pytest.approx(billed, abs=1e-4)
    assert listed > 0


def test_streams_that_are_cut_and_connections_that_are_reset_are_paid_high_and_marked(
    tmp_path: Path,
) -> None:
    acts: list[Act] = ["stream", "whole"]
    lost: list[Act] = ["cut", "reset", "cut late", "torn", "error late", "end early", "cut early"]
    for act in lost:
        acts += [act, "500", "stream"]
    books = books_of(acts=acts, forms=FORMS[:1], thought=lambda number: 200 + 40 * number)
    with Endpoint(otherwise=books) as server:
        # One after the other, so that none is lost twice.
        arm = ended(words(server, tmp_path / "run", samples=2 + len(lost), in_flight=1))
    assert {entry.act for entry in books.untold} == set(lost)
    # An error in the middle may tell what was used by then.
    assert arm["usage"]["estimated_calls"] == len(lost) - lost.count("error late")
    assert arm["usage"]["calls"] == books.asked
    assert arm["cost"] >= books.dollars


# --- given up -----------------------------------------------------------------------------------


def test_requests_under_way_at_an_interruption_are_paid_high_and_marked_also_after_going_on(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    acts: list[Act] = ["stream", "whole", "500", "stream", "hold", "hold stream", "hold"]
    long = {5: 900, 6: 900, 7: 900}
    books = books_of(acts=acts, thought=lambda number: long.get(number, 220))
    with Endpoint(otherwise=books) as server:
        command = words(server, out, samples=8, in_flight=3)
        interrupted(command, books, held=3)
        given_up = table(out, "failures")
        assert [row["stage"] for row in given_up] == ["broken off"] * 3
        assert all(row["usage_estimated_calls"] == 1 for row in given_up)
        assert cost(table(out, "samples")) == pytest.approx(told(books), abs=EXACT)
        assert cost(given_up) >= books.dollars - told(books)

        books.go_on("429", "stream", "whole")
        arm = ended(command)
    assert arm["samples"] == 8
    assert cost(table(out, "samples")) == pytest.approx(told(books), abs=EXACT)
    assert arm["failed_cost"] == pytest.approx(cost(given_up))
    assert arm["cost"] == pytest.approx(told(books) + cost(given_up))
    assert arm["cost"] >= books.dollars
    # Who reads the report learns that a part of it is an estimate.
    assert "estimate" in ksolve("report", str(out))


def test_what_was_seen_of_the_bills_before_an_interruption_counts_after_it(tmp_path: Path) -> None:
    # Interrupted once more, before there is another answer to learn from.
    out = tmp_path / "run"
    form = next(form for form in FORMS if form.name == "a cost, after the end")
    dear = dataclasses.replace(form, markup=9.0)
    acts: list[Act] = ["stream", "whole", "hold"]
    books = books_of(acts=acts, forms=[dear], thought=lambda _: 600)
    with Endpoint(otherwise=books) as server:
        command = words(server, out, "--max-tokens", "800", samples=4, in_flight=1)
        interrupted(command, books, held=1)
        books.go_on("hold")
        interrupted(command, books, held=2)
        books.go_on("stream", "whole")
        arm = ended(command)
    assert cost(table(out, "samples")) == pytest.approx(told(books), abs=EXACT)
    given_up = table(out, "failures")
    for row, entry in zip(given_up, books.untold, strict=True):
        assert row["cost"] >= entry.dollars
    assert arm["cost"] == pytest.approx(told(books) + cost(given_up))


def test_what_waits_behind_the_first_request_is_not_paid_when_that_is_interrupted(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    books = books_of(acts=["hold"])
    with Endpoint(otherwise=books) as server:
        interrupted(words(server, out, samples=4, in_flight=3), books, held=1)
    (given_up,) = table(out, "failures")
    assert (given_up["usage_calls"], given_up["usage_estimated_calls"]) == (1, 1)
    assert given_up["cost"] >= books.dollars


def test_an_agent_s_steps_before_an_interruption_are_paid_to_the_cent_and_the_last_one_high(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    look = "```bash\nls\n```\n"
    acts: list[Act] = ["stream", "500", "whole", "stream", "hold stream"]
    books = books_of(acts=acts, forms=FORMS[:4], text=lambda _: look)
    with Endpoint(otherwise=books) as server:
        command = words(server, out, "--strategy", "loop", samples=1, in_flight=1)
        interrupted(command, books, held=1)
    (given_up,) = table(out, "failures")
    assert given_up["stage"] == "broken off"
    assert (given_up["usage_calls"], given_up["usage_estimated_calls"]) == (5, 1)
    assert given_up["cost"] >= books.dollars
    assert table(out, "samples") == []


# An agent's containers are removed in the meantime.
@pytest.mark.parametrize(("strategy", "held"), [("oneshot", 24), ("loop", 1)])
def test_a_second_interruption_loses_nothing_of_what_is_paid(
    tmp_path: Path, strategy: str, held: int
) -> None:
    # Who sees that the command does not end at once asks again.
    out = tmp_path / "run"
    # The second finds out whether an answer may be as long as one of a model that thinks; an agent
    # asks first whether tools are called.
    acts: list[Act] = ["stream", "stream", "hold", "hold"]
    books = books_of(acts=acts, text=lambda _: "```bash\nls\n```\n")
    with Endpoint(otherwise=books) as server:
        command = words(
            server, out, "--strategy", strategy, samples=held + 2, in_flight=max(held, 2)
        )
        interrupted(command, books, held=held, times=2)
    paid = table(out, "failures") + table(out, "samples")
    assert sum(row["usage_calls"] for row in paid) == books.asked
    assert cost(paid) >= books.dollars


def test_a_step_that_runs_out_of_time_is_paid_high_and_marked(tmp_path: Path) -> None:
    out = tmp_path / "run"
    books = books_of(acts=["stream", "whole", "hold"], text=lambda _: "```bash\nls\n```\n")
    limits = ("--strategy", "loop", "--seconds", "8")
    with Endpoint(otherwise=books) as server:
        arm = ended(words(server, out, *limits, samples=1, in_flight=1))
    assert (arm["samples"], books.held()) == (1, 1)
    (row,) = table(out, "samples")
    assert row["stop"] == "seconds"
    assert (row["usage_calls"], row["usage_estimated_calls"]) == (3, 1)
    assert arm["cost"] >= books.dollars


# --- money that may be spent --------------------------------------------------------------------

BESIDE = next(form for form in FORMS if form.name == "thinking beside")
# Dollars.
BUDGET = 0.08


@pytest.mark.parametrize("in_flight", [1, 2])
def test_a_budget_holds_against_a_provider_that_thinks_beyond_the_limit(
    tmp_path: Path, in_flight: int
) -> None:
    books = books_of(forms=[BESIDE], thought=lambda _: 12_000)
    limits = ("--budget", str(BUDGET), "--max-tokens", "256")
    with Endpoint(otherwise=books) as server:
        command = words(server, tmp_path / "run", *limits, samples=30, in_flight=in_flight)
        arm = ended(command)
        assert 0 < arm["samples"] < 30
        dearest = max(entry.dollars for entry in books.entries)
        assert arm["cost"] == pytest.approx(books.dollars, abs=EXACT)
        assert books.dollars <= BUDGET + in_flight * dearest
        # The same command again has no money left to go on with, but for what it may not know.
        for _ in range(3):
            arm = ended(command)
    assert arm["cost"] == pytest.approx(books.dollars, abs=EXACT)
    assert books.dollars <= BUDGET + in_flight * dearest


def test_what_an_interruption_may_have_cost_is_kept_from_the_budget(tmp_path: Path) -> None:
    out = tmp_path / "run"
    acts: list[Act] = ["stream", "hold", "hold"]
    books = books_of(acts=acts, forms=[BESIDE], thought=lambda _: 200)
    limits = ("--budget", "0.2", "--max-tokens", "500")
    with Endpoint(otherwise=books) as server:
        command = words(server, out, *limits, samples=200, in_flight=2)
        interrupted(command, books, held=2)
        books.go_on("stream", "whole")
        arm = ended(command)
    assert 0 < arm["samples"] < 200
    assert books.dollars <= arm["cost"] <= 0.2


# --- not needed any more ------------------------------------------------------------------------

WRONG = "def double(number):\n    return number + 2\n"
MENDED = (
    "double.py\n<<<<<<< SEARCH\n    return number + 2\n=======\n    return number * 2\n"
    ">>>>>>> REPLACE\n"
)


def test_what_was_under_way_when_the_first_patch_passed_is_paid_high_and_marked(
    tmp_path: Path,
) -> None:
    repo, out = tmp_path / "doubling", tmp_path / "run"
    repo.mkdir()
    (repo / "double.py").write_text(WRONG)
    (repo / "test_double.py").write_text("from double import double\n\nassert double(5) == 10\n")
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    for git in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "first")):
        subprocess.run(["git", *git], cwd=repo, check=True)
    acts: list[Act] = ["stream", "hold", "hold stream", "hold"]

    def text(_: Asked) -> str:
        return MENDED

    books = books_of(acts=acts, text=text, thought=lambda number: 50 if number == 1 else 700)
    with Endpoint(otherwise=books) as server:
        done = ended(
            [
                *(sys.executable, "-m", "ksolve.cli", "fix", str(repo), "--issue"),
                *("double(5) is 7 and not 10, see double.py", "--test", "python3 test_double.py"),
                *("--image", "ksolve/base:1", "--model", f"{server.url}#m", "--samples", "8"),
                *("--price", PRICE, "--in-flight", "3", "--out", str(out), "--json"),
            ]
        )
    assert done["solved"]
    assert books.held() > 0
    given_up = table(out, "failures")
    assert len(given_up) == books.held()
    assert all(row["usage_estimated_calls"] == 1 for row in given_up)
    assert cost(table(out, "samples")) == pytest.approx(told(books), abs=EXACT)
    assert done["cost"] == pytest.approx(told(books) + cost(given_up))
    assert done["cost"] >= books.dollars
