"""`ksolve models` answers while somebody waits for it, and says what it does by then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.scripted import script_from_file
from ksolve.cli import app
from ksolve.errors import one_sentence_errors
from tests.agent.loopback import Endpoint, Reply, error


def test_an_endpoint_in_trouble_is_asked_a_few_times_and_no_more() -> None:
    with Endpoint(otherwise=Reply(status=500, body=error("no"))) as server:
        done = CliRunner().invoke(app, ["models", f"{server.url}#m"])
    assert done.exit_code == 3
    assert 2 <= len(server.completions) <= 4
    asked, _, failed = done.stderr.partition("\n")
    assert asked.startswith(f"Asking {server.url}#m")
    assert "answered 500: no in" in failed


def test_the_list_of_forms_has_a_line_of_answers_that_can_be_read(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["models"], env={"COLUMNS": "60"}).stdout
    line = next(line for line in listed.splitlines() if line.startswith("A line of answers"))
    (tmp_path / "a.jsonl").write_text(line.partition(": ")[2], encoding="utf-8")
    script_from_file(tmp_path / "a.jsonl")


def test_a_question_that_is_interrupted_kept_nothing_to_go_on_from() -> None:
    with Endpoint(otherwise=Reply(delay=60.0)) as server:
        words = [sys.executable, "-m", "ksolve.cli", "models", f"{server.url}#m"]
        process = subprocess.Popen(words, env=os.environ, stderr=subprocess.PIPE, text=True)
        assert server.got_one.wait(60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("error: Interrupted.\n")


@pytest.mark.parametrize("goes_on", [True, False])
def test_only_what_goes_on_from_there_says_so(
    capsys: pytest.CaptureFixture[str], *, goes_on: bool
) -> None:
    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        one_sentence_errors(command, goes_on=goes_on)()
    assert ended.value.exit_code == 130
    assert ("the same command goes on" in capsys.readouterr().err) is goes_on
