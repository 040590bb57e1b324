"""What is exported is what the store holds, in both forms, column by column, or nothing at all."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from agent.backend import Message, Usage
from agent.strategy import Proposal
from agent.trajectory import Turn, turns_of
from eval.sample import Judged, Sample, SampleKey
from eval.store import Store
from eval.verdict import Verdict
from ksolve import exports
from ksolve.cli import app
from ksolve.exports import Table
from ksolve.results import summary_of
from tests.ksolve.recorded import SMALL, record

DOCS = Path(__file__).parents[2] / "docs"
ARMS = (("m:small", "oneshot"), ("m:large", "loop"))
TASKS = ("a__b-1", "a__b-2")
SAMPLES = 3
PROMPT = (
    Message(role="system", content="You mend."),
    Message(role="user", content="an example"),
    Message(role="assistant", content="an answer of nobody"),
    Message(role="user", content="mend \udcff it"),
)
CONVERSATION = (
    Turn(message=Message(role="user", content="which file?"), source="ranking"),
    Turn(message=Message(role="assistant", content="x.py"), usage=Usage(calls=1), source="ranking"),
    *turns_of(PROMPT),
    Turn(message=Message(role="assistant", content="mended"), usage=Usage(calls=1, seconds=0.5)),
    Turn(message=Message(role="user", content="and then"), exit_code=0),
)
MENDED = [{"role": one.role, "content": one.content.replace("\udcff", "�")} for one in PROMPT]
VERDICTS = {
    "good": Verdict(outcome="resolved", exit_code=0, seconds=2.5, note="applied"),
    "bad": Verdict(
        outcome="unresolved",
        missing_fail_to_pass=("t::a", "t::\udcff"),
        missing_pass_to_pass=("t::b",),
        exit_code=1,
        seconds=1.5,
    ),
}
Read = Callable[[Path], list[dict[str, Any]]]


def patch(key: SampleKey) -> str:
    return f"diff of {key.task_id}, {key.index % 2}\n"


def keys() -> list[SampleKey]:
    return [
        SampleKey(task_id=task, model=model, strategy=strategy, index=index)
        for model, strategy in ARMS
        for task in TASKS
        for index in range(SAMPLES)
    ]


def sample(key: SampleKey) -> Sample:
    proposal = Proposal(
        patch=patch(key),
        stop="patch",
        note="",
        usage=Usage(
            input_tokens=90 + key.index,
            cached_tokens=80,
            cache_write_tokens=7,
            output_tokens=60,
            reasoning_tokens=5,
            calls=4,
            estimated_calls=3,
            billed_calls=1,
            unbilled_calls=2,
            billed=0.375,
            billed_at_list=0.25,
            seconds=0.25,
            accelerator_seconds=0.125,
        ),
        seconds=0.75,
        prompt_digest="p",
        trajectory=CONVERSATION,
        variant="plain",
    )
    return Sample(
        key=key,
        proposal=proposal,
        strategy_version="3",
        seed=key.index,
        temperature=0.8,
        cost=None if key.model == "m:large" else 0.125,
        sent={"temperature": 0.8, "seed": key.index} if key.index else {},
    )


def verdict_name(key: SampleKey) -> str | None:
    """The last sample of each is pending; the large model solves the first task."""
    if key.index == SAMPLES - 1:
        return None
    return "good" if key.model == "m:large" and key.task_id == TASKS[0] and key.index else "bad"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    with Store(folder) as store:
        store.begin(
            {
                "tasks_digest": "d",
                "task_ids": list(TASKS),
                "arms": [list(arm) for arm in ARMS],
                "prices": {},
                "samples": [SAMPLES] * len(ARMS),
                "flaky": [TASKS[1]],
            }
        )
        store.add_samples([sample(key) for key in keys()])
        store.add_verdicts(
            [
                Judged(key=key, verdict_key=name, verdict=VERDICTS[name])
                for key in keys()
                if (name := verdict_name(key))
            ]
        )
    return folder


def ksolve(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


FORMS = pytest.mark.parametrize(
    ("option", "ending", "read"),
    [("--jsonl", ".jsonl", read_lines), ("--parquet", ".parquet", read_parquet)],
)


@FORMS
def test_tables_hold_what_the_store_holds(
    run: Path, tmp_path: Path, option: str, ending: str, read: Read
) -> None:
    done = ksolve("export", run, option, tmp_path / "tables")
    assert done.exit_code == 0, done.stderr
    found = {path.name: read(path) for path in (tmp_path / "tables").iterdir()}
    assert set(found) == {f"{name}{ending}" for name in ("samples", "verdicts", "curves")}
    for name, rows in found.items():
        assert f"{len(rows)} rows written to {tmp_path / 'tables' / name}." in done.stdout
    with Store(run) as store:
        assert found[f"samples{ending}"] == [row_of(store, key) for key in keys()]
        expected = [
            {"model": arm.model, "strategy": arm.strategy, "without_flaky": steady}
            | dataclasses.asdict(point)
            for steady in (False, True)
            for arm in summary_of(store).solvers
            if (of := arm.without_flaky if steady else arm) is not None
            for point in of.pass_at_k
        ]
        curves = found[f"curves{ending}"]
        assert [dict(list(row.items())[:9]) for row in curves] == expected
    judged = {row["verdict_key"]: row for row in found[f"verdicts{ending}"]}
    assert judged == {
        name: {
            "verdict_key": name,
            "outcome": verdict.outcome,
            "missing_fail_to_pass": [
                test.replace("\udcff", "�") for test in verdict.missing_fail_to_pass
            ],
            "missing_pass_to_pass": list(verdict.missing_pass_to_pass),
            "exit_code": verdict.exit_code,
            "note": verdict.note,
            "seconds": verdict.seconds,
            "suspicions": [str(one) for one in verdict.suspicions],
        }
        for name, verdict in VERDICTS.items()
    }


@FORMS
def test_curves_have_the_costs_that_are_known(
    tmp_path: Path, option: str, ending: str, read: Read
) -> None:
    run = record(tmp_path / "run", flaky=["t0"])
    assert ksolve("export", run, option, tmp_path / f"curves{ending}").exit_code == 0
    rows = read(tmp_path / f"curves{ending}")
    (whole, steady) = (row for row in rows if row["model"] == SMALL and row["k"] == 4)
    assert (whole["without_flaky"], steady["without_flaky"]) == (False, True)
    assert whole["money_per_issue"] == pytest.approx(4 * 0.002)
    assert whole["money_per_solve"] == pytest.approx(8 * 0.002)
    assert whole["tokens_per_solve"] == pytest.approx(8 * 1900)
    # Of 4 samples 3, 2, 1 and thrice none solve: (5/4 + 5/3 + 5/2 + 3 * 4) / 6 samples.
    samples = (5 / 4 + 5 / 3 + 5 / 2 + 12) / 6
    assert whole["tokens_per_issue_until_solved"] == pytest.approx(samples * 1900)
    assert whole["money_per_solve_until_solved"] == pytest.approx(2 * samples * 0.002)
    assert whole["verify_seconds_per_issue"] == pytest.approx(4 * 1.5)
    assert {value for name, value in whole.items() if name.startswith(("acc", "flops"))} == {None}
    # Without the easiest issue a solve costs more.
    assert steady["money_per_issue"] == pytest.approx(4 * 0.002)
    assert steady["money_per_solve"] == pytest.approx(4 * 0.002 * 5 / 2)


def row_of(store: Store, key: SampleKey) -> dict[str, Any]:
    """What a row of samples says of a sample of the store."""
    kept, verdict = store.sample(key), store.judged(key)
    used = dataclasses.asdict(kept.proposal.usage)
    (row,) = (
        row for row in store.rows(key.task_id) if row.model == key.model and row.index == key.index
    )
    return {
        **dataclasses.asdict(key),
        "drawn_by": key.strategy,
        "outcome": verdict and verdict.outcome,
        "verify_seconds": verdict and verdict.seconds,
        "cost": kept.cost,
        "request_seconds": used.pop("seconds"),
        **used,
        "seconds": kept.proposal.seconds,
        "stop": kept.proposal.stop,
        "note": kept.proposal.note,
        "variant": kept.proposal.variant,
        "prompt_digest": kept.proposal.prompt_digest,
        "temperature": kept.temperature,
        "seed": kept.seed,
        "sent": json.dumps(dict(kept.sent), sort_keys=True),
        "strategy_version": kept.strategy_version,
        "patch_digest": row.patch_digest,
        "verdict_key": verdict_name(key),
    }


@FORMS
def test_a_file_gets_the_table_of_its_name(
    run: Path, tmp_path: Path, option: str, ending: str, read: Read
) -> None:
    for name, column, rows in (("curves", "k", 12), ("verdicts", "missing_fail_to_pass", 2)):
        file = tmp_path / f"{name}{ending}"
        assert ksolve("export", run, option, file).exit_code == 0
        assert len(read(file)) == rows
        assert column in read(file)[0]
    other = tmp_path / f"mine{ending}"
    assert ksolve("export", run, option, other).exit_code == 0
    assert len(read(other)) == len(keys())


@pytest.mark.parametrize(("ending", "read"), [(".jsonl", read_lines), (".parquet", read_parquet)])
def test_pairs_are_prompt_patch_and_verdict_of_every_judged_sample(
    run: Path, tmp_path: Path, ending: str, read: Read
) -> None:
    file = tmp_path / f"pairs{ending}"
    assert ksolve("export", run, "--pairs", file).exit_code == 0
    assert read(file) == [
        {
            **dataclasses.asdict(key),
            "prompt": MENDED,
            "patch": patch(key),
            "verdict": VERDICTS[name].outcome,
        }
        for key in keys()
        if (name := verdict_name(key))
    ]


def test_pairs_are_those_that_are_picked(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    for pick, indices in (("first", [0, 0, 0, 0]), ("solved", [0, 0, 1, 0])):
        assert ksolve("export", run, "--pairs", file, "--pick", pick).exit_code == 0
        assert [row["index"] for row in read_lines(file)] == indices


@FORMS
def test_what_is_unknown_is_null_and_what_is_not_there_has_no_row(
    tmp_path: Path, option: str, ending: str, read: Read
) -> None:
    with Store(tmp_path / "run") as store:
        store.begin(
            {
                "tasks_digest": "d",
                "task_ids": ["t"],
                "arms": [["m", "s"]],
                "prices": {},
                "samples": [1],
            }
        )
    assert ksolve("export", tmp_path / "run", option, tmp_path / "tables").exit_code == 0
    found = {path.stem: read(path) for path in (tmp_path / "tables").iterdir()}
    assert (found["samples"], found["verdicts"]) == ([], [])
    (point,) = found["curves"]
    assert (point["coverage"], point["low"], point["issues"]) == (None, None, 0)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    def breaking() -> Any:
        yield [("a",)]
        raise RuntimeError

    (tmp_path / name).write_text("as it was")
    with pytest.raises(RuntimeError):
        exports.write(Table(columns={"text": "text"}, batches=breaking()), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "as it was"


def test_a_large_table_is_written_in_groups_of_rows(tmp_path: Path) -> None:
    text = "x" * (1 << 20)
    batches = ([(f"{text}{i}",)] for i in range(exports.ROW_GROUP // len(text) * 2 + 1))
    file = tmp_path / "large.parquet"
    count = exports.write(Table(columns={"text": "text"}, batches=batches), file)
    written = pq.ParquetFile(file)
    assert written.metadata.num_rows == count
    assert written.metadata.num_row_groups == 3


def test_a_folder_in_the_place_of_a_file_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").mkdir()
    done = ksolve("export", run, "--pairs", tmp_path / "pairs.jsonl")
    assert done.exit_code == 2
    assert "is a folder" in done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("--pairs", "x.csv"), "ends in .parquet or .jsonl."),
        (("--predictions", "x.json"), "ends in .jsonl."),
        (("--parquet", "x.csv"), "ends in .parquet, or a folder."),
        (("--jsonl", "x.json"), "ends in .jsonl, or a folder."),
        (("--trajectories", "jsonl", "--out", "x.csv"), "ends in .jsonl."),
        # What was meant for a folder would be a file whose form nobody knows.
        (("--pairs", "x/"), "ends in .parquet or .jsonl."),
        (("--predictions", "x"), "ends in .jsonl."),
        (("--trajectories", "jsonl", "--out", "x"), "ends in .jsonl."),
    ],
)
def test_an_ending_that_says_another_form_is_refused(
    run: Path, tmp_path: Path, words: tuple[str, ...], meant: str
) -> None:
    *before, name = words
    done = ksolve("export", run, *before, f"{tmp_path}/{name}")
    assert done.exit_code == 2
    assert meant in done.stderr
    assert not list(tmp_path.glob("x*"))


def test_every_column_is_documented_and_every_documented_column_is_there(
    run: Path,
) -> None:
    sections = re.split(r"^### `(\w+)`.*$", (DOCS / "data.md").read_text(), flags=re.MULTILINE)
    told = {
        name: [
            word
            for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
            for word in re.findall(r"`(\w+)`", cell)
        ]
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    with Store(run) as store:
        tables = {
            "samples": exports.samples(store),
            "verdicts": exports.verdicts(store),
            "curves": exports.curves(store),
            "pairs": exports.pairs(store, lambda _: True),
        }
        assert told == {name: list(table.columns) for name, table in tables.items()}


@pytest.mark.parametrize("option", ["--parquet", "--jsonl", "--pairs", "--predictions"])
def test_a_file_in_no_folder_is_refused_with_what_to_do(tmp_path: Path, option: str) -> None:
    run = record(tmp_path / "run")
    target = str(tmp_path / "none" / "file.jsonl")
    result = CliRunner().invoke(app, ["export", str(run), option, target])
    assert result.exit_code == 2
    assert "make it, or give another file" in " ".join(result.output.split())
