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
    assert (told.pop("name"), told.pop("left_out")) == ("run", [])
    assert told.pop("not_believed") == 0
    assert told == to_json(of.summary)
    assert [one["label"] for one in analysis["solvers"]] == ["small", "large"]
    assert {pair["k"] for pair in analysis["paired"]} == {1, 4}
    assert analysis["solvers"][0]["scaling"]["cannot_say"]
    assert analysis["solvers"][0]["spent"]["totals"]["money"] == pytest.approx(24 * 0.002)
    assert analysis["solvers"][0]["spent"]["totals"]["flops"] is None
    assert analysis["solvers"][0]["spent"]["per_solve"]["tokens"] == 24 * 1900 / 3
    assert (analysis["axis"], analysis["unit"]) == ("money", "US dollars")
    assert analysis["axis_why"] == "Costs are in US dollars, which are known of all."
    assert [one["sentence"] for one in analysis["equal_costs"]] == [
        one.sentence for one in of.equal_costs
    ]


def test_the_json_has_the_measured_curve_and_what_the_law_predicts(tmp_path: Path) -> None:
    with open_run(record(tmp_path / "run", issues=32, samples=16, patch="")) as store:
        told = json.loads(as_json(findings([read_run(store)])))
    scaling = told["analysis"]["solvers"][0]["scaling"]
    assert [point["k"] for point in scaling["measured"]] == list(range(1, 17))
    assert scaling["measured"][-1]["coverage"] == pytest.approx(15 / 32)
    assert not scaling["cannot_say"]
    assert [one["k"] for one in scaling["predicted"]] == [1, 2, 4, 8, 16, 32, 64]
    assert all(one["low"] <= one["coverage"] <= one["high"] for one in scaling["predicted"])


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
    assert {row["axis"] for row in rows} == {"money"}
    assert float(rows[2]["per_issue"]) == pytest.approx(4 * 0.002)
    assert float(rows[2]["per_solve"]) == pytest.approx(8 * 0.002)
    # Of 4 samples 3, 2, 1 and thrice none solve: (5/4 + 5/3 + 5/2 + 3 * 4) / 6 samples.
    expected = (5 / 4 + 5 / 3 + 5 / 2 + 12) / 6 * 0.002
    assert float(rows[2]["per_issue_until_solved"]) == pytest.approx(expected)
    assert float(rows[2]["per_solve_until_solved"]) == pytest.approx(2 * expected)


def test_what_is_unknown_is_an_empty_field(tmp_path: Path) -> None:
    with open_run(record(tmp_path / "run", cost=None)) as store:
        of = findings([read_run(store)], "money")
        rows = list(csv.DictReader(io.StringIO(as_csv(of))))
    assert {row["per_solve"] for row in rows} == {""}
