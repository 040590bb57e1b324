"""What is printed: a terminal is never steered, data is kept byte by byte, readers may go away."""

from __future__ import annotations

import ast
import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

import ksolve
from ksolve.screen import Screen, harmless
from ksolve.session import counting
from tests.ksolve.recorded import record

# A title, a cleared screen, a link, a question, 8-bit forms, direction, half a character.
EVIL = (
    "\x1b]0;owned\x07\x1b[2J\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b[6n\x9b2J\x9d0;t\x9c"
    "\x1bc\x1bP+q\x1b\\\x08\x0d\x7f\u202eexe.gnp\u2066\ud800\x00[bold red]not markup[/] :smile:"
)
STEERS = [chr(code) for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0))] + ["\u202e"]
KSOLVE = [sys.executable, "-m", "ksolve.cli"]


@given(st.text(st.characters() | st.sampled_from("\x1b[]0;mJ\x07\x9b\r\n\t"), max_size=60))
def test_nothing_of_a_harmless_text_steers_a_terminal(text: str) -> None:
    shown = harmless(text)
    shown.encode()
    assert not set(shown) & set(STEERS)
    assert harmless(shown) == shown
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        assert shown == text


def drawn(*what: object) -> str:
    """What a coloured terminal of 300 columns is sent."""
    out = io.StringIO()
    console_on(out).print(*what)
    return out.getvalue()


def console_on(out: io.StringIO) -> Screen:
    return Screen(
        file=out, force_terminal=True, width=300, markup=False, emoji=False, highlight=False
    )


def test_a_console_sends_its_own_styles_and_no_other() -> None:
    table = Table(box=None)
    table.add_column(EVIL)
    table.add_row(Text(EVIL, style="red"))
    for shown in (drawn(EVIL), drawn(Text(EVIL, style="red")), drawn(table)):
        assert steering(shown) == set()
        assert "[bold red]not" in shown
    assert "[bold red]not markup[/] :smile:" in drawn(EVIL)


def test_a_bar_that_moves_does_not_move_by_what_it_says() -> None:
    out = io.StringIO()
    with counting("images", console_on(out)) as bar:
        bar.add_task(f"a\r{EVIL}", total=2)
    shown = out.getvalue()
    assert "\x1b[2K" in shown
    assert "owned" in shown
    for one in ("\x1b]", "\x1b[2J", "\x1bP", "\x1bc", "\x9b", "\x07", "a\r"):
        assert one not in shown


def test_nothing_prints_but_by_the_screen() -> None:
    """One place cleans what is printed, so nothing may go around it."""
    others = []
    for file in Path(ksolve.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in {"print", "Console", "typer.echo", "typer.secho", "sys.stdout.write"}:
                others.append(f"{file.name}: {name}")
    assert [one for one in others if not one.startswith("screen.py")] == []


def on_a_terminal(*command: str, cwd: Path, stdin: str = "") -> bytes:
    """What a command sends to a terminal that is both its standard output and error."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, cwd=cwd, env=environment
    ) as process:
        os.close(theirs)
        assert process.stdin
        process.stdin.write(stdin.encode("utf-8", "surrogatepass"))
        process.stdin.close()
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
    os.close(ours)
    return seen


def steering(shown: str) -> set[str]:
    """All that steers in what a terminal was sent, but for colours and the ends of lines."""
    return set(re.sub("\x1b\\[[0-9;]*m", "", shown.replace("\r\n", "\n"))) & set(STEERS)


PUTTING = "import sys; from ksolve.screen import open_streams, put; open_streams(); "


def test_data_is_exact_in_a_pipe_and_harmless_on_a_terminal(tmp_path: Path) -> None:
    """`typer.echo` took the colours out of a patch that went into a pipe."""
    patch = "+\x1b[31mred\x1b[0m\x1b]0;t\x07\r\n+\udcff\u00e9\u202e\n"
    code = PUTTING + f"put({patch!a}, end='')"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert piped.stdout == patch.encode("utf-8", "surrogateescape")
    assert piped.stderr == b""
    shown = on_a_terminal(sys.executable, "-c", code, cwd=tmp_path)
    assert b"red" in shown
    assert b"\x1b" not in shown


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError(EVIL)",
        "import warnings; warnings.warn(EVIL)",
        "import logging; logging.getLogger('x').error(EVIL)",
        "sys.stdout.write(EVIL)",
        "import typer; typer.echo(EVIL, err=True)",
        "from ksolve.errors import complain; complain(ValueError(EVIL))",
    ],
)
def test_what_others_print_does_not_steer_a_terminal_either(code: str, tmp_path: Path) -> None:
    """A traceback, a warning, a library's log: each can repeat what a test or a model said."""
    program = f"{PUTTING}EVIL = {EVIL!a}; {code}"
    shown = on_a_terminal(sys.executable, "-c", program, cwd=tmp_path)
    assert b"not markup" in shown
    assert steering(shown.decode()) == set()


def test_commands_show_hostile_runs_without_being_steered(tmp_path: Path) -> None:
    record(tmp_path / "run", issues=["a__b-1"], patch=f"+{EVIL}\n", failures=[EVIL])
    commands: Sequence[Sequence[str]] = [
        ["show", "run", "a__b-1/0", "--model", "openai:small"],
        ["show", "run", f"no{EVIL.replace(chr(0), '').encode(errors='replace').decode()}"],
        ["report", "run"],
        ["report", "run", "--markdown"],
        ["tasks", "list", "no\x1b]0;owned\x07such"],
        ["report", "--no\x1b]0;owned\x07such"],
    ]
    for command in commands:
        shown = on_a_terminal(*KSOLVE, *command, cwd=tmp_path)
        assert shown
        assert steering(shown.decode()) == set(), command


@pytest.mark.parametrize("command", ["report run --html page.html", "report run --csv --svg out"])
def test_where_a_reader_goes_away_the_files_are_written_in_silence(
    command: str, tmp_path: Path
) -> None:
    record(tmp_path / "run", issues=3)
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*KSOLVE, *command.split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        check=False,
    )
    os.close(writing)
    assert ended.returncode == 0
    # Where the other files are is still said.
    assert b"Error" not in ended.stderr
    assert b"Traceback" not in ended.stderr
    written = tmp_path / command.rsplit(maxsplit=1)[-1]
    assert (
        written.read_text().rstrip().endswith("</html>")
        if written.is_file()
        else any(written.iterdir())
    )


@pytest.mark.parametrize("command", ["tasks list starter", "show run t0/0", "models", "--help"])
def test_every_command_is_quiet_where_nobody_reads_on(command: str, tmp_path: Path) -> None:
    record(tmp_path / "run", issues=2, models=["openai:small"])
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*KSOLVE, *command.split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")
