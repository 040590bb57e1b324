"""The whole path with a real model: vLLM serves it, containers judge what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.local.server_env import has_server_program
from agent.local.weights import has_weights

SMALL = "qwen2.5-coder-0.5b"
TASK = "ksolve__textfold-1"
SAMPLES = 4


@pytest.mark.docker
@pytest.mark.model
@pytest.mark.usefixtures("docker_engine")
def test_a_run_with_the_small_model_is_drawn_judged_metered_and_cleaned_up(tmp_path: Path) -> None:
    if not (has_weights(SMALL) and has_server_program()):
        assert not os.environ.get("KSOLVE_REQUIRE_MODEL"), "run `ksolve doctor --mend`"
        pytest.skip("the local model is not set up: run `ksolve doctor --mend`")
    out = tmp_path / "run"
    words = ("--tasks", "starter", "--id", TASK, "--model", f"vllm:{SMALL}", "--out", str(out))
    limits = (
        "--samples",
        str(SAMPLES),
        "--max-tokens",
        "200",
        "--price",
        "hour=0.1",
        "--fresh",
        "--json",
    )
    done = subprocess.run(
        [sys.executable, "-m", "ksolve.cli", "run", *words, *limits],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (arm,) = json.loads(done.stdout)["solvers"]
    assert arm["samples"] == SAMPLES
    assert sum(arm["outcomes"].values()) == SAMPLES
    usage = arm["usage"]
    assert usage["input_tokens"] > usage["output_tokens"] > 0
    # The first sample warms the prefix cache; the others find most of their prompt in it.
    assert usage["cached_tokens"] > usage["input_tokens"] / 2
    assert arm["cost"] == pytest.approx(usage["accelerator_seconds"] / 3600 * 0.1)
