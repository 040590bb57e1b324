"""The samples of a run in columns, which is the form that all analysis starts from.

One entry of each array is one sample; rows of equal tasks and arms need not lie together. Nothing
is judged here: outcomes and costs are as they were recorded, what is pending says so.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.backend import Usage
from eval.verdict import OUTCOMES
from sandbox.patch import patch_digest

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Columns: TypeAlias = Mapping[str, Sequence[Any] | NDArray[Any]]
"""Samples as they are recorded: `task_id`, `model`, `strategy`, `patch_digest`, the code of their
`outcome`, whether they are `suspicious`, and those that `NUMBERS` names."""

PENDING = -1
"""In `outcome`: drawn, without a verdict yet."""

NO_PATCH = -1
"""In `patch`: the sample holds none."""

RESOLVED = OUTCOMES.index("resolved")

_CODES: Mapping[str | None, int] = {None: PENDING} | {name: i for i, name in enumerate(OUTCOMES)}
_BLANK = patch_digest("")


NUMBERS: Mapping[str, type[np.generic]] = {
    "index": np.int32,
    "cost": np.float64,
    "input_tokens": np.int64,
    "cached_tokens": np.int64,
    "output_tokens": np.int64,
    "reasoning_tokens": np.int64,
    "cache_write_tokens": np.int64,
    "calls": np.int64,
    "estimated_calls": np.int64,
    "billed_calls": np.int64,
    "unbilled_calls": np.int64,
    "billed": np.float64,
    "billed_at_list": np.float64,
    "request_seconds": np.float64,
    "accelerator_seconds": np.float64,
    "seconds": np.float64,
    "verify_seconds": np.float64,
}
"""Columns of a table that hold what was recorded, and the form of each; None becomes NaN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRow:
    """One sample by itself."""

    task_id: str
    model: str
    strategy: str
    index: int
    outcome: str | None
    # One of `eval.verdict.OUTCOMES`, None while the verdict is pending.
    usage: Usage
    cost: float | None
    # US dollars, None where the price is unknown.
    patch_digest: str
    # Of the normalised patch; what it is does not matter where there is no patch.
    verify_seconds: float | None
    # Of the verification that gave the outcome, even when it ran for an equal patch; None while
    # the verdict is pending.
    seconds: float = math.nan
    # From the first request of the sample to its patch.
    suspicious: bool = False
    """The patch looks like reward hacking."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleTable:
    """All samples of one run, column by column; every array has one entry a sample."""

    tasks: tuple[str, ...]
    # Ids of all tasks of the run, with or without samples.
    arms: tuple[tuple[str, str], ...]
    # Model and strategy's label of every solver of the run.
    task: NDArray[np.int32]
    # Position in `tasks`.
    arm: NDArray[np.int32]
    # Position in `arms`.
    index: NDArray[np.int32]
    # The sample's number within its task and arm.
    outcome: NDArray[np.int8]
    # Position in `eval.verdict.OUTCOMES`, or `PENDING`.
    patch: Ints
    # Equal numbers within a task are equal normalised patches; `NO_PATCH` where there is none.
    cost: Floats
    # US dollars, NaN where the price is unknown.
    input_tokens: Ints
    # All of them, the cached ones included.
    cached_tokens: Ints
    output_tokens: Ints
    # All of them, the reasoning ones included.
    reasoning_tokens: Ints
    cache_write_tokens: Ints
    # Part of `input_tokens` too.
    calls: Ints
    estimated_calls: Ints
    # Of `calls`, those whose tokens are our own high estimate.
    billed_calls: Ints
    unbilled_calls: Ints
    billed: Floats
    """US dollars that the provider itself told for those."""
    billed_at_list: Floats
    """US dollars that the same cost by the price list."""
    request_seconds: Floats
    # Wall time of the calls.
    accelerator_seconds: Floats
    # Share of a local server's busy time; 0 for models behind an API.
    seconds: Floats
    # From the first request of a sample to its patch.
    verify_seconds: Floats
    # Of the verification that gave the outcome, NaN while it is pending.
    suspicious: Bools
    """The patch looks like reward hacking, whatever its outcome."""

    @property
    def judged(self) -> Bools:
        """Whether each sample has a verdict."""
        judged: Bools = self.outcome != PENDING
        return judged

    @property
    def resolved(self) -> Bools:
        """Whether each sample has the verdict that counts."""
        resolved: Bools = self.outcome == RESOLVED
        return resolved

    def strict(self) -> SampleTable:
        """Return a table in which what is resolved and suspicious is unresolved."""
        unresolved = np.int8(OUTCOMES.index("unresolved"))
        outcome = np.where(self.resolved & self.suspicious, unresolved, self.outcome)
        return dataclasses.replace(self, outcome=outcome)

    def counts(self, arm: int | Sequence[int]) -> tuple[Ints, Ints]:
        """Return verdicts n and resolved c of each task, by one arm or by several together.

        Both have the shape (tasks,): what `eval.coverage.pass_at_k` takes.
        """
        chosen = np.isin(self.arm, arm) & self.judged
        size = len(self.tasks)
        n = np.bincount(self.task[chosen], minlength=size)
        c = np.bincount(self.task[chosen & self.resolved], minlength=size)
        return n, c

    def rows(self, chosen: Bools) -> SampleTable:
        """Return a table of the chosen samples only, with the tasks and arms of all."""
        columns = dataclasses.fields(self)[2:]
        return dataclasses.replace(
            self, **{field.name: getattr(self, field.name)[chosen] for field in columns}
        )

    def without(self, tasks: Collection[str]) -> SampleTable:
        """Return a table that lacks these tasks and their samples."""
        kept = np.array([task not in tasks for task in self.tasks], dtype=np.bool_)
        table = self.rows(kept[self.task])
        place = (np.cumsum(kept) - 1).astype(np.int32)
        names = tuple(task for task in self.tasks if task not in tasks)
        return dataclasses.replace(table, tasks=names, task=place[table.task])

    def usage(self, chosen: Bools) -> Usage:
        """Return the sum of what the chosen samples used."""
        columns = {"seconds": self.request_seconds}
        return Usage(
            **{
                field.name: columns.get(field.name, getattr(self, field.name))[chosen].sum().item()
                for field in dataclasses.fields(Usage)
            }
        )


class ForeignSampleError(ValueError):
    """A sample is not of a task and an arm of its run, or its outcome is none."""


def outcome_code(name: str | None) -> int:
    """Return what `SampleTable.outcome` holds for an outcome. Raises ForeignSampleError."""
    code = _CODES.get(name)
    if code is None:
        raise ForeignSampleError(f"{name!r} is not an outcome of a verdict.")
    return code


def tabulated(
    batches: Iterable[Columns], *, tasks: Sequence[str], arms: Sequence[tuple[str, str]]
) -> SampleTable:
    """Put samples into a table, a batch of them at a time. Raises ForeignSampleError."""
    places = {task: i for i, task in enumerate(tasks)}, {arm: i for i, arm in enumerate(arms)}
    parts = [_arrays(batch, *places) for batch in batches] or [_arrays(_NONE, *places)]
    arrays = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
    arrays["patch"] = _numbered(arrays["patch"], arrays["outcome"])
    return SampleTable(tasks=tuple(tasks), arms=tuple(arms), **arrays)


def table_of(
    rows: Iterable[SampleRow], *, tasks: Sequence[str], arms: Sequence[tuple[str, str]]
) -> SampleTable:
    """Put a few rows into a table. Raises ForeignSampleError."""
    columns: dict[str, list[Any]] = {name: [] for name in _NONE}
    for row in rows:
        recorded = {
            **dataclasses.asdict(row),
            **dataclasses.asdict(row.usage),
            "request_seconds": row.usage.seconds,
            "seconds": row.seconds,
            "outcome": outcome_code(row.outcome),
        }
        for name, values in columns.items():
            values.append(recorded[name])
    return tabulated([columns], tasks=tasks, arms=arms)


_NONE: Columns = dict.fromkeys(
    ("task_id", "model", "strategy", "outcome", "patch_digest", "suspicious", *NUMBERS), ()
)


def _arrays(
    columns: Columns, tasks: Mapping[str, int], arms: Mapping[tuple[str, str], int]
) -> dict[str, NDArray[Any]]:
    """Return one array a column; patches are hashes as yet."""
    size = len(columns["task_id"])
    solvers = zip(columns["model"], columns["strategy"], strict=True)
    try:
        task = np.fromiter(map(tasks.__getitem__, columns["task_id"]), np.int32, size)
        arm = np.fromiter(map(arms.__getitem__, solvers), np.int32, size)
    except KeyError as error:
        (name,) = error.args
        raise ForeignSampleError(f"A sample of {name} is not part of this run.") from None
    return {
        "task": task,
        "arm": arm,
        "outcome": np.array(columns["outcome"], dtype=np.int8),
        "patch": np.fromiter(map(hash, columns["patch_digest"]), np.int64, size),
        **{name: np.array(columns[name], dtype=form) for name, form in NUMBERS.items()},
        "suspicious": np.array(columns["suspicious"], dtype=np.bool_),
    }


def _numbered(hashes: Ints, outcome: NDArray[np.int8]) -> Ints:
    """Number patches in the order in which they came first.

    64 bits tell a million patches apart, but for a chance of 3 in 10^8.
    """
    _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    blank = (hashes == hash(_BLANK)) | (outcome == OUTCOMES.index("no_patch"))
    return np.where(blank, NO_PATCH, rank[which])
