"""Groups of records, and their totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rowpress.runs import runs


@dataclass(frozen=True)
class Group:
    """The records of one department, month or whatever else they were grouped by."""

    key: object | None
    records: list[Mapping[str, object]]
    totals: dict[str, object]


def total(records: Iterable[Mapping[str, object]], field: str) -> object:
    """The sum of a field over the records; blank cells count for nothing."""
    return sum(record[field] for record in records if record[field] is not None)


def grouped(
    records: Iterable[Mapping[str, object]], by: str, fields: Sequence[str]
) -> list[Group]:
    """The groups of records that stand together, with a subtotal for each of the fields."""
    return [
        Group(key, members, {field: total(members, field) for field in fields})
        for key, members in runs(records, key=lambda record: record[by])
    ]
