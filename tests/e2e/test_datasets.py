"""Rows of published datasets, from the file to the verdict, in containers like those of theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("base_image")]

TAG = "ksolve-tests/datasets:1"
# The repository where the images of each family hold it, and a conda that does nothing.
DOCKERFILE = """\
FROM ksolve/base:1
USER root
COPY repo/ /testbed/
RUN cd /testbed && git init -q -b main . && git add -A \\
 && git -c user.name=a -c user.email=a@localhost commit -qm base \\
 && cp -r /testbed /anvil && cp -r /testbed "/srv/anvil works" && mkdir -p /opt/miniconda3/bin \\
 && echo 'conda() { CONDA_DEFAULT_ENV=$2; }' > /opt/miniconda3/bin/activate
"""
SOURCE = "def weight(n):\n    return n - 1\n"
OLD_TEST = "def test_old():\n    assert True\n"
GOLD = """\
diff --git a/anvil.py b/anvil.py
--- a/anvil.py
+++ b/anvil.py
@@ -1,2 +1,2 @@
 def weight(n):
-    return n - 1
+    return n
"""
WRONG = GOLD.replace("+    return n\n", "+    return n + 1\n")
TEST_PATCH = """\
diff --git a/tests/test_anvil.py b/tests/test_anvil.py
--- a/tests/test_anvil.py
+++ b/tests/test_anvil.py
@@ -1,2 +1,8 @@
+from anvil import weight
+
+
 def test_old():
     assert True
+
+def test_weight():
+    assert weight(2) == 2
"""
TESTS = {
    "FAIL_TO_PASS": repr(["tests/test_anvil.py::test_weight"]),
    "PASS_TO_PASS": "tests/test_anvil.py::test_old",
}
VERIFY = [sys.executable, "-m", "ksolve.cli", "verify"]
PYTEST = "python3 -m pytest -rA -p no:cacheprovider"


@pytest.fixture(scope="module")
def commit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the image, and return its base commit."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "repo" / "tests").mkdir(parents=True)
    (folder / "repo" / "anvil.py").write_text(SOURCE)
    (folder / "repo" / "tests" / "test_anvil.py").write_text(OLD_TEST)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    subprocess.run(["docker", "build", "-q", "-t", TAG, str(folder)], check=True, timeout=600)
    asked = ["docker", "run", "--rm", TAG, "git", "-C", "/testbed", "rev-parse", "HEAD"]
    return subprocess.check_output(asked, text=True, timeout=600).strip()


def rows(commit: str) -> dict[str, dict[str, Any]]:
    shared: dict[str, Any] = {
        "repo": "acme/anvil",
        "base_commit": commit,
        "problem_statement": "The anvil is too light.",
        "patch": GOLD,
        "test_patch": TEST_PATCH,
        **TESTS,
    }
    config = {"install": "python3 -c 'import anvil'", "log_parser": "parse_log_pytest"}
    rebench = {**shared, "docker_image": TAG, "install_config": {**config, "test_cmd": PYTEST}}
    v2 = {
        **shared,
        "image_name": TAG,
        "language": "python",
        "install_config": {**config, "test_cmd": ["test -d tests", PYTEST]},
    }
    live = {**shared, "docker_image": TAG, "test_cmds": [PYTEST], "log_parser": "pytest"}
    made = {
        "swe-rebench": rebench,
        "swe-rebench-elsewhere": {**rebench, "workdir": "/srv/anvil works"},
        "swe-rebench-v2": v2,
        "swe-bench-live": live,
    }
    return {name: {"instance_id": name, **row} for name, row in made.items()}


def test_rows_of_each_dataset_tell_a_fix_from_what_is_none(tmp_path: Path, commit: str) -> None:
    given = rows(commit)
    tasks = tmp_path / "rows.jsonl"
    lacking = {
        "instance_id": "moto-1",
        "repo": "getmoto/moto",
        "base_commit": "c",
        "test_patch": "",
    }
    tasks.write_text("\n".join(map(json.dumps, [*given.values(), lacking])))
    predictions = tmp_path / "predictions.jsonl"
    lines = [
        {"instance_id": name, "patch": patch, "prefix": model}
        for name in given
        for model, patch in (("right", GOLD), ("wrong", WRONG))
    ]
    predictions.write_text("\n".join(map(json.dumps, lines)))
    options = ["--predictions", str(predictions), "--out", str(tmp_path / "run"), "--fresh"]
    done = subprocess.run(
        [*VERIFY, "--tasks", str(tasks), "--skip-invalid", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 1, done.stderr
    assert "this is a row of SWE-Gym" in done.stderr
    for model, resolved in (("right", set(given)), ("wrong", set())):
        report = json.loads((tmp_path / "run" / f"{model}.run.json").read_text())
        assert set(report["resolved_ids"]) == resolved
        assert set(report["unresolved_ids"]) == set(given) - resolved
