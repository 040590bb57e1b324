"""The report as people and programs get it."""

import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from agent.backend import Usage
from eval.store import Store, open_run
from ksolve.cli import app
from ksolve.findings import Findings, findings, read_run
from ksolve.report import ADAPTIVE, markdown, terminal
from tests.ksolve.recorded import USAGE, record

SMALL = "vllm:/models/Qwen2.5-Coder-0.5B-Instruct"
LARGE = "vllm:/models/Qwen2.5-Coder-1.5B-Instruct"
LOCAL = "$0.1 an accelerator hour (given by the user)"
LOCALLY = dataclasses.replace(USAGE, accelerator_seconds=1.5)
Run = Callable[..., Findings]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """The findings of a run of two local models, unless its arguments say another."""

    def run(**more: Any) -> Findings:
        usual: Mapping[str, Any] = {
            "models": (SMALL, LARGE),
            "issues": 16,
            "samples": 16,
            "cost": 0.00042,
            "dearer": 2.0,
            "price": LOCAL,
            "usage": LOCALLY,
            "patch": "",
        }
        folder = record(tmp_path / f"run-{len(list(tmp_path.iterdir()))}", **{**usual, **more})
        return findings([read_run(stack.enter_context(open_run(folder)))])

    with ExitStack() as stack:
        yield run


def printed(of: Findings, width: int, *, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour).print(terminal(of))
    return out.getvalue()


def rows(text: str, *names: str) -> list[list[str]]:
    """Return what follows these names in tables of either form, without intervals."""
    lines = (
        re.split(r" *\| *| {2,}", line.strip().strip("|").strip()) for line in text.split("\n")
    )
    found = (line[len(names) :] for line in lines if line[: len(names)] == [*names])
    return [[cell.partition(" (")[0] for cell in line] for line in found]


FORMS = pytest.mark.parametrize("form", [markdown, lambda of: printed(of, 160)])


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"samples": 250},
        {"issues": 2294, "samples": 2, "cost": 3.5},
        {"samples": 250, "flaky": [f"t{i}" for i in range(16)]},
        {"cost": None},
        {"models": [SMALL, LARGE, "openai:gpt-4o-mini-2024-07-18"], "dearer": 3.0},
        {"models": [SMALL, LARGE, "openai:gpt-4o-mini-2024-07-18"], "dearer": 1.4},
    ],
    ids=["demo", "deep", "wide", "flaky", "unpriced", "three", "crossing"],
)
def test_the_table_fits_the_terminal_without_losing_a_figure(
    run: Run, arguments: Mapping[str, Any]
) -> None:
    of = run(**arguments)
    for width in (80, 100, 160):
        text = printed(of, width)
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width
        assert "…" not in text
        ks = [int(k) for k in re.findall(r"@(\d+)", text)]
        assert (ks[0], ks[-1]) == (1, of.summary.samples_per_issue)
        for arm in of.summary.solvers:
            assert f"{arm.solved}/{arm.issues}" in text
            assert f"{arm.outcomes['resolved']:,}" in text


def test_a_pipe_gets_no_colour_and_a_terminal_does(run: Run) -> None:
    of = run()
    assert "\x1b" not in printed(of, 100)
    assert "\x1b" in printed(of, 100, colour=True)


@FORMS
def test_it_is_said_who_solves_more_for_the_same_cost(
    run: Run, form: Callable[[Findings], str]
) -> None:
    of = run(dearer=9.0)
    text = " ".join(form(of).split())
    assert of.equal_costs[0].sentence in text
    assert " for the same cost" in text
    assert of.break_evens[0].sentence in text
    assert text.count(LOCAL) == 1


@FORMS
def test_what_is_drawn_until_the_first_solve_costs_less(
    run: Run, form: Callable[[Findings], str]
) -> None:
    # The small model solves t0 with all but its first sample.
    text = form(run(models=[SMALL], issues=1, samples=4, cost=0.25))
    assert "Expected cost (US dollars) of drawing all k samples of an issue, and of drawing" in text
    (row,) = re.findall(r"[ |]4[ |]+\$1.00[ |]+\$1.00[ |]+(\S+)[ |]+(\S+)[ |]+0.0 s", text)
    assert row == ("$0.31", "$0.31")  # Its one miss comes before all solves in one order of four.


@FORMS
def test_the_law_the_choice_and_the_frontier_are_told(
    run: Run, form: Callable[[Findings], str]
) -> None:
    text = form(run(samples=4, issues=6))
    words = " ".join(text.split())
    assert words.count("It takes 20 issues to say what more samples bring, not 6.") == 1
    assert "Samples of an issue that a coverage takes" in words
    assert "chosen without the oracle" in words
    assert "The frontier on the 6 issues that all have verdicts of" in words
    small = rows(text, "Qwen2.5-Coder-0.5B-Instruct")
    assert any(row[0] == "1" and "cannot say" in row for row in small)
    assert any((len(row), row[0], row[-1]) == (5, "25%", "50%") for row in small)
    assert ["1", "25%", "$0.00042"] in small  # on the frontier


