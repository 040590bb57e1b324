"""Commands that read a run work where nothing may be written, and change nothing anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eval.test_opening import killed, state
from tests.ksolve.recorded import record

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import json, sys
from pathlib import Path
from typer.testing import CliRunner
from ksolve.cli import app
from tests.ksolve.view.visit import visitor
run, away = map(Path, sys.argv[1:])
try:
    (run / "new").touch()
    raise SystemExit("it can be written to")
except PermissionError:
    pass
told = {}
for words in (
    ["report", run, "--json", "--html", away / "report.html"],
    ["show", run, "t0", "--model", "large"],
    ["export", run, "--jsonl", away / "tables", "--predictions", away / "p.jsonl"],
    ["simulate", run, "--replays", "3"],
    ["select", run, "--compare"],
    ["select", run, "--out", away / "chosen.jsonl"],
):
    done = CliRunner().invoke(app, list(map(str, words)))
    told[" ".join(map(str, words))] = (done.exit_code, done.output)
with visitor(run) as client:
    for page in ("/run/run", "/run/run/issue/0", "/run/run/issue/0/sample/0/0"):
        answer = client.get(page)
        told[page] = (answer.status_code - 200, answer.text)
print(json.dumps(told))
"""


def without_permission() -> list[str]:
    """Return the words before a command that make file permissions bind it, root or not."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv that takes that from it")
    return ["setpriv", "--bounding-set", "-all"]


@pytest.mark.parametrize("kind", ["finished", "killed", "killed, without its index"])
def test_a_folder_that_cannot_be_written_to_is_read_in_full(tmp_path: Path, kind: str) -> None:
    run = record(tmp_path / "run") if kind == "finished" else killed(tmp_path / "run")
    if "index" in kind:
        for index in run.glob("*-shm"):
            index.unlink()
    away = tmp_path / "away"
    away.mkdir()
    before = state(run)
    for file in run.iterdir():
        file.chmod(0o444)
    run.chmod(0o555)
    done = subprocess.run(
        [*without_permission(), sys.executable, "-c", SCRIPT, str(run), str(away)],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(away), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    run.chmod(0o755)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {words: code for words, (code, _) in told.items() if code} == {}, told
    assert state(run) == before
    is_late = "the last word before the end" in told["/run/run"][1]
    assert is_late == (kind != "finished")
    assert (away / "report.html").read_text("utf-8").count("the last word") == is_late
