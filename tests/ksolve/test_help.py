"""What `--help` says, of the whole, of groups and of every command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from ksolve.cli import app
from ksolve.sweep_options import OF_A_SESSION


def commands(of: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, command in getattr(of, "commands", {}).items():
        yield from commands(command, (*words, name))


COMMANDS = sorted(commands(get_command(app)))


def test_all_commands_are_asked_for_their_help() -> None:
    assert len(COMMANDS) > 15
    assert ("tasks", "list") in COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(["ksolve", *words]))
def test_every_help_has_an_example_of_its_own(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    said = done.stdout.partition("Example")[2].partition("Options")[0]
    assert " ".join(["ksolve", *words]) in said


def helps(of: Any) -> Iterator[str]:
    """All texts of a command, its options and the commands below it."""
    yield of.help or ""
    for option in of.params:
        yield getattr(option, "help", None) or ""
    for command in getattr(of, "commands", {}).values():
        yield from helps(command)


def test_no_help_loses_its_brackets() -> None:
    for text in helps(get_command(app)):
        bare = re.sub(r"\[/?bold\]", "", text)
        assert Text.from_markup(bare).plain == bare.replace("\\[", "[")


def test_the_help_of_run_says_what_stands_in_no_file() -> None:
    said = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "1000"}).stdout
    (line,) = (line for line in said.splitlines() if "--config " in line)
    assert "and [[solvers]] for mixtures" in line
    for name in OF_A_SESSION:
        assert f"--{name.replace('_', '-')}" in line
