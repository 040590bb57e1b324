"""Scheduling inside one process."""

from cronlite.errors import CronliteError, ExpressionError, IntervalError, NeverDue
from cronlite.expression import CronExpression
from cronlite.fields import parse_field
from cronlite.interval import Interval
from cronlite.queue import Job, JobQueue
from cronlite.retry import RetryPolicy

__all__ = [
    "CronExpression",
    "CronliteError",
    "ExpressionError",
    "Interval",
    "IntervalError",
    "Job",
    "JobQueue",
    "NeverDue",
    "RetryPolicy",
    "parse_field",
]
