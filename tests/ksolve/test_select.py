"""`ksolve select` picks a patch an issue without the verdicts, or says what picking so is worth."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from agent.backend import Message, Usage
from agent.editing.diff import git_diff
from agent.reproduction import FIXED, NOT_FIXED
from agent.strategy import Proposal
from agent.trajectory import Turn
from agent.workspace import Observation
from eval.predictions import read_predictions
from eval.sample import Sample, SampleKey
from eval.selection.kept import FILE, Kept, words_of
from eval.selection.pool import last_script, read_pool
from eval.selection.scripts import LIMITS
from eval.store import Store, open_run
from eval.verdict import Verdict, verdict_key
from ksolve.cli import app
from ksolve.commands.select import _tasks
from tasks.load import lasting_source, load_tasks, tasks_digest
from tasks.task import Task
from tests.ksolve.recorded import LARGE, record

MODEL = "vllm:small"
ANSWERS = {
    "a__b-1": ["+ 1", "* 2  # twice", "*2", "", "- 1"],
    "a__b-2": ["", "- 1", "+ 1", "", "/ 2"],
    "a__b-3": ["", "", "", "", ""],
}
RIGHT = {"a__b-1": (1, 2), "a__b-2": (2,)}
PENDING = ("a__b-2", 4)


def row(task_id: str) -> dict[str, object]:
    return {
        "instance_id": task_id,
        "image": "none/such:1",
        "repo": "a/b",
        "version": "1",
        "base_commit": "c",
        "problem_statement": "it breaks",
        "test_patch": "",
        "patch": "",
        "FAIL_TO_PASS": ["t.py::f"],
        "PASS_TO_PASS": [],
        "log_parser": "parse_log_pytest",
        "eval_type": "pass_and_fail",
        "eval_script": ": '>>>>> Start Test Output'\npytest\n: '>>>>> End Test Output'\n",
    }


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(f"{json.dumps(row(task_id))}\n" for task_id in [*ANSWERS, "a__b-4"]))
    return load_tasks(str(path))


@pytest.fixture
def run(tmp_path: Path, tasks: list[Task]) -> Path:
    """Three issues with five samples each, one of them without a verdict, and one without any."""
    with Store(tmp_path / "run") as store:
        config = {
            "tasks": str(tmp_path / "tasks.jsonl"),
            "tasks_digest": tasks_digest(tasks),
            "task_ids": [task.id for task in tasks],
            "arms": [[MODEL, "monkeys"]],
            "samples": [5],
            "prices": {},
        }
        store.begin(config)
        for task in tasks:
            for index, answer in enumerate(ANSWERS.get(task.id, [])):
                add(store, task, index, answer)
    return tmp_path / "run"


def add(
    store: Store, task: Task, index: int, answer: str, trajectory: tuple[Turn, ...] = ()
) -> None:
    code = "def f(x):\n    return x\n"
    patch = git_diff("x.py", code, code.replace("return x", f"return x {answer}")) if answer else ""
    key = SampleKey(task_id=task.id, model=MODEL, strategy="monkeys", index=index)
    proposal = Proposal(
        patch=patch,
        stop="patch" if patch else "empty",
        note="",
        usage=Usage(calls=1),
        seconds=1.0,
        prompt_digest="p",
        trajectory=trajectory,
    )
    store.add_sample(
        Sample(
            key=key,
            proposal=proposal,
            strategy_version="1",
            seed=index,
            temperature=0.8,
            cost=None,
        )
    )
    if (task.id, index) == PENDING:
        return
    resolved = index in RIGHT.get(task.id, ())
    outcome = "resolved" if resolved else "unresolved" if patch else "no_patch"
    verdict = Verdict(outcome=outcome)  # type: ignore[arg-type]
    store.add_verdict(key, verdict_key(f"sha256:{task.id}", patch, task.oracle), verdict)


def ksolve(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["select", *map(str, words)])


def test_the_majority_is_written_as_predictions(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "preds.jsonl"
    done = ksolve(run, "--out", out)
    assert done.exit_code == 0, done.output
    assert "3 predictions written to" in done.stderr
    assert "1 of them without a patch" in done.stderr
    assert "1 issue without a sample" in done.stderr
    first, second, third = read_predictions(out)
    assert "return x * 2  # twice" in first.patch
    assert {first.model, second.model, third.model} == {"ksolve-majority"}
    # All are tied: the first that holds a patch.
    assert "return x - 1" in second.patch
    assert third.patch == ""


def test_what_is_chosen_does_not_follow_from_the_verdicts(run: Path, tmp_path: Path) -> None:
    before = ksolve(run, "--json").stdout
    with open_run(run) as store:
        table = store.table()
        pool = read_pool(store, table)
    assert not any(
        "verdict" in field.name or "resolved" in field.name or "outcome" in field.name
        for one in (pool.issues[0], pool.issues[0].candidates[0])
        for field in dataclasses.fields(one)
    )
    with sqlite3.connect(run / "run.db") as database:
        database.execute("UPDATE verdicts SET outcome = 'unresolved'")
    assert ksolve(run, "--json").stdout == before


def test_what_the_columns_of_the_choices_are_is_said_below_them(run: Path) -> None:
    *_, legend, left_out = ksolve(run).stdout.splitlines()
    assert all(f"{name}: " in legend for name in ("of", "agree", "tied"))
    assert left_out.startswith("1 issue without")
    assert "agree:" not in ksolve(run, "--json").stdout


def test_a_comparison_lies_between_floor_and_ceiling(run: Path) -> None:
    done = ksolve(run, "--compare")
    assert done.exit_code == 0, done.output
    table = done.stdout.partition("random choice")
    words = [word for word in table[2].split() if word.isalpha() and word != "to"]
    assert words[:4] == ["any", "first", "majority", "oracle"]
    assert "Left out: 1 sample whose verdict is pending, 1 issue without any." in done.stdout

    plain = json.loads(ksolve(run, "--compare", "--json").stdout)
    assert plain["pending"] == plain["left_out"] == 1
    assert plain["random"]["share"] == pytest.approx((2 / 5 + 1 / 4 + 0) / 3)
    assert plain["oracle"]["share"] == pytest.approx(2 / 3)
    solved = {result["method"]: result["solved"]["share"] for result in plain["results"]}
    assert solved == pytest.approx(
        {"any": (2 / 4 + 1 / 2) / 3, "first": 0.0, "majority": (1 + 1 / 2) / 3}
    )
    assert all(result["effort"]["cost"] == 0 for result in plain["results"])


def test_a_judge_is_asked_and_paid(run: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    rows = [{"match": "+    return x + 1\n", "answers": ["SCORE: 9"]}, {"answers": ["SCORE: 2"]}]
    answers.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    model = ("--model", f"scripted:{answers}", "--price", "in=1,out=2")
    done = ksolve(run, "--method", "judge", *model, "--json")
    assert done.exit_code == 0, done.output
    chosen = {one["task_id"]: one["index"] for one in json.loads(done.stdout)}
    assert chosen == {"a__b-1": 0, "a__b-2": 2, "a__b-3": 0}

    words = ("--method", "judge", "--method", "weighted", "--method", "pairwise")
    done = ksolve(run, "--compare", *words, *model, "--json")
    assert done.exit_code == 0, done.output
    efforts = {one["method"]: one["effort"] for one in json.loads(done.stdout)["results"]}
    assert efforts["judge"]["usage"]["calls"] == efforts["weighted"]["usage"]["calls"] == 5
    assert efforts["judge"]["cost"] > 0
    assert efforts["pairwise"]["usage"]["calls"] == 3 * 2 + 2 * 1


def test_what_a_judge_said_is_not_paid_for_again(run: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"answers": ["SCORE: 2"]}\n')
    words = ("--compare", "--method", "judge", "--model", f"scripted:{answers}", "--json")
    first = json.loads(ksolve(run, *words, "--price", "in=1,out=2").stdout)
    # Whoever is asked now says something else.
    answers.write_text('{"match": "return x - 1", "answers": ["SCORE: 9"]}\n{"answers": ["?"]}\n')
    again = json.loads(ksolve(run, *words, "--price", "in=1,out=2").stdout)
    assert again == first
    assert first["results"][0]["settings"] == {"judge": f"scripted:{answers}", "max_tokens": None}
    # The price is that of now, whatever it was.
    dearer = json.loads(ksolve(run, *words, "--price", "in=2,out=4").stdout)["results"][0]
    assert dearer["effort"]["cost"] == pytest.approx(2 * first["results"][0]["effort"]["cost"])
    # A vote that weighs by scores takes them from there, and one more setting asks anew.
    weighted = ("--compare", "--method", "weighted", *words[3:])
    of = json.loads(ksolve(run, *weighted).stdout)["results"][0]
    used, known = of["effort"]["usage"], first["results"][0]["effort"]["usage"]
    assert [used[name] for name in ("calls", "output_tokens")] == [
        known[name] for name in ("calls", "output_tokens")
    ]
    assert (
        of["solved"]
        == json.loads(ksolve(run, "--compare", "--json").stdout)["results"][2]["solved"]
    )
    other = json.loads(ksolve(run, *words, "--max-tokens", "9").stdout)["results"][0]
    assert other["solved"] != first["results"][0]["solved"]


def test_what_is_kept_holds_no_verdict(run: Path) -> None:
    assert ksolve(run, "--compare").exit_code == 0
    before = [dataclasses.astuple(word)[2:5] for word in words_of(run)]
    with sqlite3.connect(run / "run.db") as database:
        database.execute("UPDATE verdicts SET outcome = 'unresolved'")
    (run / FILE).unlink()
    assert ksolve(run, "--compare").exit_code == 0
    after = [dataclasses.astuple(word)[2:5] for word in words_of(run)]
    assert len(before) == len(after) == 3 * 3
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_solver_is_compared_by_itself_and_all_of_them_together(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    told = json.loads(ksolve(run, "--compare", "--json").stdout)
    assert [one["label"] for one in told["solvers"]] == ["small", "large"]
    assert (told["label"], told["candidates"]) == ("all together", 2 * 6 * 4)
    assert [one["oracle"]["share"] for one in told["solvers"]] == pytest.approx([3 / 6, 5 / 6])
    assert told["oracle"]["share"] == pytest.approx(5 / 6)
    shown = ksolve(run, "--compare").stdout
    assert [shown.count(f"{name}: one patch") for name in ("small", "large", "all together")] == [
        1,
        1,
        1,
    ]

    told = json.loads(ksolve(run, "--compare", "--solver", "large", "--json").stdout)
    assert (told["label"], told["candidates"], told["solvers"]) == ("large", 6 * 4, [])
    chosen = json.loads(ksolve(run, "--solver", "large", "--json").stdout)
    assert {one["model"] for one in chosen} == {LARGE}
    assert {one["candidates"] for one in chosen} == {4}
    assert json.loads(ksolve(run, "--solver", "lar", "--json").stdout) == chosen
    assert "more than one solver" in ksolve(run, "--solver", "l").stderr
    done = ksolve(run, "--solver", "huge")
    assert done.exit_code == 2
    assert "no solver 'huge': it has small, large" in " ".join(done.stderr.split())


def test_strategies_of_one_model_are_called_by_theirs_and_found_by_any_name(
    tmp_path: Path,
) -> None:
    run = record(tmp_path / "run", models=[LARGE], strategies=["loop", "loop-wide"])
    shown = ksolve(run, "--compare").stdout
    assert "loop: one patch" in shown
    assert "loop-wide: one patch" in shown
    told = json.loads(ksolve(run, "--compare", "--json").stdout)
    assert [one["label"] for one in told["solvers"]] == ["large (loop)", "large (loop-wide)"]
    for name in ("loop", "large (loop)", "(loop)"):
        chosen = json.loads(ksolve(run, "--solver", name, "--json").stdout)
        assert {one["strategy"] for one in chosen} == {"loop"}
    assert "more than one solver" in ksolve(run, "--solver", "large").stderr


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--method", "best"), ("no method 'best'", "majority")),
        (("--method", "judge"), ("judge needs a model", "--model")),
        (("--method", "any", "--method", "first"), ("one --method", "--compare")),
        (("--compare", "--out", "x.jsonl"), ("either --compare or --out",)),
        (("--method", "tests"), ("No sample of this run holds a script", "--strategy monkeys")),
        (("--method", "regression"), ("visible tests", "test_command")),
        (("--method", "regression", "--tasks", "nowhere"), ("no tasks called 'nowhere'",)),
        (("--solver", "huge"), ("no solver 'huge'",)),
        (("--out", "no/such/folder/x.jsonl"), ("There is no folder", "make it")),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    run: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    before = [path.name for path in run.iterdir()]
    done = ksolve(run, *words)
    assert done.exit_code == 2, done.output
    said = " ".join(done.stderr.split())
    assert all(part in said for part in parts), said
    # A command that is refused leaves nothing.
    assert sorted(path.name for path in run.iterdir()) == sorted(before)


def test_tasks_that_are_not_the_runs_are_refused(run: Path, tmp_path: Path) -> None:
    changed = [{**row(task_id), "problem_statement": "else"} for task_id in [*ANSWERS, "a__b-4"]]
    (tmp_path / "tasks.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in changed))
    done = ksolve(run, "--method", "regression")
    assert done.exit_code == 2
    assert "not those of the run any more" in " ".join(done.stderr.split())


def test_a_folder_without_a_run_is_bad_input(tmp_path: Path) -> None:
    done = ksolve(tmp_path)
    assert done.exit_code == 2
    assert "holds no run" in done.stderr


def turn(source: str, content: str = "", exit_code: int | None = None) -> Turn:
    role = "user" if source.startswith("run") else "assistant"
    return Turn(
        message=Message(role=role, content=content),  # type: ignore[arg-type]
        source=source,
        exit_code=exit_code,
    )


def fenced(word: str) -> str:
    return f"```python\nimport sys\nprint('{word}')\n```"


def test_the_last_script_of_a_chain_that_fails_where_it_has_to_is_taken() -> None:
    chain = [
        turn("test", fenced("one")),
        turn("run unpatched", exit_code=2),
        turn("edit", fenced("edit")),
        turn("test", fenced("two")),
        turn("run unpatched", exit_code=2),
        turn("test", fenced("worthless")),
        turn("run unpatched", exit_code=0),
        turn("test", "KEEP"),
    ]
    assert "two" in last_script(chain)
    assert "one" in last_script(chain[:3])
    assert last_script(chain[5:]) == last_script([]) == ""


def test_no_engine_is_asked_where_all_that_would_be_run_is_known(
    run: Path, tmp_path: Path, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    chain = (turn("test", fenced("one")), turn("run unpatched", exit_code=2))
    with Store(run) as store:
        add(store, tasks[0], 5, "+ 1", chain)
    # The other issues have no script, so nothing of them would be run.
    done = ksolve(run, "--method", "tests")
    assert done.exit_code == 3, done.output
    with open_run(run) as store, Kept(run) as kept:
        pool = read_pool(
            store,
            store.table(),
            {tasks[0].id: tasks[0].issue},
            scripts=True,
            evidence=kept.evidence,
        ).issues[0]

        async def know() -> None:
            for patch in ("", *pool.distinct().values()):
                fixed = FIXED if "- 1" in patch else NOT_FIXED
                seen = Observation(text="", whole="", exit_code=fixed, seconds=1.0)
                script = pool.candidates[5].scripts[0]
                question = (pool.task_id, tasks[0].issue.image, script, patch)
                known = dataclasses.asdict(seen)
                await pool.evidence.keep(known, *question, LIMITS.command_seconds)

        asyncio.run(know())
    done = ksolve(run, "--method", "tests", "--json")
    assert done.exit_code == 0, done.output
    chosen = {one["task_id"]: one["index"] for one in json.loads(done.stdout)}
    assert chosen["a__b-1"] == ANSWERS["a__b-1"].index("- 1")


def test_a_run_is_read_from_any_folder_also_one_that_names_its_tasks_by_a_relative_path(
    run: Path, tasks: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path was looked for in the folder where `select` was started."""
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    # Not those of the run, though they are called so.
    other = json.dumps(row("a__b-1") | {"problem_statement": "another"})
    (elsewhere / "tasks.jsonl").write_text(f"{other}\n")
    config = {
        "tasks": "tasks.jsonl",
        "tasks_digest": tasks_digest(tasks),
        "prices": {},
        "task_ids": [task.id for task in tasks],
        "arms": [[MODEL, "monkeys"]],
        "samples": [5],
    }
    with Store(run) as store:
        store.begin(config, free=("tasks",))
    monkeypatch.chdir(elsewhere)
    with open_run(run) as store:
        assert [task.id for task in _tasks(store, None)] == [task.id for task in tasks]
    refused = ksolve(run, "--method", "regression", "--tasks", "tasks.jsonl")
    assert refused.exit_code == 2
    assert "tasks.jsonl has no task a__b-2" in refused.stderr


def test_a_path_is_kept_in_full_and_a_name_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.jsonl").write_text("")
    (tmp_path / "lite").mkdir()
    monkeypatch.chdir(tmp_path)
    assert lasting_source("mine.jsonl") == str(tmp_path / "mine.jsonl")
    assert [lasting_source(name) for name in ("starter", "lite", "owner/name")] == [
        *("starter", "lite", "owner/name")
    ]
