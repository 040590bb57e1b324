"""What `--help` says, of the whole, of groups and of every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ksolve.cli import app


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
