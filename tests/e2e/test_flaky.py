"""A seeded flaky task beside a steady one: found in real containers, remembered, told apart."""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.base import BASE_IMAGE
from tasks.task import ImageBuild

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

KSOLVE = (sys.executable, "-m", "ksolve.cli")
IMAGE = "ksolve-test/flaky:1"
REPEAT = 2
COINS = 16
"""Each is tossed anew in every run: all agree in 2 runs of base and gold with a chance of 2^-32."""

CODE = "def double(number):\n    return number\n"
MENDED = "def double(number):\n    return 2 * number\n"
F2P = "tests/test_double.py::test_double"
P2P = "tests/test_double.py::test_nothing"
STEADY_TESTS = """\
from doubling import double


def test_double():
    assert double(2) == 4


def test_nothing():
    assert double(0) == 0
"""
FLAKY_TESTS = f"""\
import os

import pytest
{STEADY_TESTS}

@pytest.mark.parametrize("coin", range({COINS}))
def test_coin(coin):
    assert os.urandom(1)[0] % 2
"""
DOCKERFILE = f"""\
FROM {BASE_IMAGE}
COPY --chown=solver:solver doubling.py /testbed/
RUN git init -q -b main && git add -A && git commit -q -m base
"""


def added(path: str, text: str) -> str:
    lines = text.splitlines(keepends=True)
    diff = "".join(difflib.unified_diff([], lines, "/dev/null", f"b/{path}"))
    return f"diff --git a/{path} b/{path}\nnew file mode 100644\n{diff}"


