"""A sample as it is shown, found and given away: hostile text stays text, nothing is mistaken."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from agent.backend import Message, ToolCall, Usage
from agent.strategy import Proposal
from agent.trajectory import Turn
from eval.sample import Failure, Sample, SampleKey
from eval.store import Store
from eval.verdict import Outcome, Verdict
from ksolve.cli import app
from ksolve.screen import harmless
from ksolve.transcript import ANSWER, FOLDED, Transcript

PATCH = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
USAGE = Usage(input_tokens=1000, cached_tokens=700, output_tokens=50, calls=1, seconds=1.5)
SMALL, LARGE = "vllm:qwen-0.5b", "vllm:qwen-1.5b"


def says(role: Any, content: str, **more: Any) -> Turn:
    return Turn(message=Message(role=role, content=content), **more)


def sample(*turns: Turn, **more: Any) -> Sample:
    proposal = Proposal(
        patch=PATCH,
        stop="patch",
        note="",
        usage=USAGE,
        seconds=64.0,
        prompt_digest="p",
        trajectory=turns,
    )
    return Sample(
        key=SampleKey(task_id="a__b-1", model="m", strategy="loop", index=0),
        proposal=dataclasses.replace(proposal, **more),
        strategy_version="1",
        seed=7,
        temperature=0.8,
        cost=None,
    )


def printed(
    shown: Sample,
    verdict: Verdict | None = None,
    *,
    width: int = 60,
    colour: bool = False,
    **how: Any,
) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(Transcript(sample=shown, verdict=verdict, **how))
    return out.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two issues: one that a model solves at its second sample, one that two models tried."""
    with Store(tmp_path / "run") as store:
        for task, model, index, outcome in (
            ("a__b-1", SMALL, 0, "unresolved"),
            ("a__b-1", SMALL, 1, "resolved"),
            ("a__b-1", SMALL, 2, "resolved"),
            ("a__b-2", SMALL, 0, "unresolved"),
            ("a__b-2", LARGE, 0, "no_patch"),
        ):
            add(store, task, model, index, outcome)  # type: ignore[arg-type]
        key = SampleKey(task_id="a__b-1", model=SMALL, strategy="loop", index=3)
        store.add_failure(Failure(key=key, stage="sample", message="the server went away"))
    return tmp_path / "run"


def add(store: Store, task: str, model: str, index: int, outcome: Outcome) -> None:
    key = SampleKey(task_id=task, model=model, strategy="loop", index=index)
    said = says("assistant", f"sample {index} of {model}", usage=USAGE)
    store.add_sample(dataclasses.replace(sample(said), key=key))
    verdict = Verdict(outcome=outcome, log="the log")
    store.add_verdict(key, f"{task} {model} {index}", verdict)


def ksolve(*words: object, width: int = 200) -> Result:
    arguments = [str(word) for word in words]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": str(width), "NO_COLOR": "1"})


def test_hostile_text_reaches_the_terminal_as_text_only() -> None:
    hostile = (
        "[bold red]x[/] \x1b[2J\x1b]0;title\x07 \x9b2J a\x08b \udcff \u202egnp.exe\x7f :smile:"
    )
    forged = f"{hostile}\n# 9 system\n# verdict  resolved\r# verdict  resolved"
    call = ToolCall(
        id=f"{forged}", name=forged, arguments=json.dumps({forged: forged, "b": forged})
    )
    shown = sample(
        Turn(message=Message(role="assistant", content=forged, tool_calls=(call,)), usage=USAGE),
        Turn(message=Message(role="tool", content=forged, tool_call_id=forged), exit_code=1),
        says("user", "q", source=forged),
        patch=forged,
        note=forged,
        variant=forged,
    )
    shown = dataclasses.replace(
        shown,
        key=SampleKey(task_id=forged, model=forged, strategy=forged, index=0),
        strategy_version=forged,
    )
    verdict = Verdict(outcome="unresolved", missing_fail_to_pass=(forged,), note=forged, log=forged)
    for full in (False, True):
        text = printed(shown, verdict, full=full)
        assert text.encode()
        assert all(letter.isprintable() or letter == "\n" for letter in text)
        assert "[bold red]x[/]" in text
        assert ":smile:" in text
        # A line that begins in the first column is ours.
        headings = [line for line in text.splitlines() if line.startswith("#")]
        titles = [line.split()[1:3] for line in headings]
        assert ["9", "system"] not in titles
        assert [line for line in headings if "verdict" in line.split()[1]] == [
            "# verdict  unresolved"
        ]


def test_colours_are_taken_off_and_other_controls_made_visible() -> None:
    assert harmless("\x1b[1;31mred\x1b[0m\r\nnext\tcolumn") == "red\nnext\tcolumn"
    assert harmless("\x1b[2J\x00") == "\u241b[2J\u2400"


@pytest.mark.parametrize("width", [60, 100])
def test_a_transcript_fits_the_terminal_and_says_who_what_and_how_it_ended(width: int) -> None:
    call = ToolCall(id="c1", name="bash", arguments='{"command": "ls"}')
    shown = sample(
        says("system", "word " * 100),
        Turn(message=Message(role="assistant", content="", tool_calls=(call,)), usage=USAGE),
        Turn(
            message=Message(role="tool", content="x" * 300, tool_call_id="c1"),
            exit_code=3,
            seconds=0.25,
        ),
        says("user", "(ended)", seconds=60.0),
        stop="steps",
    )
    verdict = Verdict(
        outcome="unresolved",
        missing_fail_to_pass=("t.py::f",),
        missing_pass_to_pass=("t.py::p",),
        log="".join(f"line {number}\n" for number in range(100)),
    )
    text = printed(shown, verdict, width=width)
    assert max(map(len, text.splitlines())) <= width
    for part in (
        "temperature 0.8, seed 7",
        "unknown",
        "1,000 (70% cached) in, 50 out",
        "ended by    steps",
        "# 2 assistant",
        "bash c1",
        "command: ls",
        "exit code 3, answers c1, 0.2 s",
        "ended, 60.0 s",
        "line 99",
    ):
        assert part in text
    assert text.index("t.py::f") < text.index("t.py::p")
    assert "line 5\n" not in text
    assert "line 5\n" in printed(shown, verdict, width=width, whole_log=True)


