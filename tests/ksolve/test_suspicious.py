"""Reports count suspicious samples, tell coverage with and without them, and can be strict."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ksolve.cli import app
from tests.ksolve.recorded import SMALL, record


def ksolve(*words: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Four issues, solved by samples 1, 2, 3 of t0, by 2 and 3 of t1, by 3 of t2."""
    return record(tmp_path / "run", models=[SMALL], issues=4, suspicious=[3])


def test_report_tells_coverage_with_and_without(run: Path) -> None:
    told = json.loads(ksolve("report", run, "--json").stdout)
    (arm,) = told["solvers"]
    assert (arm["solved"], arm["suspicious"]) == (3, 3)
    assert (arm["without_suspicious"]["issues"], arm["without_suspicious"]["solved"]) == (4, 2)
    last = [arm["pass_at_k"][-1], arm["without_suspicious"]["pass_at_k"][-1]]
    assert [one["coverage"] for one in last] == [0.75, 0.5]
    suspicious = told["analysis"]["suspicious"]
    assert [(one["task_id"], one["index"]) for one in suspicious] == [
        ("t0", 3),
        ("t1", 3),
        ("t2", 3),
    ]
    assert [one["kind"] for one in suspicious[0]["suspicions"]] == [
        "early exit",
        "network or process",
    ]


@pytest.mark.parametrize("option", [None, "--markdown"])
def test_text_tells_it_for_people(run: Path, option: str | None) -> None:
    said = ksolve("report", run, *([option] if option else [])).stdout
    assert "3 of 6 resolved samples are suspicious" in said
    assert "3/4" in said
    assert "2/4" in said


def test_page_lists_the_lines(run: Path, tmp_path: Path) -> None:
    assert ksolve("report", run, "--html", tmp_path / "a.html").exit_code == 0
    page = (tmp_path / "a.html").read_text()
    assert "3 of 6 resolved samples are suspicious" in page
    assert "x.py:1: early exit: `os._exit` ends a process" in page
    assert "starts another process" not in page


def test_csv_has_both(run: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(ksolve("report", run, "--csv").stdout)))
    assert [row["coverage"] for row in rows if row["k"] == "4"] == ["0.75"]
    assert [row["coverage_without_suspicious"] for row in rows if row["k"] == "4"] == ["0.5"]


def test_strict_report_has_them_unresolved_and_says_so(run: Path) -> None:
    (arm,) = json.loads(ksolve("report", run, "--json", "--strict").stdout)["solvers"]
    assert (arm["solved"], arm["outcomes"]["resolved"], arm["suspicious"]) == (2, 3, 0)
    assert arm["without_suspicious"] is None
    said = " ".join(ksolve("report", run, "--strict").stdout.split())
    assert "3 resolved samples that look like reward hacking count as unresolved" in said


def test_nothing_is_said_where_nothing_is_suspicious(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    for words in (("report", run), ("report", run, "--strict"), ("report", run, "--markdown")):
        said = ksolve(*words).stdout
        assert "suspicious" not in said
        assert "reward" not in said


def test_sample_is_shown_with_its_suspicions(run: Path) -> None:
    said = ksolve("show", run, "t0/3").stdout
    assert "x.py:1: early exit: `os._exit` ends a process, whatever it is doing." in said
    assert "os._exit(0)" in said
    assert "starts another process. (weak)" in said
    assert "suspicion" not in ksolve("show", run, "t0/2").stdout
    verdict = json.loads(ksolve("show", run, "t0/3", "--json").stdout)["verdict"]
    assert [one["line"] for one in verdict["suspicions"]] == [1, 2]


def test_export_has_a_sentence_each(run: Path, tmp_path: Path) -> None:
    ksolve("export", run, "--jsonl", tmp_path / "tables")
    lines = (tmp_path / "tables" / "verdicts.jsonl").read_text().splitlines()
    told = [json.loads(line)["suspicions"] for line in lines]
    assert sorted(map(len, told)) == [0] * 12 + [2] * 4
