"""What each policy buys where the truth is known: six worlds, four budgets, in issues solved.

Beside the fixed policies stand the adaptive one without any history, with the counts of a former
run (200 other issues of the same world, 8 samples of each by every solver), with these and a
covariate of the issues that says nothing or correlates 0.5 with their ease, and an oracle that
knows the rate of every issue and solver. Every replay draws new
issues, the same for all policies. The rows at the end of each world say how far an adaptive policy
is from the fixed one that is the best in hindsight, in percent of what that one solves, with the
standard error of the paired difference.

    python -m benchmarks.allocation --replays 30 --processes 2
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from eval.allocation import adaptively
from eval.allocation.posterior import WORTH
from eval.allocation.replay import fixed_policies
from eval.allocation.trajectory import Pool, Trajectory
from eval.table import Floats
from tests.eval.allocation.known_truth import BUDGETS, Rates, World, two_models

WORLDS = (
    two_models(1.0, name="the dear model costs the same"),
    two_models(5.0, name="the dear model costs 5 times as much"),
    two_models(20.0, name="the dear model costs 20 times as much"),
    World(
        name="three in four issues are hopeless for both, price 5",
        solvers=(
            Rates(a=0.6, b=6.0, hopeless=0.8, price=1.0),
            Rates(a=1.0, b=2.0, hopeless=0.75, price=5.0),
        ),
    ),
    World(
        name="easy issues: the cheap model is as good, price 10",
        solvers=(
            Rates(a=2.0, b=3.0, hopeless=0.1, price=1.0),
            Rates(a=2.0, b=3.0, hopeless=0.1, price=10.0),
        ),
    ),
    World(
        name="three models, hard for one is not hard for another, prices 1, 4 and 16",
        solvers=(
            Rates(a=0.4, b=8.0, hopeless=0.4, price=1.0),
            Rates(a=0.6, b=3.0, hopeless=0.4, price=4.0),
            Rates(a=0.8, b=1.6, hopeless=0.4, price=16.0),
        ),
        in_step=0.0,
    ),
)
ORACLE = "oracle that knows each rate"
ADAPTIVE = "adaptive"
FORMER_ISSUES, FORMER_SAMPLES = 200, 8
CORRELATION = 0.5


def main() -> None:
    """Play all worlds and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replays", type=int, default=30, help="New sets of issues per world.")
    parser.add_argument("--issues", type=int, default=200)
    parser.add_argument("--samples", type=int, default=400, help="Per issue and solver, at most.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--worlds", type=int, nargs="*", help="By number, from 0; all without.")
    asked = parser.parse_args()
    chosen = WORLDS if asked.worlds is None else [WORLDS[at] for at in asked.worlds]
    started = time.perf_counter()
    with ProcessPoolExecutor(asked.processes) as pool:
        for number, world in enumerate(chosen, start=1):
            play = partial(replay, world, asked.issues, asked.samples)
            played: list[Mapping[str, Floats]] = []
            for one in pool.map(play, range(asked.replays)):
                played.append(one)
                done = f"world {number} of {len(chosen)}: {len(played)}/{asked.replays}"
                print(f"\r{done}", end="", file=sys.stderr, flush=True)
            print("\r", end="", file=sys.stderr)
            show(world, {name: np.stack([one[name] for one in played]) for name in played[0]})
    print(f"{time.perf_counter() - started:.0f} s")


def replay(world: World, issues: int, samples: int, seed: int) -> dict[str, Floats]:
    """Return the issues that each policy solves with each budget, on issues drawn anew."""
    drawn = world.draw(issues, samples, seed=2 * seed)
    former = world.draw(FORMER_ISSUES, FORMER_SAMPLES, seed=2 * seed + 1).counts()
    matrix = drawn.matrix
    plain = Pool(
        resolved=matrix.resolved,
        cost=matrix.cost,
        recorded=matrix.recorded,
        covariates=np.zeros((issues, 0)),
    )
    useful, useless = (
        dataclasses.replace(plain, covariates=drawn.covariate(correlation, seed=seed))
        for correlation in (CORRELATION, 0.0)
    )
    budgets = [float(issues * budget) for budget in BUDGETS]
    solved: dict[str, Floats] = {}
    for policy in fixed_policies(matrix):
        trajectory = policy.play(plain)
        solved[policy.name] = np.array([trajectory.stop(one).solved for one in budgets])
    for name, pool, known in (
        (ADAPTIVE, plain, None),
        (f"{ADAPTIVE}, former run", plain, former),
        (f"{ADAPTIVE}, former run and useless covariate", useless, former),
        (f"{ADAPTIVE}, former run and covariate", useful, former),
    ):
        solved[name] = np.array(
            [
                adaptively.play(pool, one, former=known).stop(one, worth=WORTH).solved
                for one in budgets
            ]
        )
    trajectory = oracle(plain, drawn.rates)
    solved[ORACLE] = np.array([trajectory.stop(one).solved for one in budgets])
    return solved


def oracle(pool: Pool, rates: Floats) -> Trajectory:
    """Sample issues one after another until solved, the highest rate for its cost first.

    With rates that are known no failure changes anything, so this is the best order there is.
    """
    ratio = rates / (pool.cost.sum(axis=(0, 2)) / pool.recorded.sum(axis=0))
    issues = np.argsort(-ratio.max(axis=1), kind="stable")
    issues = issues[ratio[issues].max(axis=1) > 0.0]
    arm = ratio[issues].argmax(axis=1)
    solves, cost = pool.resolved[issues, arm], pool.cost[issues, arm]
    drawn = np.cumsum(solves, axis=1) - solves == 0
    return Trajectory(
        spent=cost[drawn].cumsum(), solved=(solves & drawn)[drawn].cumsum().astype(np.int64)
    )


def show(world: World, solved: Mapping[str, Floats]) -> None:
    """Print one world; `solved` holds (replays, budgets) for each policy."""
    width = max(map(len, solved)) + 2
    print(f"{world.name:{width}s}" + "".join(f"{budget:>12}" for budget in BUDGETS))
    for name, of in solved.items():
        print(f"{name:{width}s}" + "".join(f"{one:12.1f}" for one in of.mean(axis=0)))
    fixed = np.stack([of for name, of in solved.items() if not name.startswith((ADAPTIVE, ORACLE))])
    best = fixed.mean(axis=1).argmax(axis=0)
    print("from the best fixed policy, %")
    for name, of in solved.items():
        if name.startswith((ADAPTIVE, ORACLE)):
            base = np.stack([fixed[policy, :, at] for at, policy in enumerate(best)], axis=1)
            off = 100 * (of - base) / base.mean(axis=0)
            error = off.std(axis=0) / len(off) ** 0.5
            cells = zip(off.mean(axis=0), error, strict=True)
            print(f"  {name:{width - 2}s}" + "".join(f"{a:+7.1f}±{b:<4.1f}" for a, b in cells))
    print(flush=True)


if __name__ == "__main__":
    main()
