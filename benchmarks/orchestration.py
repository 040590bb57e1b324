"""What ksolve itself costs: samples per second and memory, where model and sandbox do nothing.

The scripted backend answers at once with a different edit for each sample, and the sandbox is the
shipped fake, so what is left is ksolve: prompts, reading answers, diffs, schedule, budget, verdict
keys, the store. Every size runs in a process of its own, so that peak memory is that size's, after
a sweep of a hundred that is not counted: what is imported on the way is paid once a command.

    python -m benchmarks.orchestration --sizes 1000 10000 100000
"""

from __future__ import annotations

import argparse
import asyncio
import io
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agent.backend import Message, Sampling
from agent.models import Model
from agent.oneshot import Oneshot
from agent.price import Price
from agent.scripted import ScriptedBackend
from eval.budget import Budget, Budgets
from eval.fake import evaluating
from eval.plan import Plan, Solver
from eval.store import Store
from eval.sweep import Sweep
from sandbox.fake import FakeHost, FakeSandbox, did
from sandbox.sandbox import ExecResult
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

TASKS = 100
MODULES = 20
WORKERS = 16
# A sandbox that does nothing takes no core.
LINE = "    return width + height\n"


def main() -> None:
    """Run every size and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        _one(arguments.one)
        return
    print("  samples  seconds  a second  ms each  peak MiB  disk MiB")
    for size in arguments.sizes:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.orchestration", "--one", str(size)], check=True
        )


def _one(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        asyncio.run(_sweep(TASKS, store))
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        started = time.monotonic()
        asyncio.run(_sweep(size, store))
        seconds = time.monotonic() - started
        drawn = sum(row.outcome is not None for row in store.rows())
        disk = sum(file.stat().st_size for file in Path(folder).iterdir())
    if drawn != size:
        raise SystemExit(f"{drawn} of {size} samples were drawn and judged")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{size:>9,} {seconds:>8.1f} {size / seconds:>9.0f} {seconds / size * 1000:>8.2f} "
        f"{peak:>9.0f} {disk / 2**20:>9.0f}",
        flush=True,
    )


async def _sweep(size: int, store: Store) -> None:
    def script(_: Sequence[Message], sampling: Sampling) -> str:
        # No two alike, so that none is judged by another's verdict.
        return (
            f"shapes/part_7.py\n<<<<<<< SEARCH\n{LINE}=======\n"
            f"    return width * height  # {sampling.seed}\n>>>>>>> REPLACE\n"
        )

    solver = Solver(
        model=Model(
            name="scripted",
            backend=ScriptedBackend(script, in_flight=32),
            price=Price(input=1.0, output=1.0),
        ),
        strategy=Oneshot(),
        sampling=Sampling(seed=0),
    )
    plan = Plan(tasks=[_task(i) for i in range(TASKS)], solvers=[solver], samples=size // TASKS)
    host = FakeHost(_Repository().answer)
    await Sweep(plan, store, host, budgets=Budgets(Budget(1e9)), workers=WORKERS).run()


class _Repository:
    """Answers for a repository of some modules, and lets every third patch pass."""

    def __init__(self) -> None:
        self._judge = evaluating(lambda patch: len(patch) % 3 == 0)
        self._files = {
            f"shapes/part_{i}.py": f"def area_{i}(width, height):\n{LINE}" * 10
            for i in range(MODULES)
        }
        self._archive = self._packed()

    def answer(self, argv: Sequence[str], stdin: bytes, sandbox: FakeSandbox) -> ExecResult:
        match argv[0]:
            case "tar":
                return did(stdout=self._archive)
            case "bash":
                listed = (f"{len(t)} regular file:{p}\0" for p, t in self._files.items())
                return did(stdout="".join(listed).encode())
            case "sh" if "conftest.py" not in argv:  # which the verifier collects
                return did(stdout=b"end\n")
        return self._judge(argv, stdin, sandbox)

    def _packed(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, text in self._files.items():
                member = tarfile.TarInfo(f"./{path}")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return buffer.getvalue()


def _task(number: int) -> Task:
    return Task(
        issue=Issue(
            id=f"shapes-{number}",
            statement=f"area_7(2, 3) is 5, not 6 (seen {number} times)",
            repo="shapes",
            base_commit="c",
            image=f"shapes:{number}",
        ),
        oracle=Oracle(
            eval_script=f"# {number}",
            fail_to_pass=("t",),
            pass_to_pass=(),
            log_parser=EXIT_CODE_PARSER,
        ),
    )


if __name__ == "__main__":
    main()
