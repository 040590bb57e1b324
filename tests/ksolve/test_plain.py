"""Findings for programs: the JSON is the summary and more, the CSV a table that reads back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from eval.store import open_run
from eval.summary import to_json
from ksolve.findings import findings, read_run
from ksolve.plain import COLUMNS, as_csv, as_json
from tests.ksolve.recorded import SMALL, record


def test_the_json_of_one_run_is_its_summary_and_the_analysis(tmp_path: Path) -> None:
    with open_run(record(tmp_path / "run")) as store:
        of = findings([read_run(store)])
    told = json.loads(as_json(of))
    analysis = told.pop("analysis")
    assert told.pop("name") == "run"
    assert told == to_json(of.summary)
    assert [one["label"] for one in analysis["solvers"]] == ["small", "large"]
    assert {pair["k"] for pair in analysis["paired"]} == {1, 4}
    assert analysis["solvers"][0]["scaling"]["cannot_say"]
    assert analysis["solvers"][0]["spent"]["totals"]["money"] == pytest.approx(24 * 0.002)
    assert analysis["solvers"][0]["spent"]["totals"]["flops"] is None


def test_the_json_of_several_runs_has_each_of_them(tmp_path: Path) -> None:
    with open_run(record(tmp_path / "a")) as a, open_run(record(tmp_path / "b")) as b:
        told = json.loads(as_json(findings([read_run(a), read_run(b)])))
    assert [run["name"] for run in told["runs"]] == ["a", "b"]
    assert len(told["analysis"]["solvers"]) == 4


def test_the_table_has_a_row_for_each_solver_and_k(tmp_path: Path) -> None:
    with open_run(record(tmp_path / "run")) as store:
        of = findings([read_run(store)])
    rows = list(csv.DictReader(io.StringIO(as_csv(of))))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["model"], row["k"]) for row in rows[:3]] == [(SMALL, k) for k in "124"]
    assert float(rows[2]["coverage"]) == pytest.approx(0.5)
    assert float(rows[2]["usd_per_issue"]) == pytest.approx(4 * 0.002)
    assert float(rows[2]["usd_per_solve"]) == pytest.approx(8 * 0.002)


def test_what_is_unknown_is_an_empty_field(tmp_path: Path) -> None:
    with open_run(record(tmp_path / "run", cost=None)) as store:
        rows = list(csv.DictReader(io.StringIO(as_csv(findings([read_run(store)])))))
    assert {row["usd_per_solve"] for row in rows} == {""}
