"""SWE-bench's own harness takes the starter suite, and judges patches as `ksolve verify` does."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from swebench.task.repo import load_task_repo

from eval.store import open_run
from tasks.load import load_tasks

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

KSOLVE = (sys.executable, "-m", "ksolve.cli")
STARTER = Path(__file__).resolve().parents[2] / "tasks" / "starter"
PATCHES = ("gold", "noop")
RUN = uuid4().hex
# The harness removes a container that has the name it wants, even one of another session.
TASKS = ("ksolve__cronlite-1", "ksolve__ledger-1", "ksolve__textfold-1")
NOOP = """\
diff --git a/notes.txt b/notes.txt
new file mode 100644
--- /dev/null
+++ b/notes.txt
@@ -0,0 +1 @@
+Nothing is mended.
"""

# What `swebench eval` does, but for its last step: that one asks after every container of the
# engine, and so depends on what others run there.
EVALUATE = """
import sys
from swebench.harness.run_evaluation import run_instances
from swebench.harness.utils import get_predictions_from_file, load_swebench_dataset

dataset, predictions, run_id = sys.argv[1:]
instances = load_swebench_dataset(dataset)
given = get_predictions_from_file(predictions, dataset, "test")
run_instances({one["instance_id"]: one for one in given}, instances, len(instances), run_id, 600)
"""

Answers = dict[tuple[str, str], bool]
"""Whether a patch resolves its task, by the name of the patch and the task's id."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dataset and predictions, as files; the images of the tasks are there."""
    made = tmp_path_factory.mktemp("harness")
    built = {task.id: task.issue.image for task in load_tasks("starter", ids=TASKS)}
    rows = [
        {**row, "image": built[row["instance_id"]]} for row in load_task_repo(STARTER, list(TASKS))
    ]
    write_lines(made / "dataset.jsonl", rows)
    for name in PATCHES:
        write_lines(
            made / f"{name}.jsonl",
            [
                {
                    "instance_id": row["instance_id"],
                    "model_name_or_path": name,
                    "model_patch": row["patch"] if name == "gold" else NOOP,
                }
                for row in rows
            ],
        )
    both = (made / "gold.jsonl").read_text() + (made / "noop.jsonl").read_text()
    (made / "both.jsonl").write_text(both)
    ids = [word for name in TASKS for word in ("--id", name)]
    subprocess.run([*KSOLVE, "tasks", "build", "starter", *ids], check=True)
    return made


def write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def answers_of_the_harness(folder: Path) -> Answers:
    # Both at once, since the harness waits 15 seconds for each container to stop.
    with ThreadPoolExecutor() as pool:
        logs = dict(zip(PATCHES, pool.map(partial(evaluated, folder), PATCHES), strict=True))
    answers = {}
    for name in PATCHES:
        for task_id in TASKS:
            told = folder / "logs" / "run_evaluation" / f"{name}-{RUN}" / name / task_id
            assert (told / "report.json").exists(), logs[name]
            report = json.loads((told / "report.json").read_text())[task_id]
            assert report["patch_successfully_applied"]
            answers[name, task_id] = report["resolved"]
    return answers


def evaluated(folder: Path, name: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", EVALUATE, "dataset.jsonl", f"{name}.jsonl", f"{name}-{RUN}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=True,
    )
    return done.stdout


def answers_of_ksolve(folder: Path) -> Answers:
    words = (
        "--tasks",
        "dataset.jsonl",
        "--predictions",
        "both.jsonl",
        "--out",
        "verified",
        "--fresh",
    )
    done = subprocess.run(
        [*KSOLVE, "verify", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    with open_run(folder / "verified") as store:
        return {(row.model, row.task_id): row.outcome == "resolved" for row in store.rows()}


def test_gold_resolves_and_a_note_does_not_by_the_harness_as_by_ksolve(folder: Path) -> None:
    expected = {(name, task_id): name == "gold" for name in PATCHES for task_id in TASKS}
    assert answers_of_the_harness(folder) == expected
    assert answers_of_ksolve(folder) == expected
