"""How often the intervals of a report hold the truth, and how often a difference is said wrongly.

Runs of issues with known solve rates are simulated and analysed as `ksolve report` does. An
interval of 95% is right in 93% to 97.5% of the runs; "more" is said of solvers that are not better
in at most 5%. Where nearly all issues are solved, or nearly none, intervals hold the truth more
often: no interval of a few yes and no answers can do otherwise without failing elsewhere.

    python -m benchmarks.calibration
    python -m benchmarks.calibration --size 10x8 --world easy --replications 1000
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from eval.break_even import break_even
from eval.cost_at_k import Costs, cost_curve
from eval.coverage import curve, ladder, together
from eval.equal_cost import compare_all
from eval.paired import Side, compare
from eval.scaling import REACH, fit

Floats = NDArray[np.float64]

SIZES = ((10, 8), (30, 8), (30, 16), (50, 16), (300, 16), (300, 64))
POPULATION = 200_000
"""Issues that the truth is taken from."""

LOW, HIGH, FALSE = 0.93, 0.975, 0.05

ALIKE = 0.7
"""Share of the issues that are as hard for both of a pair, one of which is better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A kind of issues, by the solve rates of one solver: Beta(a, b), or 0 with a chance."""

    a: float
    b: float
    never: float = 0.0

    def rates(self, issues: int, draw: np.random.Generator) -> Floats:
        """Draw rates of as many issues."""
        return draw.beta(self.a, self.b, issues) * (draw.random(issues) >= self.never)


WORLDS = MappingProxyType(
    {
        "easy": World(a=2, b=1),
        "hard": World(a=0.3, b=3),
        "30% impossible": World(a=1, b=2, never=0.3),
        "50% impossible": World(a=0.5, b=1, never=0.5),
        "75% impossible": World(a=1, b=1, never=0.75),
        "near 100%": World(a=6, b=0.6),
    }
)

PAIRS = ("dearer and better", "the same twice", "alike, on other issues")
"""The second solver: at 3 times the price, or one of two kinds that are equal to the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Issues:
    """Issues by what two solvers do on them: solve rates, and mean costs of a sample."""

    rates: Floats
    """(solvers, issues)."""
    costs: Floats


def issues_of(world: World, pair: str, count: int, draw: np.random.Generator) -> Issues:
    """Draw issues; the harder one is for the first solver, the dearer are its samples."""
    first, other = world.rates(count, draw), world.rates(count, draw)
    length = np.exp(0.5 * draw.normal(size=count) - 0.3 * first)
    second = first
    if pair == PAIRS[0]:
        # Most issues are as much easier for it as a second sample makes them.
        second = np.where(draw.random(count) < ALIKE, 1 - (1 - first) ** 2, other)
    elif pair == PAIRS[2]:
        second = other
        # Costs follow the rates as the first one's do.
        other_length = np.exp(0.5 * draw.normal(size=count) - 0.3 * second)
        return Issues(rates=np.stack([first, second]), costs=np.stack([length, other_length]))
    price = 3.0 if pair == PAIRS[0] else 1.0
    return Issues(rates=np.stack([first, second]), costs=np.stack([length, price * length]))


def solved(rates: Floats, k: float) -> Floats:
    """Chance that k samples solve each issue."""
    return 1 - (1 - rates) ** k


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Truth:
    """What is true of all issues of a world, for two solvers."""

    issues: Issues
    samples: int
    curves: Floats
    """Coverage of each solver at every k from 0 to `REACH` times the samples."""
    are_equal: bool
    """Whether neither solver is better, so that a difference is the luck of the issues."""

    @classmethod
    def of(cls, issues: Issues, samples: int, *, are_equal: bool) -> Truth:
        """Work the coverage out."""
        ks = range(REACH * samples + 1)
        curves = np.array([[float(solved(rates, k).mean()) for k in ks] for rates in issues.rates])
        return cls(issues=issues, samples=samples, curves=curves, are_equal=are_equal)

    def is_wrong(self, said: float, gap: float) -> bool:
        """Whether a difference that is said, by its sign, is none, or the other way round."""
        return self.are_equal or said * gap < 0

    def coverage(self, solver: int, k: int) -> float:
        """Coverage at k."""
        return float(self.curves[solver, k])

    @property
    def ceiling(self) -> float:
        """Share of issues that the first solver can solve at all."""
        return float((self.issues.rates[0] > 0).mean())

    def per_solve(self, solver: int, k: int, *, stop: bool) -> float:
        """Cost per solve."""
        cost = _cost_until_solved(self, solver, k) if stop else k * self.price(solver)
        return cost / self.coverage(solver, k)

    def union(self, ks: tuple[int, int]) -> float:
        """Coverage of both together."""
        return _union(self, ks)

    def at(self, solver: int, budget: float) -> float:
        """Coverage at a cost an issue, where some issues get one sample more by lot."""
        k = budget / self.price(solver)
        return float(np.interp(k, np.arange(self.curves.shape[1]), self.curves[solver]))

    def price(self, solver: int) -> float:
        """Mean cost of a sample."""
        return _mean_cost(self, solver)

    def first(self, target: float, most: int) -> float:
        """The first k at which the first solver reaches a coverage; infinite past `most`."""
        found = (k for k in range(1, most + 1) if self.coverage(0, k) >= target - 1e-12)
        return next(found, math.inf)


