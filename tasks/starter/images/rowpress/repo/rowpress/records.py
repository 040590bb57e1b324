"""Reads CSV into records: one dict a row, with a value for the field of each column."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from rowpress.columns import Column
from rowpress.errors import BadCell

Record = dict[str, object]


def read_records(text: str, columns: Sequence[Column]) -> list[Record]:
    """The rows of a CSV text whose first line names the fields.

    Fields that no column wants are left out. Raises BadCell with the number of the line.
    """
    records = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        record: Record = {}
        for column in columns:
            if column.field not in row:
                raise BadCell(number, column.field, "the field is missing")
            try:
                record[column.field] = column.read(row[column.field])
            except ValueError as error:
                raise BadCell(number, column.field, str(error)) from error
        records.append(record)
    return records