@FORMS
def test_a_law_has_a_row_and_those_without_one_are_said_to_have_none(
    run: Run, form: Callable[[Findings], str]
) -> None:
    of = run(issues=32)
    text = form(of)
    found = [solver.scaling for solver in of.solvers]
    assert all(one.law is not None and not one.cannot_say for one in found)
    for solver, scaling in zip(of.solvers, found, strict=True):
        assert scaling.law is not None
        told = f"{scaling.law.a:.3f}, {scaling.law.b:.3f}"
        assert any(told in row for row in rows(text, solver.label))
    assert "o law is drawn" not in text


@FORMS
def test_a_run_without_a_price_is_told_in_what_it_used(
    run: Run, form: Callable[[Findings], str]
) -> None:
    table = form(run(cost=None))
    text = " ".join(table.split())
    assert ["1.5"] in rows(table, "Qwen2.5-Coder-0.5B-Instruct")  # a sample
    assert (
        "Costs are in accelerator seconds, since they are unknown in US dollars "
        "(Qwen2.5-Coder-0.5B-Instruct, Qwen2.5-Coder-1.5B-Instruct)." in text
    )
    assert "$" not in text
    assert "The frontier on the 16 issues" in text
    assert " for the same cost in accelerator seconds" in text


def test_intervals_stand_under_their_share(run: Run) -> None:
    of = run()
    point = of.summary.solvers[0].pass_at_k[0]
    assert point.low is not None
    assert point.high is not None
    assert f"{100 * point.low:.0f}-{100 * point.high:.0f}" in printed(of, 100)


def test_what_is_pending_failed_or_estimated_is_said(run: Run) -> None:
    guessed = dataclasses.replace(LOCALLY, calls=4, estimated_calls=1)
    text = printed(run(drawn=12, failures=["no"] * 3, usage=guessed), 160)
    assert "64 samples and 0 verdicts pending, in no rate" in text
    assert "3 failures of the system, in no rate" in text
    assert "pass@16 on 0 of 16 issues; the others have fewer verdicts" in text
    assert "of 768 requests, 192 told no usage" in text


def test_a_whole_run_carries_no_reservations(run: Run) -> None:
    text = printed(run(), 160)
    assert "*" not in text
    assert "in no rate" not in text
    assert "told no usage" not in text


@FORMS
def test_what_is_solved_is_told_with_and_without_flaky_issues(
    run: Run, form: Callable[[Findings], str]
) -> None:
    # The small model solves t0 only, the large one both.
    text = form(run(issues=2, samples=2, flaky=["t1"]))
    assert "The same without 1 issue known to be flaky (t1):" in text
    before, after = text.split("The same without")
    after = after.partition("samples")[0]
    assert [before.count(solved) for solved in ("1/2", "2/2")] == [1, 1]
    assert after.count("1/1") == 2
    # One of the two samples that the small model has of t0 solves it.
    shares = r"Qwen2.5-Coder-.*? 25%.*? 50%", r"Qwen2.5-Coder-.*? 50%.*? 100%"
    assert all(re.search(share, part) for share, part in zip(shares, (before, after), strict=True))


def test_many_flaky_issues_are_counted_and_some_named(run: Run) -> None:
    text = " ".join(printed(run(flaky=[f"t{i}" for i in range(8)]), 100).split())
    assert "without 8 issues known to be flaky (t0, t1, t2, t3, t4 and 3 more):" in text


def test_where_none_is_flaky_nothing_is_said_of_it(run: Run) -> None:
    of = run(flaky=["of another run"])
    for text in (printed(of, 100), markdown(of)):
        assert "flaky" not in text


def test_a_model_that_solved_nothing_has_no_cost_per_solve(run: Run) -> None:
    text = markdown(run(models=[SMALL], samples=1))
    assert re.search(r"\| 0/16 \| \$0\.0067 \| - \|", text)
    assert "No solver solves any of the 16 issues that all have verdicts of." in text


@pytest.mark.parametrize("drawn", [0, 1])
def test_a_run_of_one_issue_prints(run: Run, drawn: int) -> None:
    of = run(models=[SMALL], issues=1, samples=1, drawn=drawn)
    assert "Coverage (pass@k) of 1 issue by oneshot, 1 sample each" in printed(of, 80)


def test_a_run_of_nothing_prints(run: Run) -> None:
    empty = run(issues=0, samples=1)
    assert "0 issues" in printed(empty, 80)
    assert "0 issues" in markdown(empty)


