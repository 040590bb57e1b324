"""Matrices drawn from rates that are known: Beta-distributed, with a mass at zero, two prices.

`python -m tests.eval.allocation.known_truth` prints what each policy buys on some of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from scipy.stats import beta

from eval.allocation.matrix import Matrix
from eval.allocation.replay import Bought, replay
from eval.table import Floats

CHEAP, DEAR = 0, 1
BUDGETS = (5, 20, 60, 150)
"""In samples of the cheap arm for each issue."""


def two_models(
    issues: int, samples: int, *, ratio: float, seed: int, in_step: float = 0.7
) -> Matrix:
    """Draw a cheap and a dear model of rates Beta(0.4, 8) and Beta(0.8, 1.6).

    Half of the issues are hopeless for the cheap one, 35% for the dear one, and a share `in_step`
    is equally hard for both. A sample of the cheap one costs 1 on average, of the dear `ratio`.
    """
    rng = np.random.default_rng(seed)
    rank = rng.random(issues)
    other = np.where(rng.random(issues) < in_step, rank, rng.random(issues))
    rates = np.stack([_rates(rank, 0.4, 8.0, 0.5), _rates(other, 0.8, 1.6, 0.35)], axis=1)
    resolved = rng.random((issues, 2, samples)) < rates[..., None]
    cost = np.array([1.0, ratio])[:, None] * rng.gamma(4.0, 0.25, resolved.shape)
    return Matrix(
        issues=tuple(f"i{n}" for n in range(issues)),
        arms=("cheap", "dear"),
        resolved=resolved,
        cost=cost,
        recorded=np.full((issues, 2), samples),
    )


def by_policy(bought: Sequence[Bought]) -> dict[str, list[Bought]]:
    rows: dict[str, list[Bought]] = {}
    for one in bought:
        rows.setdefault(one.policy, []).append(one)
    return rows


def _rates(rank: Floats, a: float, b: float, hopeless: float) -> Floats:
    above = np.clip((rank - hopeless) / (1 - hopeless), 0.0, 1.0)
    return np.where(rank < hopeless, 0.0, beta.ppf(above, a, b))


def main() -> None:
    for ratio in (1.0, 5.0, 20.0):
        matrix = two_models(200, 200, ratio=ratio, seed=1)
        rows = by_policy(replay(matrix, [200 * budget for budget in BUDGETS], replays=100))
        sys.stdout.write(f"the dear model costs {ratio:g} times as much\n")
        for policy, row in rows.items():
            cells = "".join(f"{one.solved:8.1f}{'*' if one.cut else ' '}" for one in row)
            sys.stdout.write(f"{policy:28s}{cells}\n")


if __name__ == "__main__":
    main()
