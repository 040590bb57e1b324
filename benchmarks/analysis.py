"""What analysis costs on a run of a million samples: time and memory of each step, one by one.

The run is synthetic (500 issues, 2 models, 1,000 samples of each by default) and written straight
into the tables, not by a sweep; solve rates, shared patches and tokens are spread as in real runs.
Every step runs in a process of its own, so that its peak of memory is its own; steps that are
commands are measured as a person meets them, imports included.

    python -m benchmarks.analysis
    python -m benchmarks.analysis --samples 100 --steps load report
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import zstandard
from rich.console import Console
from sqlalchemy.dialects.sqlite import insert

from agent.backend import Message, Usage
from agent.trajectory import Turn, to_json
from eval.coverage import curve, ladder
from eval.opening import open_database
from eval.schema import (
    FAILURES,
    RECORDS,
    SAMPLES,
    TEXTS,
    TEXTS_SCHEMA,
    USAGE,
    VERDICTS,
)
from eval.store import Store
from ksolve.progress import SweepProgress
from sandbox.patch import patch_digest

MODELS = ("openai:small", "openai:large")
STRATEGY = "oneshot"
PRICES = (0.3e-6, 3e-6)
"""US dollars a token."""

MEAN_SOLVED = (0.06, 0.15)
"""Of one sample, by model; most issues lie far below it and a few far above."""

PENDING, BLANK = 0.002, 0.05
"""Shares of the samples."""

REPEATS = 1.25
"""Exponent of how often patches come again: at this one in three of a thousand is new."""


def main() -> None:
    """Build the run, run every step on it, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--issues", type=int, default=500)
    parser.add_argument("--samples", type=int, default=1000, help="of each issue by each model")
    parser.add_argument("--run", type=Path, help="build the run here, or measure the one here")
    parser.add_argument("--steps", nargs="+", choices=[*STEPS, *COMMANDS])
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        _step(asked.step, asked.run)
        return
    with tempfile.TemporaryDirectory() as scratch:
        run = asked.run or Path(scratch) / "run"
        if not (run / "run.db").exists():
            started = time.monotonic()
            build(run, issues=asked.issues, samples=asked.samples)
            print(f"built in {time.monotonic() - started:.0f} s")
        size = sum(file.stat().st_size for file in run.iterdir()) / 2**20
        print(f"{run.name}: {size:,.0f} MiB on disk")
        print(f"{'step':<34} {'seconds':>8} {'processor':>10} {'peak MiB':>9}")
        for name in asked.steps or [*STEPS, *COMMANDS]:
            measure(name, run, Path(scratch))


def measure(name: str, run: Path, scratch: Path) -> None:
    """Run one step in a process of its own and print what it took."""
    if name in STEPS:
        words = ["benchmarks.analysis", "--step", name, "--run", str(run)]
    else:
        given = {"RUN": str(run), "OUT": str(scratch / name)}
        words = ["ksolve.cli", *(given.get(word, word) for word in COMMANDS[name])]
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", *words], stdout=None if name in STEPS else subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}")
    seconds = time.monotonic() - started
    processor = used.ru_utime + used.ru_stime
    print(
        f"{name:<34} {seconds:>8.1f} {processor:>10.1f} {used.ru_maxrss / 1024:>9.0f}", flush=True
    )


def build(run: Path, *, issues: int, samples: int) -> None:
    """Write a run."""
    run.mkdir(parents=True)
    tasks = [f"org__repo-{i}" for i in range(issues)]
    with Store(run) as store:
        store.begin(
            {
                "tasks": "synthetic",
                "tasks_digest": hashlib.sha256(b"synthetic").hexdigest(),
                "task_ids": tasks,
                "arms": [[model, STRATEGY] for model in MODELS],
                "prices": {m: f"${p * 1e6} a million" for m, p in zip(MODELS, PRICES, strict=True)},
                "settings": {},
                "samples": [samples] * len(MODELS),
                "budgets": [],
                "flaky": tasks[:5],
            }
        )
    world = _World(tasks)
    records = open_database(run / "run.db", RECORDS)
    texts = open_database(run / "texts.db", TEXTS_SCHEMA)
    for index in range(samples):
        rows, verdicts, kept = world.draw(index)
        with records.begin() as connection:
            connection.execute(insert(VERDICTS).on_conflict_do_nothing(), verdicts)
            connection.execute(insert(SAMPLES), rows)
        with texts.begin() as connection:
            connection.execute(insert(TEXTS).on_conflict_do_nothing(), kept)
    pending = [
        {"task_id": task, "model": MODELS[0], "strategy": STRATEGY, "index": samples - 1}
        for task in tasks
    ]
    told = {"stage": "verify", "message": "the engine went away", "cost": 0.0}
    with records.begin() as connection:
        connection.execute(insert(FAILURES), [row | told for row in pending])
    records.dispose()
    texts.dispose()