def test_a_name_that_looks_like_markup_stays_text(run: Run) -> None:
    of = run(models=["[red]a", "[b]|c"])
    assert "[red]a" in printed(of, 160)
    assert "| [b]\\|c |" in markdown(of)


def test_solvers_are_called_by_what_tells_them_apart(tmp_path: Path) -> None:
    folder = record(tmp_path / "run", models=["openai:m"], strategies=["oneshot", "wide"])
    text = reported(folder).output
    assert "Coverage (pass@k) of 6 issues by m, 4 samples each asked for, none pending" in " ".join(
        text.split()
    )
    assert rows(text, "oneshot")
    assert rows(text, "wide")
    assert "m (oneshot)" not in text
    page = tmp_path / "page.html"
    told = json.loads(reported(folder, "--json", "--html", page).stdout)
    assert "m (oneshot)" not in page.read_text("utf-8")
    assert "2 strategies, m" in page.read_text("utf-8")
    assert [one["label"] for one in told["analysis"]["solvers"]] == ["m (oneshot)", "m (wide)"]
    assert [one["label"] for one in told["solvers"]] == ["m (oneshot)", "m (wide)"]


def test_a_run_is_told_at_the_k_of_the_others_as_deep_as_it_goes(tmp_path: Path) -> None:
    deep = record(tmp_path / "deep", models=[SMALL], samples=8)
    shallow = record(tmp_path / "shallow", models=[SMALL], samples=3)
    table = reported(deep, shallow, "--markdown").output
    table = next(part for part in table.split("\n\n") if part.startswith("|"))
    (of_deep,), (of_shallow,) = rows(table, "deep"), rows(table, "shallow")
    assert all(of_deep[:5])
    assert [bool(cell) for cell in of_shallow[:5]] == [True, True, True, False, False]


def test_markdown_holds_the_whole_ladder_in_even_tables(run: Run) -> None:
    text = markdown(run(samples=250))
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
    assert [len(table) for table in tables[:3]] == [4, 4, 2 + 2 * 9]
    assert re.findall(r"pass @(\d+)", text) == ["1", "2", "4", "8", "16", "32", "64", "128", "250"]
    assert f"- Price {LOCAL}." in text


def test_tokens_are_short_and_say_what_was_cached(run: Run) -> None:
    assert "| 410k (75%) / 77k |" in markdown(run())
    assert "| 6.4k (75%) / 1.2k |" in markdown(run(issues=2, samples=2))