@functools.cache
def _mean_cost(truth: Truth, solver: int) -> float:
    return float(truth.issues.costs[solver].mean())


@functools.cache
def _cost_until_solved(truth: Truth, solver: int, k: int) -> float:
    rates, costs = truth.issues.rates[solver], truth.issues.costs[solver]
    # The expected number of samples until the first solve, or k.
    samples = np.where(rates > 0, solved(rates, k) / np.where(rates > 0, rates, 1), k)
    return float((costs * samples).mean())


@functools.cache
def _union(truth: Truth, ks: tuple[int, int]) -> float:
    first, second = (1 - solved(truth.issues.rates[i], k) for i, k in enumerate(ks))
    return float(1 - (first * second).mean())


Held = tuple[str, bool]
"""A figure, and whether its interval holds the truth or what is said is right."""


def analysed(truth: Truth, drawn: Issues, draw: np.random.Generator) -> Iterator[Held]:
    """Sample some issues once, and hold all that is said of them against the truth."""
    samples = truth.samples
    n = np.full(drawn.rates.shape, samples)
    c = draw.binomial(samples, drawn.rates)
    # What a sample costs differs from sample to sample.
    spread = 0.3 / np.sqrt(samples)
    costs = drawn.costs * np.exp(spread * draw.normal(size=n.shape) - spread**2 / 2)
    both = [
        Costs(n=n[i], c=c[i], unresolved=costs[i] * (n[i] - c[i]), resolved=costs[i] * c[i])
        for i in range(2)
    ]
    ks = ladder(samples)
    for point in curve(n[0], c[0], ks):
        yield _within(f"pass@k, k={_place(point.k, ks)}", point, truth.coverage(0, point.k))
    for stop in (False, True):
        for at in cost_curve(both[0], [1, samples], stop=stop):
            if at.low is not None:
                way = "until solved" if stop else "all k"
                name = f"cost per solve, {way}, k={_place(at.k, ks)}"
                yield _within(name, at, truth.per_solve(0, at.k, stop=stop))
    found = together(n, c)
    for point in (found.union[0], found.union[-1]):
        yield _within(f"union, k={_place(point.k, ks)}", point, truth.union((point.k, point.k)))
    last = found.round_robin[-2]
    yield _within("round robin", last, truth.union((-(-last.k // 2), last.k // 2)))
    yield from _pair(truth, both)
    yield from _onwards(truth, n[0], c[0])


def _pair(truth: Truth, both: list[Costs]) -> Iterator[Held]:
    sides = [
        Side(name=name, tasks=tuple(map(str, range(of.n.size))), n=of.n, c=of.c, first=of.c * 0)
        for name, of in zip("ab", both, strict=True)
    ]
    for k in (1, truth.samples):
        told = compare(*sides, k=k)
        gap = truth.coverage(0, k) - truth.coverage(1, k)
        yield _within(f"difference, k={'1' if k == 1 else 'n'}", told, gap)
        is_said = told.permutation is not None and told.permutation <= FALSE
        yield "false: better", is_said and truth.is_wrong(told.difference or 0.0, gap)
    even = break_even(*both, names=("a", "b"))
    target = truth.coverage(1, 1)
    right = truth.first(target, truth.samples)
    if even.k.low is not None:
        yield "break-even, k", even.k.low <= right <= (even.k.high or math.inf)
    if even.ratio.low is not None:
        ratio = right * truth.price(0) / truth.price(1)
        yield "break-even, ratio", even.ratio.low <= ratio <= (even.ratio.high or math.inf)
    (way,) = compare_all([("a", both[0], "b", both[1])])
    gaps = [truth.at(0, budget) - truth.at(1, budget) for budget in way.budgets]
    yield _within("equal cost, average", way, float(np.mean(gaps)))
    leads = [(True, 1), (False, -1)] if way.verdict not in ("unsaid", "unknown") else []
    signs = [(i, sign) for first, sign in leads for i in way.leads(first=first)]
    yield "false: more for the same cost", any(truth.is_wrong(sign, gaps[i]) for i, sign in signs)
    if not truth.are_equal:
        yield "told: more for the same cost", bool(signs)


def _onwards(truth: Truth, n: NDArray[np.int64], c: NDArray[np.int64]) -> Iterator[Held]:
    scaling = fit(n, c)
    deep = REACH * truth.samples
    predicted = scaling.predict(deep)
    yield "told: a prediction", predicted.coverage is not None
    if predicted.coverage is not None:
        right = truth.coverage(0, deep)
        yield _within("prediction at 4n", predicted, right)
        yield (
            "told: the law with a ceiling is nearer",
            abs(predicted.coverage - right) <= abs((predicted.power_law or 0.0) - right),
        )
    for target in (0.25, 0.5, 0.75, 0.9):
        needed = scaling.samples_for(target)
        right = truth.first(target, deep)
        if needed.never:
            yield "false: never", truth.ceiling >= target
        elif needed.k is not None and scaling.issues > 1:
            name = "samples for a coverage, " + ("measured" if needed.measured else "by the law")
            most = needed.high or (truth.samples if needed.measured else deep)
            is_open = needed.high is None
            least = needed.low or most + 1
            yield name, least <= right and (right <= most or is_open)


def _within(name: str, interval: object, truth: float) -> Held:
    low, high = getattr(interval, "low"), getattr(interval, "high")  # noqa: B009
    upper = math.inf if high is None else high
    return name, low is not None and low - 1e-9 <= truth <= upper + 1e-9


def _place(k: int, ks: tuple[int, ...]) -> str:
    return "1" if k == 1 else "n" if k == ks[-1] else "between"


Setting = tuple[tuple[int, int], str, str]


def measure(setting: Setting, replications: int, seed: int) -> dict[str, tuple[int, int]]:
    """Simulate runs of one setting: for each figure how often it held, and of how many."""
    (count, samples), world, pair = setting
    draw = np.random.default_rng([seed, *map(ord, "".join(map(str, setting)))])
    population = issues_of(WORLDS[world], pair, POPULATION, np.random.default_rng(seed))
    truth = Truth.of(population, samples, are_equal=pair != PAIRS[0])
    held: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for _ in range(replications):
        drawn = issues_of(WORLDS[world], pair, count, draw)
        for name, is_right in analysed(truth, drawn, draw):
            held[name] += is_right
            told[name] += 1
    return {name: (held[name], told[name]) for name in told}


def main() -> None:
    """Simulate, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=300, help="Runs of each setting.")
    parser.add_argument("--size", action="append", help="Issues x samples; repeat for more.")
    parser.add_argument("--world", action="append", choices=WORLDS)
    parser.add_argument("--pair", action="append", choices=PAIRS)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sizes = [(int(a), int(b)) for a, _, b in (s.partition("x") for s in asked.size or ())]
    settings: list[Setting] = list(
        itertools.product(sizes or SIZES, asked.world or WORLDS, asked.pair or PAIRS)
    )
    started = time.monotonic()
    print(f"{len(settings)} settings of {asked.replications} runs each", flush=True)
    results: dict[Setting, dict[str, tuple[int, int]]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = {
            setting: pool.submit(measure, setting, asked.replications, asked.seed)
            for setting in settings
        }
        for done, (setting, job) in enumerate(jobs.items(), start=1):
            results[setting] = job.result()
            seconds = time.monotonic() - started
            print(f"  {done} of {len(settings)}: {_name(setting)} ({seconds:.0f} s)", flush=True)
    print(*_report(results), sep="\n")


def _name(setting: Setting) -> str:
    (count, samples), world, pair = setting
    return f"{count} x {samples}, {world}, {pair}"


def _report(results: dict[Setting, dict[str, tuple[int, int]]]) -> Iterator[str]:
    """Give a line for each figure: how often it held over all settings, and the worst of them."""
    names = dict.fromkeys(name for of in results.values() for name in of)
    yield f"{'figure':<42}{'runs':>9}{'held':>8}{'least':>8}{'most':>8}  outside, the least in"
    for name in sorted(names, key=lambda one: one.startswith(("false", "told"))):
        shares = {
            setting: of[name][0] / of[name][1]
            for setting, of in results.items()
            if name in of and of[name][1] >= ENOUGH
        }
        if not shares:
            continue
        runs = sum(of[name][1] for of in results.values() if name in of)
        held = sum(of[name][0] for of in results.values() if name in of)
        low, high = (0.0, FALSE) if name.startswith("false") else (LOW, 1.0)
        outside = [s for s, share in shares.items() if not low <= share <= high]
        worst = (max if name.startswith("false") else min)(shares, key=shares.__getitem__)
        said = "" if name.startswith("told") else f"  {len(outside)} of {len(shares)}, "
        yield (
            f"{name:<42}{runs:>9,}{held / runs:>8.1%}{min(shares.values()):>8.1%}"
            f"{max(shares.values()):>8.1%}{said}{_name(worst) if said else ''}"
        )


ENOUGH = 30
"""Runs of a setting, at least, that a share is told of."""


if __name__ == "__main__":
    main()
