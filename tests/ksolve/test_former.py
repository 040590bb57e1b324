"""`--prior-from`: what is used of former runs is said, and what cannot be used is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ksolve.cli import app
from ksolve.errors import BAD_INPUT, InputError
from ksolve.former import former_of_runs, told_of_former
from tests.ksolve.recorded import LARGE, SMALL, record

OTHER = ("openai:other", "oneshot")


def test_what_is_used_is_said_of_every_solver(tmp_path: Path) -> None:
    folders = [record(tmp_path / name, models=[SMALL], issues=3) for name in "ab"]
    arms = [(SMALL, "oneshot"), OTHER]
    former = former_of_runs(folders, arms)
    assert former.counts.n.tolist() == [[4, 0]] * 6
    said = told_of_former(former, arms)
    assert "24 verdicts on oneshot by openai:small" in said
    assert "0 verdicts on oneshot by openai:other" in said
    assert "6 issues" in said


def test_runs_of_other_solvers_alone_are_refused(tmp_path: Path) -> None:
    folder = record(tmp_path / "a", models=[SMALL, LARGE], strategies=["loop"])
    with pytest.raises(InputError, match="loop by openai:small and loop by openai:large"):
        former_of_runs([folder], [(SMALL, "oneshot")])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "--allocate adaptive"),
        (["--allocate", "adaptive", "--out", "{a}"], "this run itself"),
        (["--allocate", "adaptive"], "no verdict"),
    ],
)
def test_a_former_run_that_means_nothing_here_is_bad_input(
    tmp_path: Path, more: list[str], said: str
) -> None:
    folder = record(tmp_path / "a")
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"answers": ["x"]}\n')
    words = ["run", "--tasks", "starter", "--model", f"scripted:{answers}"]
    words += ["--out", str(tmp_path / "run"), "--prior-from", str(folder)]
    done = CliRunner().invoke(app, [*words, *(word.format(a=folder) for word in more)])
    assert done.exit_code == BAD_INPUT
    assert said in " ".join(done.output.split())