class _World:
    """Issues with their solve rates, and the patches that models write for them."""

    def __init__(self, tasks: list[str]) -> None:
        self._tasks = tasks
        self._chance = np.random.default_rng(0)
        difficulty = self._chance.normal(size=len(tasks))
        self._rates = [
            self._chance.beta(0.25, 0.25 * (1 / mean - 1), len(tasks)) * (difficulty < 1)
            for mean in MEAN_SOLVED
        ]
        self._compress = zstandard.ZstdCompressor().compress

    def draw(self, index: int) -> tuple[list[dict[str, Any]], ...]:
        """Return samples, verdicts and texts of one index, for all issues and models."""
        rows = []
        verdicts: dict[str, dict[str, Any]] = {}
        kept: dict[str, None] = {}
        shape = len(MODELS), len(self._tasks)
        luck, pending = self._chance.random(shape), self._chance.random(shape) < PENDING
        # Wrong patches come again and again, and yet there is no end of new ones.
        common = self._chance.zipf(REPEATS, shape)
        tokens = self._chance.lognormal(6, 0.6, shape).astype(int)
        for m, model in enumerate(MODELS):
            for t, task in enumerate(self._tasks):
                solved = luck[m, t] < self._rates[m][t]
                kind = f"right {common[m, t] % 7}" if solved else f"wrong {common[m, t]}"
                patch = "" if not solved and luck[m, t] > 1 - BLANK else _patch(task, kind)
                outcome = "resolved" if solved else "unresolved" if patch else "no_patch"
                digest = patch_digest(patch)
                key = hashlib.sha256(f"{task} {digest}".encode()).hexdigest()
                conversation = _conversation(model, task)
                log = f"{outcome}: {task}"
                verdicts[key] = {
                    "key": key,
                    "outcome": outcome,
                    "missing": "[[], []]" if solved else '[["tests/test_a.py::test_b"], []]',
                    "exit_code": 0 if solved else 1,
                    "note": "applied by git apply --verbose",
                    "log": _digest(log),
                    "seconds": 20.0 + common[m, t] % 60 if patch else 0.0,
                }
                for text in (patch, conversation, log):
                    kept[text] = None
                used = Usage(
                    input_tokens=9000 + t,
                    cached_tokens=8800 if index else 0,
                    output_tokens=int(tokens[m, t]),
                    calls=1,
                    seconds=tokens[m, t] / 80,
                )
                rows.append(
                    {
                        "task_id": task,
                        "model": model,
                        "strategy": STRATEGY,
                        "index": index,
                        "patch": _digest(patch),
                        "patch_digest": digest,
                        "stop": "patch" if patch else "empty",
                        "note": "",
                        "seed": index,
                        "temperature": 0.8,
                        "sent": "{}",
                        "strategy_version": "1",
                        "variant": "",
                        "prompt_digest": _digest(task),
                        "trajectory": _digest(conversation),
                        **{f"usage_{name}": getattr(used, name) for name in USAGE},
                        "seconds": used.seconds + 0.1,
                        "cost": PRICES[m] * (used.output_tokens * 4 + used.input_tokens),
                        "verdict_key": None if pending[m, t] else key,
                    }
                )
        texts = [{"digest": _digest(x), "zstd": self._compress(x.encode())} for x in kept]
        return rows, list(verdicts.values()), texts


def _patch(task: str, kind: str) -> str:
    return (
        f"diff --git a/src/{task}.py b/src/{task}.py\n--- a/src/{task}.py\n+++ b/src/{task}.py\n"
        "@@ -1,2 +1,2 @@\n def area(width, height):\n-    return width + height\n"
        f"+    return {kind}\n"
    )


def _conversation(model: str, task: str) -> str:
    prompt = Message(role="user", content=f"Mend {task}:\n" + "def area(width, height):\n" * 200)
    answer = Message(role="assistant", content=f"I, {model}, would do this.")
    return to_json([Turn(message=prompt), Turn(message=answer, usage=Usage(calls=1))])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


Part: TypeAlias = tuple[str, Callable[[], object]]


def _load(store: Store) -> Iterator[Part]:
    yield "load", store.table


def _coverage(store: Store) -> Iterator[Part]:
    table = store.table()
    for arm, (model, _) in enumerate(table.arms):
        n, c = table.counts(arm)
        ks = ladder(int(n.max()))
        yield f"{len(ks)} points with intervals, {model}", partial(curve, n, c, ks)


def _resume(store: Store) -> Iterator[Part]:
    """Ask what a session asks before it draws on."""
    yield "drawn", lambda: [store.drawn(model, STRATEGY) for model in MODELS]
    yield "solved", store.solved
    yield "unverified", store.unverified
    yield "spent", store.spent
    yield "spent by issue", store.spent_by_issue
    wanted = dict.fromkeys(MODELS, 1)
    yield "progress", lambda: SweepProgress(Console(), store, tasks=1, wanted=wanted)


STEPS: dict[str, Callable[[Store], Iterator[Part]]] = {
    "load": _load,
    "coverage": _coverage,
    "resume": _resume,
}
COMMANDS = {
    "report --json": ["report", "RUN", "--json"],
    "report": ["report", "RUN"],
    "export --parquet": ["export", "RUN", "--parquet", "OUT"],
    "export --jsonl": ["export", "RUN", "--jsonl", "OUT"],
    "export --pairs": ["export", "RUN", "--pairs", "OUT"],
}
"""Steps that are commands; RUN and OUT stand for paths."""


def _step(name: str, run: Path) -> None:
    with Store(run) as store:
        for part, act in STEPS[name](store):
            started = time.perf_counter()
            act()
            print(f"  {part + ':':<40} {time.perf_counter() - started:>6.2f} s", flush=True)


if __name__ == "__main__":
    main()
