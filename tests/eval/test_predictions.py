"""Predictions: what SWE-bench's harness reads is read, and what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from swebench.harness.utils import get_predictions_from_file

from eval.predictions import Prediction, read_predictions, write_predictions
from tasks.rows import DatasetError

PATCH = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\r\n+b\x0c\u2028\x85\ud800\n"


def row(instance: str = "i1", model: str = "m", patch: str | None = PATCH) -> dict[str, Any]:
    return {"instance_id": instance, "model_name_or_path": model, "model_patch": patch}


ROWS = [row(), row("i2"), row("i2"), row("i1", "org/other"), row("i3", patch=None)]


def written(path: Path, data: object) -> Path:
    if path.suffix == ".jsonl":
        assert isinstance(data, list)
        path.write_text("".join(f"{json.dumps(one)}\n" for one in data))
    else:
        path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("lines.jsonl", ROWS),
        ("list.json", ROWS),
        # As SWE-agent writes them, with fields of its own.
        ("map.json", {one["instance_id"]: {**one, "info": {"cost": 1}} for one in ROWS}),
    ],
)
def test_every_form_is_read_as_the_reference_reads_it(
    tmp_path: Path, name: str, data: object
) -> None:
    path = written(tmp_path / name, data)
    theirs = get_predictions_from_file(str(path), "unused", "test")
    assert read_predictions(path) == [
        Prediction(
            task_id=one["instance_id"],
            model=one["model_name_or_path"],
            patch=one["model_patch"] or "",
        )
        for one in theirs
    ]


def test_what_is_written_is_what_the_reference_reads(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    given = [Prediction(task_id="i", model="a/b", patch=PATCH) for _ in range(2)]
    assert write_predictions(path, given) == 2
    assert read_predictions(path) == given
    theirs = get_predictions_from_file(str(path), "unused", "test")
    assert theirs == [row("i", "a/b")] * 2


def test_a_line_ends_at_a_newline_only(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    text = "a\u2028b\x85c"
    lines = [json.dumps(row(patch=text), ensure_ascii=False)] * 2
    path.write_bytes("\ufeff{}\r\n\r\n{}".format(*lines).encode())
    assert [one.patch for one in read_predictions(path)] == [text, text]


def test_a_map_names_an_instance_that_its_prediction_does_not_name(tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", {"i9": {"model_name_or_path": "m", "model_patch": "x"}})
    assert read_predictions(path) == [Prediction(task_id="i9", model="m", patch="x")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instance_id", ""),
        ("instance_id", 7),
        ("model_name_or_path", None),
        ("model_name_or_path", ".."),
        ("model_name_or_path", "a\0b"),
        ("model_name_or_path", "\ud800"),
        ("model_name_or_path", "n" * 151),
        ("model_patch", ["x"]),
        ("model_patch", ...),
    ],
)
def test_every_bad_prediction_is_named_with_its_field(
    tmp_path: Path, field: str, value: object
) -> None:
    bad = {**row(), field: value}
    if value is ...:
        del bad[field]
    path = written(tmp_path / "p.jsonl", [row(), bad, row(), "nothing"])
    with pytest.raises(DatasetError) as caught:
        read_predictions(path)
    places = [(problem.place, problem.field) for problem in caught.value.problems]
    assert places == [("line 2", field), ("line 4", "")]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("p.jsonl", b"", "holds no prediction"),
        ("p.json", b"[]", "holds no prediction"),
        ("p.json", b"5", "must hold a list"),
        ("p.json", b"", "is not JSON"),
        ("p.jsonl", b"{}\n{", "line 2 is not JSON"),
        ("p.jsonl", b"[" * 100_000, "is not JSON"),
        ("p.jsonl", b"\xff", "is not UTF-8"),
    ],
)
def test_a_file_that_holds_no_predictions_says_why(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=said):
        read_predictions(path)


OPENHANDS: dict[str, object] = {
    "instance_id": "i1",
    "instance": {"instance_id": "i1", "patch": "the gold patch", "problem_statement": "s"},
    "instruction": "Mend it.",
    "metadata": {"agent_class": "CodeActAgent", "llm_config": {"model": "openai/gpt"}},
    "history": [],
    "error": None,
    "test_result": {"git_patch": PATCH},
}


@pytest.mark.parametrize(
    ("given", "model"),
    [
        # SWE-bench Pro; SWE-rebench V2 has no prefix.
        ({"instance_id": "i1", "patch": PATCH, "prefix": "sample1"}, "sample1"),
        ({"instance_id": "i1", "patch": PATCH, "prefix": ""}, "unnamed"),
        ({"instance_id": "i1", "patch": PATCH}, "unnamed"),
        ({"instance": "i1", "model": "m", "prediction": PATCH}, "m"),
        ({"instance_id": "i1", "git_patch": PATCH}, "unnamed"),
        (OPENHANDS, "openai/gpt"),
        # mini-swe-agent's trajectory.
        (
            {"instance_id": "i1", "info": {"submission": PATCH, "exit_status": "Submitted"}},
            "unnamed",
        ),
        # SWE-bench's keys beside others win.
        ({**OPENHANDS, "model_patch": PATCH, "model_name_or_path": "m", "patch": "gold"}, "m"),
        # Two that say the same.
        ({"instance_id": "i1", "patch": PATCH, "prediction": PATCH, "model": "m"}, "m"),
    ],
)
@pytest.mark.parametrize("name", ["p.jsonl", "p.json", "map.json", "one.json"])
def test_the_keys_of_other_harnesses_and_agents_are_read(
    tmp_path: Path, given: dict[str, object], model: str, name: str
) -> None:
    data = {"p.jsonl": [given], "p.json": [given], "map.json": {"i1": given}, "one.json": given}
    path = written(tmp_path / name, data[name])
    assert read_predictions(path) == [Prediction(task_id="i1", model=model, patch=PATCH)]


def test_a_map_of_patches_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", {"i1": PATCH, "i2": "", "i3": None})
    assert [(one.task_id, one.patch) for one in read_predictions(path)] == [
        ("i1", PATCH),
        ("i2", ""),
        ("i3", ""),
    ]


def test_multi_swe_bench_names_an_instance_by_its_pull_request(tmp_path: Path) -> None:
    given = {"org": "cli", "repo": "cli", "number": 513, "fix_patch": PATCH}
    for name, data in (("p.jsonl", [given]), ("one.json", given)):
        path = written(tmp_path / name, data)
        assert read_predictions(path) == [
            Prediction(task_id="cli__cli-513", model="unnamed", patch=PATCH)
        ]


@pytest.mark.parametrize(
    "given",
    [
        {"instance_id": "i1", "patch": ""},
        {"instance_id": "i1", "patch": None, "prediction": ""},
        {"instance_id": "i1", "test_result": {}, "error": "the agent was ended"},
        {"instance_id": "i1", "test_result": None},
        {"instance_id": "i1", "info": {"submission": None}},
    ],
)
def test_an_attempt_without_a_patch_is_an_empty_prediction(
    tmp_path: Path, given: dict[str, object]
) -> None:
    path = written(tmp_path / "p.jsonl", [given])
    assert [one.patch for one in read_predictions(path)] == [""]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"instance_id": "i", "patch": "a", "prediction": "b"}, "model_patch", "patch and predic"),
        (
            {"instance_id": "i", "patch": "a", "model": "m", "prefix": "n"},
            "model_name_or_path",
            "model and prefix differ",
        ),
        ({"instance_id": "i", "patch": ["a"]}, "patch", "string"),
        ({"instance_id": "i", "test_result": {"git_patch": 5}}, "test_result.git_patch", "string"),
        ({"instance": {"id": "i"}, "patch": "a"}, "instance", "string"),
        ({"instance_id": "i", "text": "a"}, "model_patch", "required"),
        ({"instance_id": "i", "info": {"cost": 1}}, "model_patch", "required"),
        ({"org": "o", "repo": "r", "fix_patch": "a"}, "instance_id", "required"),
        # A row of a dataset: its patch is the one to be found.
        ({"instance_id": "i", "patch": "a", "test_patch": "b"}, "patch", "the gold patch"),
        ({"instance_id": "i", "patch": "a", "FAIL_TO_PASS": []}, "patch", "the gold patch"),
        (
            {"org": "o", "repo": "r", "number": 1, "fix_patch": "a", "test_patch": "b"},
            "fix_patch",
            "the gold patch",
        ),
    ],
)
def test_what_may_be_read_in_two_ways_or_is_no_prediction_is_refused(
    tmp_path: Path, given: dict[str, object], field: str, said: str
) -> None:
    path = written(tmp_path / "p.jsonl", [given])
    with pytest.raises(DatasetError) as caught:
        read_predictions(path)
    [problem] = caught.value.problems
    assert (problem.place, problem.field) == ("line 1", field)
    assert said in problem.message