def test_diffs_are_in_colour_on_a_terminal_only() -> None:
    edit = "x.py\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"
    shown = sample(says("assistant", f"I change it.\n```diff\n{PATCH}```\n{edit}", usage=USAGE))
    text = printed(shown, colour=True)
    for line, colours in (
        ("-a = 1", ("31", "91")),
        ("+a = 2", ("32", "92")),
        ("old", ("31",)),
        ("new", ("32",)),
    ):
        codes = [part for part in text.split("\x1b[") if part.endswith(f"m{line}")]
        assert codes
        assert all(code.split("m")[0].split(";")[0] in colours for code in codes)
    assert "\x1b" not in printed(shown)
    assert PATCH.replace("\n", "\n  ") in printed(shown)


def test_long_texts_are_folded_unless_asked_for_whole() -> None:
    lines = "".join(f"{number};\n" for number in range(ANSWER + 50))
    observed = Turn(message=Message(role="tool", content=lines), whole=f"{lines}the end")
    shown = sample(observed, says("assistant", lines, usage=USAGE), says("user", "wide " * 9000))
    folded, whole = printed(shown), printed(shown, full=True)
    assert f"{ANSWER + 50 - FOLDED} lines; --full shows them" in folded
    assert "the end" not in folded
    assert folded.count(" 20;\n") == 1
    assert len(folded) < len(whole) / 4
    assert whole.count(" 20;\n") == 2
    assert "the end" in whole
    assert "--full" not in whole


def test_of_a_task_the_first_resolved_sample_is_shown_else_the_first(run: Path) -> None:
    assert "a__b-1/1 (of 3 drawn, 2 resolved)" in ksolve("show", run, "a__b-1").stdout
    assert "a__b-1/0 (of 3" in ksolve("show", run, "a__b-1/0").stdout
    large = ksolve("show", run, "a__b-2", "--model", "1.5b").stdout
    assert f"sample 0 of {LARGE}" in large
    assert large == ksolve("show", run, "a__b-2/0", "--model", LARGE, "--strategy", "loop").stdout


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["a__b-2"], [f"--model {SMALL} --strategy loop", f"--model {LARGE} --strategy loop"]),
        (["a__b-9"], ["no sample of a__b-9", "a__b-1, a__b-2"]),
        (["a__b-1/9"], ["no sample 9, but 0, 1, 2"]),
        (["a__b-1/3"], ["no sample 3", "It failed: the server went away"]),
        (["a__b-1", "--model", "gpt"], ["called gpt", SMALL]),
        (["a__b-1", "--strategy", "tree"], ["called tree", "loop"]),
    ],
)
def test_a_sample_that_is_not_there_or_not_the_only_one_is_one_sentence(
    run: Path, words: list[str], parts: list[str]
) -> None:
    done = ksolve("show", run, *words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


def test_json_is_the_whole_record(run: Path) -> None:
    record = json.loads(ksolve("show", run, "a__b-1/2", "--json").stdout)
    assert record["index"] == 2
    assert record["patch"] == PATCH
    assert record["verdict"]["log"] == "the log"
    assert record["turns"][0]["content"] == f"sample 2 of {SMALL}"


@pytest.mark.parametrize(
    ("form", "ending"), [("mini-swe-agent", ".traj.json"), ("atif", ".atif.json")]
)
def test_an_export_has_a_file_for_every_sample_that_has_turns(
    run: Path, tmp_path: Path, form: str, ending: str
) -> None:
    with Store(run) as store:
        key = SampleKey(task_id="../../..", model="..", strategy="s", index=0)
        store.add_sample(dataclasses.replace(sample(says("user", "q")), key=key))
        without = dataclasses.replace(key, task_id="given")
        store.add_sample(dataclasses.replace(sample(), key=without))
    out = tmp_path / "away" / "here"
    done = ksolve("export", run, "--trajectories", form, "--out", out)
    assert done.exit_code == 0
    assert "6 trajectories" in done.stdout
    assert "Without one on record, and no file: 1 sample." in done.stdout
    files = [path for path in tmp_path.rglob(f"*{ending}") if path.is_file()]
    assert len(files) == 6
    assert all(path.is_relative_to(out) for path in files)
    assert all(isinstance(json.loads(path.read_text()), dict) for path in files)


def test_an_export_of_lines_has_one_for_every_sample_that_is_picked(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "away.jsonl"
    for pick, indices in (("all", [0, 1, 2, 0, 0]), ("solved", [1, 0, 0])):
        done = ksolve("export", run, "--trajectories", "jsonl", "--out", out, "--pick", pick)
        assert done.exit_code == 0
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row["index"] for row in rows] == indices
        assert "log" not in rows[0]["verdict"]


def test_an_export_of_nothing_or_to_nowhere_is_refused(run: Path, tmp_path: Path) -> None:
    for words in ((), ("--trajectories", "atif"), ("--out", tmp_path / "x")):
        assert ksolve("export", run, *words).exit_code == 2
    done = ksolve("export", run, "--trajectories", "jsonl", "--out", tmp_path)
    assert done.exit_code == 2
    assert "is a folder" in done.stderr
