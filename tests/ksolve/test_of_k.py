"""A report says what choosing solves out of k samples, and where fewer are better than all."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.selection.candidates import Effort, Selection, chances
from eval.selection.evaluate import evaluate
from eval.store import open_run
from ksolve.chosen import Worth
from ksolve.cli import app
from ksolve.figures.of_k import chosen_of_k
from ksolve.findings import findings, read_run
from ksolve.grid import markdown_table
from ksolve.of_k import grid, peaks
from tests.ksolve.recorded import SMALL, record

LADDER = (1, 2, 4, 8)


def command(*words: str | Path, columns: int = 120) -> str:
    done = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def worth(*groups: int, solved: int, issues: int) -> Worth:
    """What voting among groups of these sizes is worth, the one of number `solved` being right."""
    groups_of = np.repeat(np.arange(len(groups)), groups)
    scores = np.repeat(groups, groups).astype(np.float64)
    everyone = np.ones(groups_of.size, dtype=np.bool_)
    vote = Selection(
        method="majority",
        chances=(chances(scores, everyone),) * issues,
        groups=(groups_of,) * issues,
        scores=(scores,) * issues,
        effort=Effort(),
    )
    evaluation = evaluate([groups_of == solved] * issues, [vote], has_patch=[everyone] * issues)
    return Worth(label="small", evaluation=evaluation, samples=evaluation.candidates)


def test_a_row_goes_from_pass_at_1_to_what_is_chosen_out_of_all_and_one_is_the_oracle() -> None:
    told = grid([worth(3, 5, solved=0, issues=30)], [LADDER])
    assert told.headers == ["chosen", "how", "of\n1", "of\n2", "of\n4", "of\n8"]
    vote, oracle = told.rows
    # Out of two samples a vote is a draw, or both are right: (3/8 2/7) + 15/28 / 2.
    assert vote == ["small", "the most frequent one", "38%", "38%", "29%", "0%"]
    # All four are wrong in 5 of the 70 ways to draw them.
    assert oracle == ["small", "oracle", "38%", "64%", "93%", "100%"]


def test_it_is_said_where_fewer_samples_are_better_and_only_there() -> None:
    (said,) = peaks([worth(3, 5, solved=0, issues=30)])
    assert said == (
        "small, the most frequent one: best out of k=1 samples (38%), and falls to 0% at k=8."
    )
    assert not list(peaks([worth(3, 5, solved=1, issues=30)]))
    assert not list(peaks([worth(3, 5, solved=0, issues=3)]))


def test_a_terminal_gets_as_many_k_as_it_has_room_for() -> None:
    one = worth(3, 5, solved=0, issues=30)
    every = [LADDER, (1, 8)]
    assert len(grid([one], every, 100).rows[0]) == 2 + 4
    narrow = grid([one], every, 34)
    assert len(narrow.rows[0]) == 2 + 2
    assert narrow.fits(34)


@pytest.mark.parametrize("form", [(), ("--markdown",)])
def test_the_report_has_it_at_the_k_of_its_coverage(tmp_path: Path, form: tuple[str, ...]) -> None:
    told = command("report", record(tmp_path / "run", samples=8), *form)
    assert "chosen out of k samples" in " ".join(told.split())
    rows = [line for line in told.splitlines() if re.search(r"\boracle\b.*%", line)]
    coverage = next(line for line in told.splitlines() if re.match(r"\|? ?small\b.*%.*/6", line))
    shares = re.findall(r"(\d+)%", rows[0])
    assert len(shares) == 4
    assert shares == re.findall(r"(\d+)%", coverage)[:4]


def test_a_run_of_one_sample_and_an_adaptive_one_have_none(tmp_path: Path) -> None:
    for number, more in enumerate(({"samples": 1}, {"allocate": "adaptive"})):
        folder = record(tmp_path / f"run-{number}", **more)  # type: ignore[arg-type]
        assert "chosen out of k samples" not in " ".join(command("report", folder).split())
        with open_run(folder) as store:
            assert chosen_of_k(findings([read_run(store)])).drawn is None


def test_programs_get_every_curve(tmp_path: Path) -> None:
    run = record(tmp_path / "run", samples=8, drawn=8, models=[SMALL])
    (solver,) = json.loads(command("report", run, "--json"))["analysis"]["solvers"]
    results = {one["method"]: one for one in solver["selection"]["results"]}
    table = list(csv.DictReader(io.StringIO(command("report", run, "--csv"))))
    assert [int(row["k"]) for row in table] == list(LADDER)
    for method in ("any", "first", "majority"):
        by_k = {point["k"]: point["coverage"] for point in results[method]["at_k"]}
        assert list(by_k) == list(range(1, 9))
        told = [float(row[f"chosen_{method}"]) for row in table]
        assert told == pytest.approx([by_k[k] for k in LADDER])
        assert by_k[8] == pytest.approx(results[method]["solved"]["share"])
        assert by_k[1] == pytest.approx(float(table[0]["coverage"]))
    oracle = {one["k"]: one["coverage"] for one in solver["selection"]["oracle_at_k"]}
    assert [float(row["coverage"]) for row in table] == pytest.approx([oracle[k] for k in LADDER])


def test_the_page_draws_votes_between_a_random_choice_and_the_oracle(tmp_path: Path) -> None:
    run, page = record(tmp_path / "run", samples=8), tmp_path / "page.html"
    command("report", run, "--html", page, "--svg", tmp_path / "figures")
    text = page.read_text(encoding="utf-8")
    assert "Out of k samples" in text
    drawn = (tmp_path / "figures" / "selection-at-k.svg").read_text(encoding="utf-8")
    for name in ("small: the most frequent one", "small: oracle", "large: random"):
        assert name in drawn
    assert text.count('id="selection-at-k-title"') == 1


def test_a_comparison_has_it_too(tmp_path: Path) -> None:
    run = record(tmp_path / "run", samples=8, models=[SMALL])
    told = command("select", run, "--compare")
    assert re.search(r"the most frequent one( +\d+%){4}", told)
    found = json.loads(command("select", run, "--compare", "--json"))
    assert [one["k"] for one in found["oracle_at_k"]] == list(range(1, 9))


def test_a_table_is_markdown_as_well() -> None:
    text = markdown_table(grid([worth(3, 5, solved=0, issues=30)], [LADDER]))
    assert "| small | the most frequent one | 38% | 38% | 29% | 0% |" in text
