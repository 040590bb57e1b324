"""Plain-text reports from records."""

from rowpress import dates, numeric
from rowpress.columns import Column
from rowpress.errors import BadCell, BadStyle, RowpressError, UnknownKind, UnknownLocale
from rowpress.kinds import Kind
from rowpress.records import read_records
from rowpress.report import Report
from rowpress.subtotals import Group, grouped, total

__all__ = [
    "BadCell",
    "BadStyle",
    "Column",
    "Group",
    "Kind",
    "Report",
    "RowpressError",
    "UnknownKind",
    "UnknownLocale",
    "dates",
    "grouped",
    "numeric",
    "read_records",
    "total",
]
