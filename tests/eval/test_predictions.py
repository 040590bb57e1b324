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
