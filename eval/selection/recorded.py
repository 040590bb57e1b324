"""What methods said before, put beside the samples of a run as they are now.

Words about the same samples belong together: they have one random choice and one oracle. A pool
that has grown since is another pool, and a word about a sample without a verdict waits for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from eval.selection.candidates import Effort, Ints, Selection
from eval.selection.kept import Way, Word
from eval.table import SampleTable

Solvers: TypeAlias = tuple[tuple[str, str], ...]
Placed: TypeAlias = dict[str, tuple[Ints, Word]]
# By task id: where the candidates stand in the table, and what was said of them.


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What was said of one pool."""

    solvers: Solvers
    # Whose samples these are.
    rows: tuple[Ints, ...]
    # Of each issue, where its candidates stand in the table; all of them have verdicts.
    selections: tuple[Selection, ...]


def recorded(words: Iterable[Word], table: SampleTable) -> list[Recorded]:
    """Put words together by pool, of each way the last: what it said of most samples."""
    by_way: dict[str, tuple[Way, Placed]] = {}
    place = _Places(table)
    for word in words:
        rows = place.rows(word)
        if rows is None or not table.judged[rows].all():
            continue
        _, placed = by_way.setdefault(word.way.key, (word.way, {}))
        before = placed.get(word.task_id)
        if before is None or before[0].size < rows.size:
            placed[word.task_id] = rows, word
    pools: defaultdict[tuple[Solvers, bytes], list[tuple[Way, Placed]]] = defaultdict(list)
    order = {task: number for number, task in enumerate(table.tasks)}
    for way, placed in by_way.values():
        by_task = dict(sorted(placed.items(), key=lambda item: order[item[0]]))
        pools[way.solvers, pool_of(rows for rows, _ in by_task.values())].append((way, by_task))
    return [
        Recorded(
            solvers=solvers,
            rows=tuple(rows for rows, _ in ways[0][1].values()),
            selections=tuple(_selection(way, placed) for way, placed in ways),
        )
        for (solvers, _), ways in pools.items()
    ]


def pool_of(rows: Iterable[Ints]) -> bytes:
    """Return what is equal for equal pools, of which each issue's rows are given in order."""
    return np.concatenate([np.empty(0, np.int64), *rows]).tobytes()


def _selection(way: Way, placed: Mapping[str, tuple[Ints, Word]]) -> Selection:
    words: Sequence[Word] = [word for _, word in placed.values()]
    return Selection(
        method=way.method,
        settings=way.settings,
        chances=tuple(word.chances for word in words),
        groups=tuple(word.groups for word in words),
        scores=tuple(word.scores for word in words),
        effort=sum((word.effort for word in words), Effort()),
    )


class _Places:
    """Finds samples in a table."""

    def __init__(self, table: SampleTable) -> None:
        self._tasks = {task: number for number, task in enumerate(table.tasks)}
        self._arms = {arm: number for number, arm in enumerate(table.arms)}
        self._width = int(table.index.max(initial=0)) + 1
        keys = self._keys(
            table.task.astype(np.int64), table.arm.astype(np.int64), table.index.astype(np.int64)
        )
        self._order = np.argsort(keys)
        self._keys_in_order = keys[self._order]

    def rows(self, word: Word) -> Ints | None:
        """Return the rows of a word's candidates; None where the table lacks one."""
        task = self._tasks.get(word.task_id)
        arms = [self._arms.get(solver, -1) for solver in word.way.solvers]
        if task is None or -1 in arms or word.index.max(initial=0) >= self._width:
            return None
        keys = self._keys(np.int64(task), np.array(arms)[word.arm], word.index)
        places = np.searchsorted(self._keys_in_order, keys)
        is_there = places < self._keys_in_order.size
        if not is_there.all() or (self._keys_in_order[places] != keys).any():
            return None
        rows: Ints = self._order[places].astype(np.int64)
        return rows

    def _keys(self, task: np.int64 | Ints, arm: Ints, index: Ints) -> Ints:
        keys: Ints = (task * max(len(self._arms), 1) + arm) * self._width + index
        return keys
