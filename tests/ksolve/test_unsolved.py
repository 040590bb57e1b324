"""Why nothing passes: each reason with its number, and a command that shows one of its samples."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.backend import Usage
from agent.strategy import Proposal, ProposalStop
from agent.trajectory import turns_of
from eval.sample import Sample, SampleKey
from eval.store import Store
from eval.verdict import Verdict
from ksolve.cli import app
from ksolve.unsolved import SHOWN, failing_tests, last_words, reasons, sentences

PYTEST = "FAILED tests/test_a.py::test_b - assert 1\nFAILED tests/test_a.py::test_c[x y]\n1 failed"


def add(
    store: Store,
    index: int,
    verdict: Verdict | None,
    *,
    stop: ProposalStop = "patch",
    note: str = "",
    model: str = "m",
) -> None:
    key = SampleKey(task_id="local__x", model=model, strategy="oneshot", index=index)
    proposal = Proposal(
        patch="--- a/x\n" if stop == "patch" else "",
        stop=stop,
        note=note,
        usage=Usage(calls=1),
        seconds=1.0,
        prompt_digest="0",
        trajectory=turns_of(()),
    )
    store.add_sample(
        Sample(key=key, proposal=proposal, strategy_version="1", seed=0, temperature=0.8, cost=0.1)
    )
    if verdict is not None:
        store.add_verdict(key, f"{model}-{index}", verdict)


def unresolved(log: str, exit_code: int = 1) -> Verdict:
    return Verdict(outcome="unresolved", exit_code=exit_code, log=log)


def test_equal_reasons_are_told_once_the_most_frequent_first(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        store.begin({"task_ids": ["local__x"], "arms": [["m", "oneshot"]]})
        none = Verdict(outcome="no_patch")
        add(store, 0, none, stop="unusable", note="No file a.py.")
        for index in (1, 2, 3):
            add(store, index, unresolved(PYTEST))
        add(store, 4, Verdict(outcome="not_applied", note="The patch does not fit the files."))
        add(store, 5, Verdict(outcome="tampered", note="the candidate changed conftest.py"))
        add(store, 6, Verdict(outcome="timeout", note="stopped after 600 s"))
        add(store, 7, unresolved("+ make\nmake: *** [Makefile:3: test] Error 1\n>>>>> End", 2))
        add(store, 8, None)
        found = reasons(store, store.folder, {"tests/test_a.py::test_b"})
    assert [(one.samples, one.why) for one in found] == [
        (3, "still fails: tests/test_a.py::test_b; breaks: tests/test_a.py::test_c[x y]"),
        (1, "no patch: the model's edit cannot be used (No file a.py)"),
        (1, "the patch does not apply: The patch does not fit the files"),
        (1, "refused: the candidate changed conftest.py"),
        (1, "the tests were stopped after 600 s"),
        (1, "the test command ends with: make: *** [Makefile:3: test] Error 1"),
        (1, "no verdict yet: the same command goes on"),
    ]
    lines = sentences(found)
    assert len(lines) == SHOWN + 1
    assert lines[-1] == "  2x for other reasons"


@pytest.mark.parametrize("models", [["m"], ["m", "n"]])
def test_each_command_shows_its_sample(tmp_path: Path, models: list[str]) -> None:
    folder = tmp_path / "a run"
    with Store(folder) as store:
        store.begin({"task_ids": ["local__x"], "arms": [[name, "oneshot"] for name in models]})
        for name in models:
            add(store, 0, Verdict(outcome="no_patch"), stop="length", model=name)
            add(store, 1, unresolved(PYTEST), model=name)
        found = reasons(store, folder, ())
    assert {one.samples for one in found} == {len(models)}
    for one in found:
        program, *words = shlex.split(one.command)
        shown = CliRunner().invoke(app, words)
        assert (program, shown.exit_code) == ("ksolve", 0), shown.output
        assert re.search(r"local__x/\d", one.command)


@pytest.mark.parametrize(
    ("log", "tests"),
    [
        (PYTEST, ["tests/test_a.py::test_b", "tests/test_a.py::test_c[x y]"]),
        ("ERROR tests/test_a.py::test_b - OSError", ["tests/test_a.py::test_b"]),
        ("FAIL: test_b (t.T.test_b)\nERROR: test_c (t.T)", ["test_b (t.T.test_b)", "test_c (t.T)"]),
        ("    --- FAIL: TestB/sub (0.00s)", ["TestB/sub"]),
        ("test tests::b ... FAILED", ["tests::b"]),
        ("ok 1 - a\nnot ok 2 - weighs", ["weighs"]),
        ("  \u25cf anvil \u203a weighs\n", ["anvil \u203a weighs"]),
        ("PASSED tests/test_a.py::test_b\nFAILED (failures=1)\nERROR: no such file", []),
    ],
)
def test_failing_tests_are_found_in_the_logs_of_many_runners(log: str, tests: list[str]) -> None:
    assert failing_tests(log) == tests


def test_the_last_words_are_the_tests_own_and_not_too_many() -> None:
    assert last_words("boom\n+ : '>>>>> End'\n>>>>> End Test Output\n") == "boom"
    assert last_words("+ true\n") == "(no output)"
    assert len(last_words("x" * 10_000)) < 200
