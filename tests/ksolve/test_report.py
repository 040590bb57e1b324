"""The report as people and programs get it."""

import io
import json
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from agent.backend import Usage
from eval.store import Store
from eval.summary import Summary, summarise, to_json
from eval.table import SampleRow, table_of
from ksolve.cli import app
from ksolve.report import ADAPTIVE, as_json, markdown, terminal
from tests.ksolve.recorded import record

SMALL = "vllm:/models/Qwen2.5-Coder-0.5B-Instruct"
LARGE = "vllm:/models/Qwen2.5-Coder-1.5B-Instruct"
LOCAL = "$0.1 an accelerator hour (given by the user)"


def run(
    *,
    models: Sequence[str] = (SMALL, LARGE),
    issues: int = 16,
    samples: int = 16,
    drawn: int = 16,
    cost: float | None = 0.00042,
    failures: int = 0,
    flaky: Collection[str] = (),
) -> Summary:
    """Model m of the run solves issue i with sample j where j + 2 m > i."""
    rows = (
        SampleRow(
            task_id=f"t{i}",
            model=model,
            strategy="oneshot",
            index=j,
            outcome="resolved" if j + 2 * m > i else "not_applied",
            usage=Usage(
                input_tokens=1600,
                cached_tokens=1200,
                output_tokens=300,
                calls=1,
                accelerator_seconds=1.5,
            ),
            cost=None if cost is None else cost * (m + 1),
            patch_digest=f"{j}",
            verify_seconds=1.0,
        )
        for m, model in enumerate(models)
        for i in range(issues)
        for j in range(drawn - (i == 0) * (drawn < samples))
    )
    return summarise(
        table_of(
            rows,
            tasks=[f"t{i}" for i in range(issues)],
            arms=[(model, "oneshot") for model in models],
        ),
        samples=samples,
        price_notes=dict.fromkeys(models, LOCAL if cost is not None else "unknown"),
        failures={(models[0], "oneshot"): failures},
        flaky=flaky,
    )


