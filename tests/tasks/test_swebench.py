from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.context import MANIFEST
from tasks.families import TASK_REPO
from tasks.rows import DatasetError
from tasks.swebench import tasks_from_file
from tasks.task import Task
from tasks.taskrepo import starter_path, tasks_from_repo

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


OLD = ("image", "eval_script", "log_parser", "eval_type")


def older(row: MakeRow, instance: str) -> str:
    return json.dumps(row(instance_id=instance, **dict.fromkeys(OLD, ...)))


def test_rows_of_the_older_form_are_completed_from_a_task_repo(
    tmp_path: Path, row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ksolve__textfold-1", "ksolve__ledger-1"]
    lines = "\n".join(older(row, name) for name in names)
    path = written(tmp_path / "old.jsonl", lines)
    known = {task.id: task for task in tasks_from_repo(starter_path(), split=None)}
    monkeypatch.setenv(TASK_REPO, str(starter_path()))
    assert tasks_from_file(path) == [known[name] for name in names]


def test_an_older_row_that_the_task_repo_lacks_is_named(
    tmp_path: Path, row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "old.jsonl", older(row, "acme__anvil-7"))
    monkeypatch.setenv(TASK_REPO, str(starter_path()))
    with pytest.raises(DatasetError, match="lacks 1 of its 1 instances, such as acme__anvil-7"):
        tasks_from_file(path)
    monkeypatch.setenv(TASK_REPO, str(tmp_path))
    with pytest.raises(DatasetError, match="is not a task repo"):
        tasks_from_file(path)


def test_a_task_repo_in_the_environment_changes_nothing_for_newer_rows(
    tmp_path: Path, row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "new.jsonl", json.dumps(row()))
    before = tasks_from_file(path)
    monkeypatch.setenv(TASK_REPO, str(tmp_path))
    assert tasks_from_file(path) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SWE-bench_Lite.jsonl", "on the hub, lite, or"),
        ("swe-bench-verified.jsonl", "on the hub, verified, or"),
        ("rows.jsonl", "on the hub, multilingual, verified, lite or full, or"),
    ],
)
def test_older_rows_without_a_task_repo_are_told_where_the_newer_ones_are(
    tmp_path: Path, row: MakeRow, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.delenv(TASK_REPO, raising=False)
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(older(row, "i"))
    with pytest.raises(DatasetError) as caught:
        tasks_from_file(Path(name))
    assert said in str(caught.value)
    assert TASK_REPO in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_dataset_that_swebench_compiles_from_a_task_repo_loads_as_the_repo_does(
    tmp_path: Path,
) -> None:
    from swebench.task.checks import check_task_repo
    from swebench.task.publish import write_parquets

    repo = tmp_path / "repo"
    shutil.copytree(starter_path(), repo, ignore=shutil.ignore_patterns(MANIFEST))
    # It holds images to names of its own.
    check_task_repo(repo, fix=True)
    path = write_parquets(repo, tmp_path / "out")["starter/test"]
    tasks = tasks_from_repo(repo, split="test")
    assert tasks_from_file(path) == [as_row(task) for task in tasks]


def as_row(task: Task) -> Task:
    """Return a task of a task repo as a row tells of it, whose image a registry holds."""
    assert task.build is not None
    issue = dataclasses.replace(task.issue, image=task.build.name)
    return dataclasses.replace(task, issue=issue, build=None)


@pytest.mark.parametrize(
    "columns",
    [
        # SWE-bench, Lite and Verified: lists as JSON text, and columns of no use here.
        {
            "FAIL_TO_PASS": '["a b[1 - 2]", "c"]',
            "PASS_TO_PASS": "[]",
            "created_at": "2022-03-03T15:14:54Z",
            "environment_setup_commit": "298ccb478e6bf092953bca67a3d29dc6c35f6752",
            "hints_text": "",
            "difficulty": "<15 min fix",
        },
        # Multilingual: lists, another parser, fewer columns.
        {
            "FAIL_TO_PASS": ["a b[1 - 2]", "c"],
            "PASS_TO_PASS": [],
            "log_parser": "parse_log_gotest",
            "hints_text": None,
            "patch": None,
        },
        # Multimodal, as far as its rows have no binary files.
        {
            "FAIL_TO_PASS": '["a b[1 - 2]", "c"]',
            "eval_type": "fail_only",
            "image_assets": '{"problem_statement": [], "patch": [], "test_patch": []}',
            "hints_text": ...,
        },
    ],
    ids=["verified", "multilingual", "multimodal"],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_the_rows_of_every_dataset_make_what_they_make_of_the_reference(
    tmp_path: Path, row: MakeRow, columns: dict[str, object], suffix: str
) -> None:
    from swebench.harness.utils import make_test_spec

    made = row(**columns)
    path = tmp_path / f"test{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([made]), path)
    else:
        path.write_text(json.dumps(made))
    [task] = tasks_from_file(path)
    spec = make_test_spec(made)
    assert task.oracle.fail_to_pass == tuple(spec.FAIL_TO_PASS) == ("a b[1 - 2]", "c")
    assert task.oracle.pass_to_pass == tuple(spec.PASS_TO_PASS)
    assert (task.oracle.log_parser, task.oracle.eval_type) == (spec.log_parser, spec.eval_type)
    assert task.issue.image == spec.image


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


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as loading a dataset takes; one dataset, acme/anvils."""

    commit = "5" * 40
    files: ClassVar[dict[str, bytes]] = {}

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.partition(f"/resolve/{self.commit}/")[2]
        if name in self.files:
            etag = hashlib.sha1(self.files[name]).hexdigest()
            self.answer(200, self.files[name], {"ETag": etag, "X-Repo-Commit": self.commit})
        elif path in ("/api/datasets/acme/anvils", "/api/datasets/acme/anvils/revision/main"):
            self.answer(200, {"id": "acme/anvils", "sha": self.commit, "siblings": []})
        elif path == f"/api/datasets/acme/anvils/tree/{self.commit}":
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                for name, data in self.files.items()
            ]
            self.answer(200, entries)
        elif path.startswith("/api/datasets/acme/gated"):
            self.answer(403, {}, {"X-Error-Code": "GatedRepo"})
        else:
            self.answer(404, {}, {"X-Error-Code": "RepoNotFound"})

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[str]:
    handler = type("Serving", (Hub,), {"files": files})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_split_is_loaded_from_the_hub_and_from_its_cache_when_the_hub_is_gone(
    tmp_path: Path, row: MakeRow
) -> None:
    files = {
        "README.md": b"Anvils.",
        "data/test-00000-of-00002.jsonl": json.dumps(row(instance_id="a")).encode(),
        "data/test-00001-of-00002.jsonl": json.dumps(row(instance_id="b")).encode(),
        "data/dev-00000-of-00001.jsonl": json.dumps(row(instance_id="c", repo="")).encode(),
    }
    with hub(files) as endpoint:
        assert from_hub(endpoint, tmp_path, "acme/anvils", "test") == "['a', 'b']"
        bad = from_hub(endpoint, tmp_path, "acme/anvils", "dev")
        assert "acme/anvils (dev) cannot be used" in bad
        assert "line 1 (c): repo: expected" in bad
        unknown = from_hub(endpoint, tmp_path, "acme/anvils", "train")
        assert "has no split 'train' (its files: dev-00000-of-00001, test-" in unknown
        assert "no dataset acme/nails" in from_hub(endpoint, tmp_path, "acme/nails", "test")
        assert "is gated" in from_hub(endpoint, tmp_path, "acme/gated", "test")
    assert from_hub(endpoint, tmp_path, "acme/anvils", "test") == "['a', 'b']"


def test_a_hub_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    said = from_hub("http://127.0.0.1:9", tmp_path, "lite", "test")
    assert len(said.splitlines()) == 1
    assert "SWE-bench/SWE-bench_Lite is not here and the hub does not answer" in said
