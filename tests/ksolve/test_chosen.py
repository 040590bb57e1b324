"""A report shows what was chosen, each method over the samples that it was asked about."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.backend import Usage
from eval.selection.candidates import Effort, Scored
from eval.selection.kept import FILE, Kept, Way
from eval.selection.pool import read_pool
from eval.store import open_run
from ksolve.cli import app
from ksolve.figures.samples import selection
from ksolve.findings import findings, read_run
from tests.ksolve.recorded import record

JUDGE = {"judge": "openai:wise", "max_tokens": None}
TOOK = Effort(usage=Usage(calls=4, input_tokens=1_000, output_tokens=200), cost=0.03, seconds=2.5)


def choose(
    run: Path, arms: Sequence[int] = (0,), effort: Effort = TOOK, method: str = "judge"
) -> None:
    """Keep the word of a judge who likes the last sample best."""
    with open_run(run) as store, Kept(run) as kept:
        table = store.table()
        way = Way(method=method, solvers=tuple(table.arms[arm] for arm in arms), settings=JUDGE)
        for of in read_pool(store, table, among=np.isin(table.arm, arms)).issues:
            scores = np.arange(len(of.candidates), dtype=np.float64)
            kept.keep(way, of, Scored(scores=scores, effort=effort))


def report(*words: str | Path, columns: int = 120) -> str:
    done = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["report", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def analysis(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(report(run, "--json"))["analysis"]
    return found


def test_what_was_chosen_stands_beside_the_votes_with_what_it_took(tmp_path: Path) -> None:
    choose(record(tmp_path / "run"))
    small, large = analysis(tmp_path / "run")["solvers"]
    methods = {one["method"]: one for one in small["selection"]["results"]}
    assert list(methods) == ["any", "first", "majority", "judge"]
    # The last of four samples solves the first three issues of six.
    assert methods["judge"]["solved"]["share"] == pytest.approx(3 / 6)
    assert methods["judge"]["solved"]["low"] < 3 / 6 < methods["judge"]["solved"]["high"]
    assert methods["judge"]["settings"] == JUDGE
    assert methods["judge"]["effort"]["cost"] == pytest.approx(6 * 0.03)
    assert methods["judge"]["effort"]["usage"]["calls"] == 6 * 4
    assert methods["any"]["effort"]["cost"] == 0
    assert [one["method"] for one in large["selection"]["results"]] == ["any", "first", "majority"]
    assert small["selection_as_of"] == large["selection_as_of"] == []


def test_what_was_chosen_from_fewer_samples_is_told_as_of_these(tmp_path: Path) -> None:
    choose(record(tmp_path / "run", drawn=2))
    run = record(tmp_path / "run", drawn=4)
    small = analysis(run)["solvers"][0]
    assert [one["method"] for one in small["selection"]["results"]] == ["any", "first", "majority"]
    assert small["selection"]["oracle"]["share"] == pytest.approx(3 / 6 + 0 / 6)
    (earlier,) = small["selection_as_of"]
    assert (earlier["samples"], earlier["candidates"]) == (6 * 4, 6 * 2)
    assert [one["method"] for one in earlier["results"]] == ["judge"]
    # Of two samples the second solves one issue, and none solves more.
    assert earlier["oracle"]["share"] == pytest.approx(1 / 6)
    for told in (report(run), report(run, "--markdown")):
        assert "small as of 12 of 24 samples" in " ".join(told.split())
    choose(run)
    assert analysis(run)["solvers"][0]["selection_as_of"] == []


def test_what_was_chosen_before_stands_beside_what_is_chosen_now(tmp_path: Path) -> None:
    choose(record(tmp_path / "run", drawn=2))
    run = record(tmp_path / "run", drawn=4)
    choose(run, method="pairwise")
    small = analysis(run)["solvers"][0]
    assert "pairwise" in [one["method"] for one in small["selection"]["results"]]
    assert [one["candidates"] for one in small["selection_as_of"]] == [6 * 2]
    assert "small as of 12 of 24 samples" in " ".join(report(run).split())


@pytest.mark.parametrize("content", [b"", b"no database at all"])
def test_a_run_is_read_whatever_became_of_what_was_chosen(tmp_path: Path, content: bytes) -> None:
    run = record(tmp_path / "run")
    (run / FILE).write_bytes(content)
    told = " ".join(report(run).split())
    assert "most frequent one" in told
    assert ("Only selection.db is concerned" in told) == bool(content)


def test_what_waits_for_verdicts_is_not_told(tmp_path: Path) -> None:
    choose(record(tmp_path / "run", judged=2))
    small = analysis(tmp_path / "run")["solvers"][0]
    assert [one["method"] for one in small["selection"]["results"]] == ["any", "first", "majority"]
    assert small["selection_as_of"] == []


def test_all_solvers_together_are_a_pool_of_their_own(tmp_path: Path) -> None:
    choose(record(tmp_path / "run"), arms=(0, 1))
    found = analysis(tmp_path / "run")
    (together,) = found["selection_together"]
    assert (together["label"], together["candidates"]) == ("all together", 2 * 6 * 4)
    assert [one["method"] for one in together["results"]] == ["judge"]
    assert all(len(one["selection"]["results"]) == 3 for one in found["solvers"])


def test_terminal_and_markdown_show_it_where_somebody_chose(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    ends = re.compile(r"^\W*random choice\b.*%", re.MULTILINE)
    assert not ends.search(report(run) + report(run, "--markdown"))
    choose(run)
    wide, narrow, plain = report(run), report(run, columns=80), report(run, "--markdown")
    assert max(map(len, narrow.splitlines())) <= 80
    for told in (wide, narrow, plain):
        assert len(ends.findall(told)) == 1
        line = next(line for line in told.splitlines() if "judge (wise)" in line)
        assert "$0.18" in line
        assert "24" in line
    assert "| judge (wise) |" in plain


def test_the_figure_and_its_table_have_the_cost_and_an_unknown_one_says_so(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    choose(run, effort=Effort(usage=Usage(calls=1), cost=None, runs=2))
    with open_run(run) as store:
        figure = selection(findings([read_run(store)]))
    assert figure.drawn is not None
    assert "a judge&#39;s favourite (wise)" in figure.drawn
    assert "cost unknown, 12 runs" in figure.drawn
    assert figure.table is not None
    (row,) = [row for row in figure.table.rows if "judge" in row[1].text]
    names = [head.text for head in figure.table.head]
    cells = dict(zip(names, [cell.text for cell in row], strict=True))
    assert (cells["cost"], cells["requests"], cells["runs"]) == ("unknown", "6", "12")


def test_what_was_chosen_from_fewer_samples_has_a_field_of_its_own(tmp_path: Path) -> None:
    choose(record(tmp_path / "run", drawn=2))
    run = record(tmp_path / "run", drawn=4)
    page = tmp_path / "page.html"
    report(run, "--html", page)
    assert "small (as of 12 of 24 samples, on 6 issues)" in page.read_text(encoding="utf-8")