def printed(summary: Summary, width: int, *, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour).print(terminal(summary))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize(
    "summary",
    [
        run(),
        run(samples=250, drawn=250),
        run(issues=2294, samples=4, drawn=4, cost=3.5),
        run(samples=250, drawn=250, flaky=[f"t{i}" for i in range(16)]),
    ],
    ids=["demo", "deep", "wide", "flaky"],
)
def test_the_table_fits_the_terminal_without_losing_a_figure(summary: Summary, width: int) -> None:
    text = printed(summary, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    ks = [int(k) for k in re.findall(r"@(\d+)", text)]
    assert (ks[0], ks[-1]) == (1, summary.samples_per_issue)
    for arm in summary.arms:
        assert f"{arm.solved}/{arm.issues}" in text
        assert f"{arm.outcomes['resolved']:,}" in text


def test_a_pipe_gets_no_colour_and_a_terminal_does() -> None:
    assert "\x1b" not in printed(run(), 100)
    assert "\x1b" in printed(run(), 100, colour=True)


def test_the_demo_ends_with_the_cheaper_way() -> None:
    summary = run()
    text = " ".join(printed(summary, 100).split())
    assert text.endswith(summary.comparisons[0].sentence)
    assert "is the cheaper way" in text
    assert LOCAL in text


def test_intervals_stand_under_their_share() -> None:
    point = run().arms[0].pass_at_k[0]
    assert point.low is not None
    assert point.high is not None
    assert f"{100 * point.low:.0f}-{100 * point.high:.0f}" in printed(run(), 100)


def test_what_is_owed_and_what_failed_is_said() -> None:
    text = printed(run(drawn=12, failures=3), 160)
    assert "65 samples and 0 verdicts owed, in no rate" in text
    assert "3 failures of the system, in no rate" in text
    assert "pass@16 on 0 of 16 issues; the others have fewer verdicts" in text
    assert "On 15 issues, k up to 12: " in text


def test_a_whole_run_carries_no_reservations() -> None:
    text = printed(run(), 160)
    assert "*" not in text
    assert "in no rate" not in text
    assert "k up to" not in text


@pytest.mark.parametrize("form", [markdown, lambda summary: printed(summary, 160)])
def test_what_is_solved_is_told_with_and_without_flaky_issues(
    form: Callable[[Summary], str],
) -> None:
    # The small model solves t0 only, the large one both.
    text = form(run(issues=2, samples=2, drawn=2, flaky=["t1"]))
    assert "The same without 1 issue known to be flaky (t1):" in text
    before, after = text.split("The same without")
    assert [before.count(solved) for solved in ("1/2", "2/2")] == [1, 1]
    assert after.count("1/1") == 2
    # One of the two samples that the small model has of t0 solves it.
    shares = r"Qwen2.5-Coder-.*? 25%.*? 50%", r"Qwen2.5-Coder-.*? 50%.*? 100%"
    assert all(re.search(share, part) for share, part in zip(shares, (before, after), strict=True))


def test_many_flaky_issues_are_counted_and_some_named() -> None:
    text = " ".join(printed(run(flaky=[f"t{i}" for i in range(8)]), 100).split())
    assert "without 8 issues known to be flaky (t0, t1, t2, t3, t4 and 3 more):" in text


def test_where_none_is_flaky_nothing_is_said_of_it() -> None:
    summary = run(flaky=["of another run"])
    for text in (printed(summary, 100), markdown(summary)):
        assert "flaky" not in text
    told = json.loads(as_json(summary))
    assert (told["flaky"], told["arms"][0]["without_flaky"]) == ([], None)


@pytest.mark.parametrize("form", [markdown, lambda summary: printed(summary, 160)])
def test_an_unknown_price_is_unknown_and_never_a_number(
    form: Callable[[Summary], str],
) -> None:
    text = form(run(cost=None))
    assert "$" not in text
    assert "unknown" in text
    assert "cannot be said" in text


def test_a_model_that_solved_nothing_has_no_cost_per_solve() -> None:
    text = markdown(run(models=[SMALL], samples=1, drawn=1))
    assert re.search(r"\| 0/16 \| 0 \| \$0\.0067 \| - \|", text)


def test_a_run_of_one_issue_prints() -> None:
    assert "Coverage (pass@k) of 1 issue, 1 sample each" in printed(
        run(models=[SMALL], issues=1, samples=1, drawn=1), 80
    )


def test_a_run_of_nothing_prints() -> None:
    empty = summarise(table_of([], tasks=[], arms=[]), samples=0, price_notes={}, failures={})
    assert "0 issues" in printed(empty, 80)
    assert "0 issues" in markdown(empty)


def test_a_name_that_looks_like_markup_stays_text() -> None:
    summary = run(models=["[red]a", "[b]|c"])
    assert "[red]a" in printed(summary, 160)
    assert "| [b]\\|c |" in markdown(summary)


def test_markdown_holds_the_whole_ladder_in_even_tables() -> None:
    text = markdown(run(samples=250, drawn=250))
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
        assert len(table) == 4
    assert re.findall(r"pass @(\d+)", text) == ["1", "2", "4", "8", "16", "32", "64", "128", "250"]
    assert f"- Qwen2.5-Coder-0.5B-Instruct: price {LOCAL}" in text


def test_tokens_are_short_and_say_what_was_cached() -> None:
    assert "| 410k (75%) / 77k |" in markdown(run())
    assert "| 6.4k (75%) / 1.2k |" in markdown(run(issues=2, samples=2, drawn=2))


def test_json_is_the_whole_summary() -> None:
    summary = run()
    assert json.loads(as_json(summary)) == to_json(summary)


def reported(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_one_run_is_printed_as_it_is_and_several_are_compared(tmp_path: Path) -> None:
    a, b = record(tmp_path / "a", models=[SMALL]), record(tmp_path / "b", models=[LARGE])
    alone = reported(a).output
    assert "against" not in alone
    both = " ".join(reported(a, b).output.split())
    assert f"a: {SMALL.rpartition('/')[2]} against b: {LARGE.rpartition('/')[2]} at k=1" in both
    assert "(sign flips, Holm)" in both
    text = reported(a, b, "--markdown").output
    assert "- a: Qwen2.5-Coder-0.5B-Instruct against b: " in text


def test_of_an_adaptive_run_it_is_said_that_its_coverage_is_no_fair_estimate(
    tmp_path: Path,
) -> None:
    uniform, page = record(tmp_path / "uniform"), tmp_path / "r.html"
    adaptive = record(tmp_path / "adaptive", allocate="adaptive")
    said = "so pass@k, and owed samples, say little of this run"
    assert said not in " ".join(reported(uniform).output.split())
    assert said in " ".join(reported(adaptive, "--html", page).output.split())
    assert said in page.read_text(encoding="utf-8")
    assert f"- {ADAPTIVE}" in reported(adaptive, "--markdown").output


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
    assert {file.name for file in figures.iterdir()} == {
        f"{name}.svg"
        for name in ("coverage", "cost-per-solve", "frontier", "selection", "issues", "outcomes")
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
