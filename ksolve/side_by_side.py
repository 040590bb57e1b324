"""Several runs in one table of samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.table import NO_PATCH, SampleTable


def side_by_side(tables: Sequence[SampleTable]) -> SampleTable:
    """Put the samples of several runs into one table, which has the arms of all.

    Tasks of one id are one task. Equal patches of different runs do not count as equal.
    """
    if len(tables) == 1:
        return tables[0]
    tasks = tuple(dict.fromkeys(task for table in tables for task in table.tasks))
    place = {task: i for i, task in enumerate(tasks)}
    columns: dict[str, list[NDArray[Any]]] = {}
    arms: list[tuple[str, str]] = []
    patches = 0
    for table in tables:
        moved = np.array([place[task] for task in table.tasks], dtype=np.int32)
        placed = dataclasses.replace(
            table,
            task=moved[table.task],
            arm=table.arm + np.int32(len(arms)),
            patch=np.where(table.patch == NO_PATCH, NO_PATCH, table.patch + patches),
        )
        for field in dataclasses.fields(table)[2:]:
            columns.setdefault(field.name, []).append(getattr(placed, field.name))
        arms += table.arms
        patches += int(table.patch.max(initial=NO_PATCH)) + 1
    joined: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    return SampleTable(tasks=tasks, arms=tuple(arms), **joined)