def reported(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_several_runs_are_told_as_one_is(tmp_path: Path) -> None:
    a, b = record(tmp_path / "a", models=[SMALL]), record(tmp_path / "b", models=[LARGE])
    alone = reported(a).output
    assert "against" not in alone
    both = " ".join(reported(a, b).output.split())
    assert both.count("No law is drawn.") == 1
    names = ("a: Qwen2.5-Coder-0.5B-Instruct", "b: Qwen2.5-Coder-1.5B-Instruct")
    text = reported(a, b, "--markdown").output
    assert all(rows(text, name) for name in names)
    assert [row[0] for row in rows(text, *names)] == ["1", "4"]  # the paired test


@pytest.mark.parametrize("form", ["", "--markdown", "--json", "--csv"])
@pytest.mark.parametrize("axis", ["money", "tokens", "accelerator-seconds", "flops"])
def test_costs_are_told_on_the_axis_that_is_asked_for(tmp_path: Path, axis: str, form: str) -> None:
    usage = dataclasses.replace(LOCALLY, input_tokens=1600)
    run = record(tmp_path / "run", models=["vllm:qwen2.5-coder-0.5b", "m"], usage=usage)
    unit = {"money": "US dollars", "flops": "FLOPs"}.get(axis, axis.replace("-", " "))
    page = tmp_path / "page.html"
    result = reported(run, "--axis", axis, "--html", page, *([form] if form else []))
    why = "unknown of m" if axis == "flops" else "as asked for"
    assert f"Costs are in {unit}, {why}." in page.read_text("utf-8")
    assert f"Expected cost ({unit}) of drawing all k samples" in page.read_text("utf-8")
    text = " ".join(result.stdout.split())
    if form == "--csv":
        assert f",{axis.replace('-', '_')}," in text
    else:
        assert f"Costs are in {unit}, {why}." in text
    amounts = {
        "money": "$0.0040",
        "tokens": "3,800",
        "accelerator-seconds": "3",
        "flops": f"{2 * 494e6 * 700 * 2:.1e}",
    }
    if form in ("", "--markdown"):
        assert re.search(rf"2[ |]+{re.escape(amounts[axis])}[ |]", text)


def test_flaky_issues_are_left_out_of_everything_where_that_is_asked_for(tmp_path: Path) -> None:
    run = record(tmp_path / "run", drawn=3, flaky=["t0", "t5"], failures=["no answer"])
    assert "of the system" in reported(run).stdout
    page = tmp_path / "page.html"
    result = reported(run, "--without-flaky", "--html", page)
    text = " ".join(result.stdout.split())
    said = "2 issues known to be flaky (t0, t5) are left out of everything."
    assert said in text
    assert said in page.read_text("utf-8")
    assert "Coverage (pass@k) of 4 issues" in text
    assert "The same without" not in text
    assert "of the system" not in text  # The failure was one of t0.
    assert "on the 4 issues that all have verdicts of" in text
    assert "First minus second on 4 issues" in text
    told = json.loads(reported(run, "--without-flaky", "--json").stdout)
    assert (told["left_out"], told["flaky"], told["issues"]) == (["t0", "t5"], [], 4)
    assert {one["scaling"]["issues"] for one in told["analysis"]["solvers"]} == {4}
    csv = reported(run, "--without-flaky", "--csv").stdout
    assert ",1,4,0," in csv


def test_of_an_adaptive_run_it_is_said_that_its_coverage_is_no_fair_estimate(
    tmp_path: Path,
) -> None:
    uniform, page = record(tmp_path / "uniform"), tmp_path / "r.html"
    adaptive = record(tmp_path / "adaptive", allocate="adaptive")
    said = "so pass@k, and pending samples, say little of this run"
    assert said not in " ".join(reported(uniform).output.split())
    assert said in " ".join(reported(adaptive, "--html", page).output.split())
    assert said in page.read_text(encoding="utf-8")
    text = reported(adaptive, "--markdown").output
    assert f"- {ADAPTIVE}" in text
    assert "so its coverage carries no law" in text
    assert "- Not held against the frontier: what was drawn followed what was solved" in text


def test_of_patches_that_are_only_verified_nothing_is_said_but_how_many_pass(run: Run) -> None:
    told = printed(run(models=[SMALL], samples=1, cost=None, usage=Usage()), 160)
    text = " ".join(told.split())
    assert "Costs are in US dollars, unknown of Qwen2.5-Coder-0.5B-Instruct." in text
    assert not any(word in text for word in ("law", "chosen", "frontier", "Expected cost"))


def test_a_run_that_does_not_say_who_draws_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with Store(tmp_path / "old") as store:
        store.begin({"task_ids": ["t"], "samples": [1]})
    result = reported(tmp_path / "old")
    assert result.exit_code != 0
    assert "written by another version of ksolve" in " ".join(result.output.split())


@pytest.mark.parametrize("option", ["--html", "--svg"])
def test_a_file_in_no_folder_is_refused_before_any_work(tmp_path: Path, option: str) -> None:
    run = record(tmp_path / "run")
    result = reported(run, option, tmp_path / "none" / "a.svg")
    assert result.exit_code == 2
    assert "make it, or give another file" in " ".join(result.output.split())
    assert "pass" not in result.output


def test_a_page_and_figures_are_written_besides_what_is_printed(tmp_path: Path) -> None:
    run, page, figures = record(tmp_path / "run"), tmp_path / "r.html", tmp_path / "figures"
    result = reported(run, "--json", "--html", page, "--svg", figures)
    assert json.loads(result.stdout)["issues"] == 6
    assert str(page) in result.stderr.replace("\n", "")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    names = ("coverage", "cost-per-solve", "frontier", "selection", "selection-at-k", "issues")
    assert {file.name for file in figures.iterdir()} == {
        f"{name}.svg" for name in (*names, "outcomes")
    }


def test_a_figure_in_a_file_is_the_one_of_its_name(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    for name, unit in (("frontier", "US dollars an issue"), ("anything", "samples of each issue")):
        file = tmp_path / f"{name}.svg"
        assert reported(run, "--svg", file).exit_code == 0
        assert unit in file.read_text("utf-8")


def test_figures_are_not_drawn_into_what_says_that_it_is_another_form(tmp_path: Path) -> None:
    result = reported(record(tmp_path / "run"), "--svg", tmp_path / "figure.png")
    assert result.exit_code == 2
    assert "ends in .svg, or a folder" in " ".join(result.output.split())
    assert not (tmp_path / "figure.png").exists()


def test_one_form_is_printed_at_a_time(tmp_path: Path) -> None:
    result = reported(record(tmp_path / "run"), "--json", "--csv")
    assert result.exit_code == 2
    assert "Give one of" in result.output


def test_a_run_in_which_nothing_was_judged_has_no_figure(tmp_path: Path) -> None:
    result = reported(record(tmp_path / "run", drawn=0), "--svg", tmp_path / "coverage.svg")
    assert result.exit_code == 2
    assert "There is nothing to draw" in result.output
