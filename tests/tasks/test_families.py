"""Rows of the published datasets: what is made of them, and what is said of what they lack."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.families import FAMILIES, OLDER, family_of
from tasks.rows import DatasetError, tasks_from_rows
from tasks.swebench import tasks_from_file
from tasks.task import Task

Row = dict[str, Any]
MakeRow = Callable[..., Row]

TEST_PATCH = """\
diff --git a/tests/test_new.py b/tests/test_new.py
new file mode 100644
--- /dev/null
+++ b/tests/test_new.py
@@ -0,0 +1,2 @@
+def test_new():
+    assert True
diff --git a/tests/test_old.py b/tests/test_old.py
--- a/tests/test_old.py
+++ b/tests/test_old.py
@@ -1 +1 @@
-a = 1
+a = 2
diff --git a/tests/data.json b/tests/data.json
--- a/tests/data.json
+++ b/tests/data.json
@@ -1 +1 @@
-{}
+[]
"""

SHARED: Row = {
    "instance_id": "acme__anvil-7",
    "repo": "acme/anvil",
    "base_commit": "0123456789abcdef",
    "patch": "a gold patch",
    "test_patch": TEST_PATCH,
    "problem_statement": "The anvil floats.",
    "created_at": "2024",
}
LISTS: Row = {"FAIL_TO_PASS": ["tests/test_new.py::test_new"], "PASS_TO_PASS": []}

REBENCH: Row = {
    **SHARED,
    **LISTS,
    "environment_setup_commit": "0123456789abcdef",
    "hints_text": "",
    "meta": {"llm_score": {"difficulty_score": 1}},
    "version": "0.3",
    "install_config": {
        "install": "pip install -e .[dev]",
        "log_parser": "parse_log_pytest",
        "no_use_env": None,
        "packages": "requirements.txt",
        "pip_packages": ["pytest"],
        "pre_install": None,
        "python": "3.9",
        "reqs_path": ["requirements.txt"],
        "test_cmd": "pytest --no-header -rA --tb=line --color=no",
    },
    "docker_image": "swerebench/sweb.eval.x86_64.acme_1776_anvil-7",
    "license_name": "MIT",
}
REBENCH_V2: Row = {
    **SHARED,
    **LISTS,
    "language": "python",
    "interface": "",
    "pr_description": "",
    "image_name": "docker.io/swerebenchv2/acme-anvil:7-0123456",
    "install_config": {
        "base_image_name": "python_base_310",
        "install": ["pip install -e ."],
        "log_parser": "parse_log_pytest",
        "test_cmd": ["make lib", "pytest -rA"],
    },
}
LIVE: Row = {
    **SHARED,
    **LISTS,
    "pull_number": "7",
    "hints_text": "",
    "all_hints_text": "",
    "commit_urls": ["u"],
    "test_cmds": ["pytest -rA"],
    "log_parser": "pytest",
    "difficulty": {"files": 1, "hunks": 1, "lines": 1},
}
GYM: Row = {**SHARED, **LISTS, "repo": "Project-MONAI/MONAI", "version": "1.1", "hints_text": ""}
PRO: Row = {
    **SHARED,
    "instance_id": "instance_acme__anvil-0123456789-vnan",
    "fail_to_pass": "[\"a\", 'b']",
    "pass_to_pass": "[]",
    "requirements": "",
    "interface": "",
    "repo_language": "js",
    "issue_specificity": "",
    "issue_categories": "",
    "before_repo_set_cmd": "git reset --hard",
    "selected_test_files_to_run": "['test/a.js']",
    "dockerhub_tag": "acme.anvil-acme__anvil-0123456789",
}
MULTI: Row = {
    "org": "acme",
    "repo": "anvil",
    "number": 7,
    "state": "closed",
    "title": "t",
    "body": "b",
    "base": {"label": "acme:main", "ref": "main", "sha": "0123456789abcdef"},
    "resolved_issues": [],
    "fix_patch": "a gold patch",
    "test_patch": TEST_PATCH,
    "fixed_tests": {"a": {"run": "NONE", "test": "FAIL", "fix": "PASS"}},
    "f2p_tests": {"a": {"run": "NONE", "test": "FAIL", "fix": "PASS"}},
    "p2p_tests": {},
    "instance_id": "acme__anvil-7",
}
SMITH: Row = {
    "instance_id": "acme__anvil.01234567.combine_file__1",
    "repo": "swesmith/acme__anvil.01234567",
    "patch": "the bug",
    "image_name": "swebench/swesmith.x86_64.acme_1776_anvil.01234567",
    "problem_statement": "s",
    **LISTS,
}
R2E: Row = {
    "repo_name": "sympy",
    "docker_image": "namanjain12/sympy_final:0123",
    "commit_hash": "0123",
    "parsed_commit_content": "{}",
    "execution_result_content": "{}",
    "prompt": "p",
    "problem_statement": "s",
    "expected_output_json": '{"test_a": "PASSED", "test_b": "FAILED"}',
}
POLY: Row = {
    **SHARED,
    "Dockerfile": "FROM node",
    "test_command": "npm test",
    "F2P": "['a']",
    "P2P": "[]",
    "F2F": "[]",
    "language": "JavaScript",
}
SCALE: Row = {
    **SHARED,
    **LISTS,
    "image_url": "acme/anvil:7",
    "workdir": "/workspace/anvil",
    "pre_commands": "git checkout 0123",
    "f2p_script": "",
}
MULTI_LANG: Row = {
    **LIVE,
    "rebuild_cmds": ["make"],
    "print_cmds": ["cat log"],
    "log_parser": "def parser(log):\n    return {}\n",
    "docker_image": "starryzhang/sweb.eval.x86_64.acme_1776_anvil-7",
}


def task_of(row: Row) -> Task:
    [task] = tasks_from_rows("x", [("line 1", row)])
    return task


def said_of(row: Row, *others: Row) -> str:
    with pytest.raises(DatasetError) as caught:
        tasks_from_rows(
            "x", [("line 1", row), *((f"line {n}", one) for n, one in enumerate(others))]
        )
    return str(caught.value)


def without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize(
    ("row", "name", "lacks"),
    [
        (GYM, "SWE-Gym", "names no image, no test command and no log parser"),
        (PRO, "SWE-bench Pro", "neither the script that runs its tests nor the program"),
        (MULTI, "Multi-SWE-bench", "no test command and no log parser"),
        (SMITH, "SWE-smith", "its patch is the bug"),
        (R2E, "R2E-Gym", "compares the outcome of every test"),
        (POLY, "SWE-PolyBench", "a Dockerfile in place of an image"),
        (SCALE, "Scale-SWE", "a report that pytest writes"),
        (MULTI_LANG, "SWE-bench-Live's MultiLang or Windows", "its log parser as a program"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_dataset_that_lacks_its_evaluation_is_refused_by_its_own_name(
    row: Row, name: str, lacks: str
) -> None:
    alone = said_of(row)
    assert f"x holds rows of {name} (1 of 1)." in alone
    assert lacks in alone
    assert "the columns image, eval_script, log_parser and eval_type" in alone
    assert len(alone.splitlines()) == 1
    beside = said_of(row, {**REBENCH, "base_commit": ""})
    assert f"this is a row of {name}: it " in beside


def test_a_refused_row_that_is_given_its_evaluation_is_a_task(row: MakeRow) -> None:
    """What the error asks for is enough, and the family says where its images hold the code."""
    needed = {
        name: row()[name] for name in ("image", "eval_script", "log_parser", "eval_type", "version")
    }
    for given, workdir in ((GYM, "/testbed"), (PRO, "/app"), (SCALE, "/workspace/anvil")):
        assert task_of({**given, **needed}).issue.workdir == PurePosixPath(workdir)
    task = task_of({**PRO, **needed})
    assert task.oracle.fail_to_pass == ("a", "b")
    assert task.oracle.pass_to_pass == ()
    assert task_of({**POLY, **needed}).oracle.fail_to_pass == ("a",)


def test_swe_rebench_is_evaluated_as_its_fork_of_swe_bench_does() -> None:
    task = task_of(REBENCH)
    assert task.issue.image == "swerebench/sweb.eval.x86_64.acme_1776_anvil-7"
    assert task.issue.workdir == PurePosixPath("/testbed")
    assert (task.oracle.log_parser, task.oracle.eval_type) == ("parse_log_pytest", "pass_and_fail")
    assert task.oracle.fail_to_pass == ("tests/test_new.py::test_new",)
    assert task.oracle.gold_patch == "a gold patch"
    before, _, after = task.oracle.eval_script.partition(": '>>>>> Start Test Output'\n")
    restore = "git checkout 0123456789abcdef tests/test_old.py tests/data.json\n"
    assert "conda activate testbed\npip install -e .[dev]\n" in before
    # A build that asks git for its version needs both.
    assert before.index("cd /testbed\ngit config --global --add safe") < before.index("pip install")
    assert before.index("pip install") < before.index(restore) < before.index("git apply -v - <<")
    # The files of the test patch that are tests; data is none.
    assert after == (
        "pytest --no-header -rA --tb=line --color=no tests/test_new.py tests/test_old.py\n"
        f": '>>>>> End Test Output'\n{restore}"
    )


def test_swe_rebench_v2_runs_in_a_folder_of_the_repository_and_stops_at_a_failure() -> None:
    task = task_of(REBENCH_V2)
    assert task.issue.image == "docker.io/swerebenchv2/acme-anvil:7-0123456"
    assert task.issue.workdir == PurePosixPath("/anvil")
    script = task.oracle.eval_script
    assert "cd /anvil\n" in script
    assert "git checkout 0123456789abcdef tests/test_old.py tests/data.json\n" in script
    # `git apply --recount` takes a blank line at the end for one of the file's.
    assert f"--whitespace=nowarn - <<'EOF_114329324912'\n{TEST_PATCH}EOF_114329324912\n" in script
    assert "Start Test Output'\n(\nset -e\nmake lib\npytest -rA\n)\n: '" in script


def test_swe_bench_live_names_its_image_by_its_convention() -> None:
    task = task_of(LIVE)
    assert task.issue.image == "starryzhang/sweb.eval.x86_64.acme_1776_anvil-7:latest"
    assert task.oracle.log_parser == "parse_log_pytest"
    assert "Start Test Output'\npytest -rA\n: '" in task.oracle.eval_script
    assert "git apply --verbose --reject - <<" in task.oracle.eval_script
    assert task_of({**LIVE, "docker_image": "mine:1"}).issue.image == "mine:1"


def config(row: Row, **changes: object) -> Row:
    return {**row, "install_config": {**row["install_config"], **changes}}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**REBENCH, "docker_image": None}, "docker_image: this is a row of SWE-rebench: expected"),
        (without(REBENCH, "docker_image"), "expected the reference of its image, got nothing"),
        (config(REBENCH, test_cmd=None), "install_config.test_cmd: this is a row of SWE-rebench"),
        (config(REBENCH, log_parser="parse_log_pytest_v2"), "none that reads logs alike"),
        (config(REBENCH, log_parser="sympy/sympy"), "'sympy/sympy' is the dataset's own"),
        (config(REBENCH, install=5), "install_config.install: this is a row of SWE-rebench"),
        ({**REBENCH, "install_config": None}, "install_config.test_cmd"),
        ({**REBENCH, "test_patch": "@@ -1 +1 @@\n"}, "test_patch: expected a patch in unified"),
        (config(REBENCH_V2, log_parser="parse_log_js_4"), "'parse_log_js_4' is the dataset's own"),
        (
            config(REBENCH_V2, test_cmd=[]),
            "install_config.test_cmd: this is a row of SWE-rebench V2",
        ),
        ({**REBENCH_V2, "PASS_TO_PASS": ["adds [1.34 ms]"]}, "'adds [1.34 ms]' holds a time"),
        ({**REBENCH_V2, "PASS_TO_PASS": ["CRC in 29.08 msec"]}, "PASS_TO_PASS: this is a row of"),
        ({**LIVE, "log_parser": "def f(log):\n  return {}"}, "expected 'pytest', got a program"),
        ({**LIVE, "test_cmds": []}, "test_cmds: this is a row of SWE-bench-Live"),
        ({**LIVE, "fail_to_pass": ["another"]}, "FAIL_TO_PASS and fail_to_pass differ"),
        ({**REBENCH, "workdir": "testbed"}, "expected the absolute path of the repository"),
        ({**REBENCH, "repo_dir": "/a/../b"}, "expected the absolute path of the repository"),
    ],
)
def test_a_row_whose_verdict_would_be_a_guess_says_what_is_missing(row: Row, said: str) -> None:
    assert said in said_of(row)


def test_the_work_directory_of_a_row_is_where_its_script_runs() -> None:
    for name in ("workdir", "repo_dir", "working_dir"):
        task = task_of({**REBENCH, name: "/srv/anvil works"})
        assert task.issue.workdir == PurePosixPath("/srv/anvil works")
        assert "cd '/srv/anvil works'\n" in task.oracle.eval_script
        assert "/testbed" not in task.oracle.eval_script


def test_rows_read_from_parquet_are_the_same_tasks(tmp_path: Path) -> None:
    """Arrow gives structs with a null for what a row lacks, and lists of its own."""
    for row in (REBENCH, REBENCH_V2, LIVE):
        pq.write_table(pa.Table.from_pylist([row, without(row, "patch")]), tmp_path / "a.parquet")
        with pytest.raises(DatasetError, match="an id of its own"):
            tasks_from_file(tmp_path / "a.parquet")
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
        assert tasks_from_file(tmp_path / "a.parquet") == [task_of(row)]


def test_the_scripts_are_bash(tmp_path: Path) -> None:
    for row in (REBENCH, REBENCH_V2, LIVE, {**REBENCH, "workdir": "/a b"}):
        script = task_of(row).oracle.eval_script
        done = subprocess.run(
            ["bash", "-n"], input=script, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_every_family_is_recognised_by_its_own_rows_only(row: MakeRow) -> None:
    rows = [MULTI, PRO, R2E, SMITH, POLY, SCALE, REBENCH_V2, REBENCH, MULTI_LANG, LIVE, GYM]
    assert [family_of(one) for one in rows] == list(FAMILIES)
    assert family_of(row()) is None
    assert family_of(row(image=..., eval_script=...)) is OLDER
    assert family_of(row(eval_script=...)) is None


def test_a_null_in_a_column_that_ksolve_may_read_is_as_good_as_none(row: MakeRow) -> None:
    given = row(workdir=None, network=None, time_limit=None, PASS_TO_PASS=None)
    assert task_of(given) == task_of(row())
    assert task_of(row(network=True)).issue.network
