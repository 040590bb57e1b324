"""How far a run is: samples by solver, issue and outcome, and what they used. Counts only.

Nothing is judged or estimated here; what is pending is counted apart from every outcome.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from eval import cost
from eval.schema import Ending
from eval.summary import solver_labels
from eval.table import PENDING, RESOLVED, Ints
from eval.verdict import OUTCOMES
from ksolve.view.queries import Count

State = Literal["drawing", "complete", "done", "stopped"]
"""A ksolve draws into it now; nothing is pending; an adaptive run has ended by itself; something is
pending, and nobody draws it."""

_PLACES: Mapping[str | None, int] = {None: PENDING} | {name: i for i, name in enumerate(OUTCOMES)}
# PENDING is -1: the last column of the counts.


class ForeignSampleError(Exception):
    """The records hold a sample that the run's configuration does not know of."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Standing:
    """One run at one moment."""

    origin: str
    # Of all that is counted on from one first look; pages of another are of another run.
    moment: str
    # Unlike at any other moment of any run.
    config: Mapping[str, Any]
    issues: Sequence[str]
    arms: Sequence[tuple[str, str]]
    # Model and strategy of every solver.
    wanted: Sequence[int]
    # Samples of each issue that each solver is to draw.
    counts: Ints
    # Samples, (solvers, issues, outcomes and one more column for what is pending).
    tokens: Ints
    # (solvers, 3): in, of which cached; out.
    costs: Sequence[float | None]
    # US dollars of each solver's samples and failed draws, None when any of it is unknown.
    failures: int
    # Of the system, for what is still pending.
    state: State
    pace: float | None
    # Verdicts a second of late, None when there is nothing to go by.

    @property
    def labels(self) -> Sequence[str]:
        """Short names of the solvers, in order."""
        return list(solver_labels(self.arms).values())

    @property
    def drawn(self) -> Ints:
        """Samples, (solvers, issues)."""
        return np.asarray(self.counts.sum(axis=2))

    @property
    def judged(self) -> Ints:
        """Samples with a verdict, (solvers, issues)."""
        return np.asarray(self.counts[:, :, :PENDING].sum(axis=2))

    @property
    def resolved(self) -> Ints:
        """Samples with the verdict that counts, (solvers, issues)."""
        return self.counts[:, :, RESOLVED]

    @property
    def is_adaptive(self) -> bool:
        """Whether the run draws only what seems worth it: what is wanted is then a most."""
        return bool(self.config.get("allocate", "uniform") != "uniform")

    @property
    def samples_wanted(self) -> int:
        """Samples of all issues by all solvers."""
        return sum(self.wanted) * len(self.issues)

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the last verdict, at the pace of late; None where nobody can tell."""
        if self.pace is None or self.is_adaptive:
            return None
        return (self.samples_wanted - int(self.judged.sum())) / self.pace

    @property
    def solved(self) -> int:
        """Issues that some sample resolved."""
        return int(self.resolved.any(axis=0).sum())

    @property
    def cost(self) -> float | None:
        """US dollars, None when any of it is unknown."""
        total: float | None = 0.0
        for one in self.costs:
            total = cost.add(total, one)
        return total


class Tally:
    """The counts of a run, kept up with what its file tells."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.issues, self.arms = _layout(config)
        self._issue = {name: i for i, name in enumerate(self.issues)}
        self._arm = {arm: i for i, arm in enumerate(self.arms)}
        shape = (len(self.arms), len(self.issues), len(OUTCOMES) + 1)
        self._counts = np.zeros(shape, dtype=np.int64)
        self._tokens = np.zeros((len(self.arms), 3), dtype=np.int64)
        self._costs = [0.0] * len(self.arms)
        self._unpriced = [0] * len(self.arms)

    @property
    def judged(self) -> int:
        """Samples with a verdict."""
        return int(self._counts[:, :, :PENDING].sum())

    def is_of(self, config: Mapping[str, Any]) -> bool:
        """Whether the counts are laid out for this configuration."""
        return _layout(config) == (self.issues, self.arms)

    def add(self, counts: Iterable[Count]) -> None:
        """Add new samples. Raises ForeignSampleError."""
        for count in counts:
            arm, issue, outcome = self._place(count)
            self._counts[arm, issue, outcome] += count.samples
            self._tokens[arm] += (count.input_tokens, count.cached_tokens, count.output_tokens)
            self._costs[arm] += count.cost
            self._unpriced[arm] += count.unpriced

    def settle(self, counts: Iterable[Count]) -> None:
        """Give samples that were pending the outcomes that they have now."""
        for count in counts:
            arm, issue, outcome = self._place(count)
            self._counts[arm, issue, PENDING] -= count.samples
            self._counts[arm, issue, outcome] += count.samples

    def standing(
        self,
        *,
        origin: str,
        config: Mapping[str, Any],
        failed_costs: Mapping[tuple[str, str], float | None],
        failures: int,
        is_drawn_into: bool,
        ended: Ending | None,
        pace: float | None,
    ) -> Standing:
        """Return a copy of the counts, which stays as it is."""
        wanted = tuple(config["samples"])
        judged = self._counts[:, :, :PENDING].sum(axis=2)
        is_complete = bool((judged >= np.array(wanted, dtype=np.int64)[:, None]).all())
        state: State = "complete" if is_complete else "stopped"
        if is_drawn_into:
            state = "drawing"
        elif not is_complete and config.get("allocate") == "adaptive" and self._has_ended(ended):
            state = "done"
        return Standing(
            origin=origin,
            moment=f"{origin}.{secrets.token_hex(8)}",
            config=config,
            issues=self.issues,
            arms=self.arms,
            wanted=wanted,
            counts=self._counts.copy(),
            tokens=self._tokens.copy(),
            costs=tuple(
                None if self._unpriced[i] else cost.add(self._costs[i], failed_costs.get(arm, 0.0))
                for i, arm in enumerate(self.arms)
            ),
            failures=failures,
            state=state,
            pace=pace,
        )

    def _has_ended(self, ended: Ending | None) -> bool:
        """Whether an adaptive run draws no more, though it might: so it said, or all is solved."""
        is_solved = self._counts[:, :, RESOLVED].any(axis=0).all()
        is_pending = self._counts[:, :, PENDING].any()
        return not is_pending and bool(ended in {"complete", "budget", "gave up"} or is_solved)

    def _place(self, count: Count) -> tuple[int, int, int]:
        arm = self._arm.get((count.model, count.strategy))
        issue = self._issue.get(count.task_id)
        outcome = _PLACES.get(count.outcome)
        if arm is None or issue is None or outcome is None:
            raise ForeignSampleError(
                f"a sample of {count.task_id} by {count.model} ({count.strategy}, "
                f"{count.outcome}) is not part of this run"
            )
        return arm, issue, outcome


def _layout(config: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    return tuple(config["task_ids"]), tuple((model, name) for model, name in config["arms"])
