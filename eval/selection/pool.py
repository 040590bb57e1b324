"""The frozen pool of a run: its candidates by issue, and apart from them which are resolved.

A verdict is looked at by `Pool.resolved` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from agent.reproduction import NOT_FIXED, script_from_answer
from agent.trajectory import Turn
from eval.sample import SampleKey
from eval.selection.candidates import Bools, Candidate, Candidates, Ints
from eval.selection.evidence import Evidence
from eval.store import Store
from eval.table import NO_PATCH, SampleTable
from tasks.task import Issue


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """The samples of a run by issue; issues without any are left out."""

    issues: tuple[Candidates, ...]
    rows: tuple[Ints, ...]
    # Of each issue, where its candidates stand in the table.
    left_out: int
    # Issues without candidates.

    def resolved(self, table: SampleTable) -> list[Bools]:
        """Return which candidates are resolved: one array an issue, one entry a candidate."""
        return [table.resolved[rows] for rows in self.rows]


def read_pool(
    store: Store,
    table: SampleTable,
    issues: Mapping[str, Issue] = MappingProxyType({}),
    *,
    among: Bools | None = None,
    scripts: bool = False,
    evidence: Callable[[], Evidence] = Evidence,
) -> Pool:
    """Read the patches of a run whose samples are in `table`.

    `among` says of each sample whether it is a candidate; with `scripts` what their models wrote to
    show the issues is read. `evidence` gives what is known of an issue. Raises StoreError.
    """
    found = [
        (
            Candidates(
                task_id=task_id,
                candidates=_candidates(store, table, rows, scripts=scripts),
                issue=issues.get(task_id),
                evidence=evidence(),
            ),
            rows,
        )
        for task_id, rows in zip(table.tasks, rows_by_task(table, among), strict=True)
        if rows.size
    ]
    return Pool(
        issues=tuple(candidates for candidates, _ in found),
        rows=tuple(rows for _, rows in found),
        left_out=len(table.tasks) - len(found),
    )


def rows_by_task(table: SampleTable, among: Bools | None = None) -> list[Ints]:
    """Return the rows of each task in the order of a pool, as many arrays as there are tasks."""
    order = np.lexsort((table.index, table.arm, table.task))
    order = order if among is None else order[among[order]]
    return np.split(order, np.searchsorted(table.task[order], np.arange(1, len(table.tasks))))


def _candidates(
    store: Store, table: SampleTable, rows: Ints, *, scripts: bool
) -> tuple[Candidate, ...]:
    found = []
    patches = {NO_PATCH: ""}
    for row in rows.tolist():
        model, strategy = table.arms[table.arm[row]]
        key = SampleKey(
            task_id=table.tasks[table.task[row]],
            model=model,
            strategy=strategy,
            index=int(table.index[row]),
        )
        # Equal ones are read once.
        number = int(table.patch[row])
        if number not in patches:
            patches[number] = store.patch(key)
        written = last_script(store.trajectory(key)) if scripts else ""
        found.append(
            Candidate(
                model=model,
                strategy=strategy,
                index=key.index,
                patch=patches[number],
                scripts=(written,) if written else (),
            )
        )
    return tuple(found)


def last_script(turns: Iterable[Turn]) -> str:
    """Return the last script of a chain of `agent.monkeys` that failed where it has to, else ""."""
    last = answered = ""
    for turn in turns:
        if turn.source == "test" and turn.message.role == "assistant":
            answered = turn.message.content
        elif turn.source == "run unpatched" and turn.exit_code == NOT_FIXED:
            last = script_from_answer(answered)
    return last
