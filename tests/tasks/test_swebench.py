from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.rows import DatasetError
from tasks.swebench import tasks_from_file

MakeRow = Callable[..., dict[str, Any]]


def written(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_the_same_rows_from_every_form_of_file_are_the_same_tasks(
    tmp_path: Path, row: MakeRow
) -> None:
    rows = [row(instance_id=f"i{n}") for n in range(3)]
    files = [
        written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows))),
        written(tmp_path / "b.jsonl", "\ufeff" + "\r\n\r\n".join(map(json.dumps, rows)) + "\r\n"),
        written(tmp_path / "a.json", json.dumps(rows, indent=1)),
        written(tmp_path / "map.json", json.dumps({one["instance_id"]: one for one in rows})),
        tmp_path / "a.parquet",
    ]
    pq.write_table(pa.Table.from_pylist(rows), files[-1])
    first, *others = [tasks_from_file(path) for path in files]
    assert [task.id for task in first] == ["i0", "i1", "i2"]
    assert all(tasks == first for tasks in others)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfe", "line 2: expected UTF-8 text, got byte 0xff at 1"),
        (b'{"instance_id": "a', "line 2: expected JSON, but unterminated string at column 17"),
        (b'{"a": "\0"}', "line 2: expected JSON text, got NUL bytes"),
        (b"[" * 100_000, "line 2: expected JSON that can be read"),
        (b"9" * 5_000, "line 2: expected JSON that can be read"),
        (b"[1]", "line 2: expected a row (an object with named fields), got a list of 1"),
    ],
)
def test_a_line_that_is_no_row_is_named_beside_the_other_bad_lines(
    tmp_path: Path, row: MakeRow, data: bytes, said: str
) -> None:
    bad = json.dumps(row(repo="")).encode()
    path = written(tmp_path / "a.jsonl", b"\n".join([bad, data, bad]))
    with pytest.raises(DatasetError) as caught:
        tasks_from_file(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value).splitlines()[0]
    assert {problem.place for problem in caught.value.problems} == {"line 1", "line 2", "line 3"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.jsonl", "", "holds no tasks"),
        ("a.json", "", "holds no tasks"),
        ("a.json", "[]", "holds no tasks"),
        ("a.json", "5", "must hold a list of rows"),
        ("a.json", '[{"a": 1},', "is not JSON"),
        ("a.json", "[\n{},\n{,}]", "line 3, column 2"),
        ("a.json", '{"k": 1}', "key 'k': expected a row"),
        ("a.json", '{"k": {"instance_id": "l"}}', "expected the id it is filed under, got 'l'"),
        ("a.parquet", "no parquet", "is not a Parquet file"),
        ("a.parquet", "", "is not a Parquet file"),
    ],
)
def test_a_file_that_is_no_dataset_says_why(
    tmp_path: Path, name: str, data: str, said: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        tasks_from_file(written(tmp_path / name, data))
    assert said in str(caught.value)


def test_a_truncated_parquet_file_says_so(tmp_path: Path, row: MakeRow) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.Table.from_pylist([row()]), whole)
    with pytest.raises(DatasetError, match="is not a Parquet file"):
        tasks_from_file(written(tmp_path / "cut.parquet", whole.read_bytes()[:-40]))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.jsonl cannot be read: No such file"):
        tasks_from_file(tmp_path / "gone.jsonl")


@pytest.mark.shared_data
def test_real_swebench_lite_rows_load(shared_data: Path, tmp_path: Path) -> None:
    assert len(tasks_from_file(shared_data / "swebench-parity" / "rows.jsonl")) == 9
    rows = gzip.decompress((shared_data / "lite-matrix" / "rows.jsonl.gz").read_bytes())
    tasks = tasks_from_file(written(tmp_path / "rows.jsonl", rows))
    ids = (shared_data / "lite-matrix" / "instances.txt").read_text().split()
    assert sorted(task.id for task in tasks) == sorted(ids)
    assert all(task.oracle.gold_patch and task.oracle.fail_to_pass for task in tasks)


HUB = """
import sys
from tasks.load import load_tasks
from tasks.rows import DatasetError
try:
    print([task.id for task in load_tasks(sys.argv[1], split=sys.argv[2])])
except DatasetError as error:
    print(error)
"""


def from_hub(endpoint: str, home: Path, *arguments: str) -> str:
    """Load in a process of its own, since the hub's client reads its settings on import."""
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", HUB, *arguments],
        env={**env, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


def test_a_hub_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    said = from_hub("http://127.0.0.1:9", tmp_path, "lite", "test")
    assert len(said.splitlines()) == 1
    assert "SWE-bench/SWE-bench_Lite is not here and the hub does not answer" in said