def row(name: str, tests: str, pass_to_pass: list[str]) -> dict[str, object]:
    test_patch = added("tests/test_double.py", tests)
    gold = difflib.unified_diff([*CODE.splitlines(keepends=True)], MENDED.splitlines(keepends=True))
    return {
        "instance_id": name,
        "image": IMAGE,
        "repo": "ksolve/doubling",
        "version": "1",
        "base_commit": "HEAD",
        "problem_statement": "double(2) is 2.",
        "patch": "".join(gold)
        .replace("--- ", "--- a/doubling.py")
        .replace("+++ ", "+++ b/doubling.py"),
        "test_patch": test_patch,
        "FAIL_TO_PASS": [F2P],
        "PASS_TO_PASS": pass_to_pass,
        "log_parser": "parse_log_pytest",
        "eval_type": "pass_and_fail",
        "eval_script": (
            "#!/bin/bash\nset -uxo pipefail\ncd /testbed\n"
            f"git apply -v - <<'EOF_TESTS'\n{test_patch}EOF_TESTS\n"
            ": '>>>>> Start Test Output'\n"
            "python3 -m pytest -rA -p no:cacheprovider tests\n"
            ": '>>>>> End Test Output'\n"
        ),
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two tasks as rows of a file; their image is there until the tests are over."""
    folder = tmp_path_factory.mktemp("flaky")
    (folder / "doubling.py").write_text(CODE)
    coins = [f"tests/test_double.py::test_coin[{i}]" for i in range(COINS)]
    rows = [row("coins", FLAKY_TESTS, [P2P, *coins]), row("steady", STEADY_TESTS, [P2P])]
    path = folder / "tasks.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))

    async def build() -> None:
        recipe = ImageBuild(tag=IMAGE, dockerfile=DOCKERFILE, context=folder)
        async with DockerHost() as host:
            await ensure_image(host, BASE_IMAGE, None, lambda _: None)
            await ensure_image(host, IMAGE, recipe, lambda _: None)

    asyncio.run(build())
    yield path
    client = docker.from_env()
    client.images.remove(IMAGE, force=True)
    client.close()


@pytest.fixture
def own_folders(tmp_path: Path) -> Mapping[str, str]:
    """Folders of ksolve's own, where nothing is known yet."""
    return {
        **os.environ,
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def ksolve(environment: Mapping[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KSOLVE, *map(str, words)], env=environment, capture_output=True, text=True, check=False
    )


def test_coins_are_found_to_be_flaky_and_reported_apart_from_then_on(
    dataset: Path, own_folders: Mapping[str, str], tmp_path: Path
) -> None:
    validate = ("tasks", "validate", dataset, "--repeat", str(REPEAT), "--workers", "2", "--json")
    done = ksolve(own_folders, *validate)
    coins, steady = json.loads(done.stdout)
    assert (steady["valid"], steady["flaky"], steady["problems"]) == (True, [], [])
    assert coins["flaky_tests"]
    assert all("::test_coin[" in test for test in coins["flaky_tests"])
    sides = {sentence.rpartition(" runs of ")[2] for sentence in coins["flaky"]}
    assert sides <= {"the base", "the gold patch"}
    # Whether most runs had all heads is up to the coins.
    assert done.returncode == (0 if coins["valid"] else 1)
    told = " ".join(done.stderr.split())
    assert f"steady: valid (1 F2P, 1 P2P, the same in {REPEAT} runs" in told
    assert f"of {REPEAT} runs of " in told
    assert "Known to be flaky (1): coins." in told

    # A subset of the dataset knows it too, and its runs are added to those before.
    again = ksolve(own_folders, *validate, "--id", "coins")
    (more,) = json.loads(again.stdout)
    assert set(coins["flaky_tests"]) <= set(more["flaky_tests"])
    assert all(f" of {2 * REPEAT} runs of " in sentence for sentence in more["flaky"])

    words = ("verify", "--tasks", dataset, "--predictions", "gold", "--out", tmp_path / "run")
    report = json.loads(ksolve(own_folders, *words, "--json").stdout)
    assert report["flaky"] == ["coins"]
    (arm,) = report["solvers"]
    apart = arm["without_flaky"]
    assert (arm["issues"], apart["issues"], apart["solved"]) == (2, 1, 1)
    assert [point["coverage"] for point in apart["pass_at_k"]] == [1.0]
    text = ksolve(own_folders, "report", tmp_path / "run", "--markdown").stdout
    assert "The same without 1 issue known to be flaky (coins):" in text


def test_one_run_tells_and_remembers_nothing_of_flakiness(
    dataset: Path, own_folders: Mapping[str, str]
) -> None:
    done = ksolve(own_folders, "tasks", "validate", dataset, "--id", "steady")
    assert done.returncode == 0, done.stderr
    assert "steady: valid (1 F2P, 1 P2P, " in done.stdout
    assert "flaky" not in done.stdout
    assert not Path(own_folders["XDG_DATA_HOME"]).exists()


def test_an_invalid_task_is_told_with_its_reason_and_the_logs(
    dataset: Path, own_folders: Mapping[str, str], tmp_path: Path
) -> None:
    steady = json.loads(dataset.read_text().splitlines()[1])
    names = [f"tests/test_double.py::test_no_such_{number}" for number in range(300)]
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps(steady | {"PASS_TO_PASS": json.dumps([P2P, *names])}) + "\n")
    logs = tmp_path / "logs"
    done = ksolve(own_folders, "tasks", "validate", broken, "--logs", logs)
    assert done.returncode == 1, done.stderr
    *_, line, count = done.stdout.splitlines()
    assert "300 tests, each of which fails on the base: " in line
    assert "and 297 more; " in line
    assert len(line) < 1_000
    assert count == "0 of 1 tasks are valid."
    assert "assert" in (logs / "steady" / "base.log").read_text()
    assert f"(logs: {logs / 'steady' / 'base.log'}, {logs / 'steady' / 'gold.log'})" in line


def test_a_gold_patch_that_fails_here_is_warned_of_and_nothing_is_said_to_have_passed(
    dataset: Path, own_folders: Mapping[str, str], tmp_path: Path
) -> None:
    steady = json.loads(dataset.read_text().splitlines()[1])
    names = [P2P, "tests/test_double.py::test_gone"]
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps(steady | {"PASS_TO_PASS": json.dumps(names)}) + "\n")
    words = ("verify", "--tasks", broken, "--out", tmp_path / "gold", "--predictions", "gold")
    done = ksolve(own_folders, *words)
    assert done.returncode == 1, done.stderr
    told = " ".join(done.stdout.split())
    assert "steady unresolved 1 of 2 PASS_TO_PASS fail: tests/test_double.py::test_gone" in told
    assert "gold: 0 of 1 instance resolved (0.0%); 1 unresolved." in told
    assert "The gold patch fails on this machine for 1 instance (steady)" in told
    shown = ksolve(own_folders, "show", tmp_path / "gold", "steady").stdout
    assert "do not on this machine" in shown
    assert "passed before" not in shown
    # What is known of the gold patch is said of other predictions, too.
    other = {"instance_id": "steady", "model_name_or_path": "m", "model_patch": steady["patch"]}
    preds = tmp_path / "preds.jsonl"
    preds.write_text(json.dumps(other | {"model_patch": other["model_patch"] + "\n"}) + "\n")
    also = ("verify", "--tasks", broken, "--out", tmp_path / "m", "--predictions", preds)
    done = ksolve(own_folders, *also)
    assert "The gold patch fails on this machine for 1 instance (steady)" in " ".join(
        done.stdout.split()
    )


def test_a_damaged_record_is_told_before_any_run(
    dataset: Path, own_folders: Mapping[str, str]
) -> None:
    record = Path(own_folders["XDG_DATA_HOME"]) / "ksolve" / "flaky.db"
    record.parent.mkdir(parents=True)
    record.write_text("not a database, and longer than the header of one would be" * 20)
    done = ksolve(own_folders, "tasks", "validate", dataset, "--repeat", "2")
    assert done.returncode == 3
    assert done.stdout == ""
    assert " ".join(done.stderr.split()).startswith("error: The record of flaky tasks ")
    assert "Traceback" not in done.stderr
