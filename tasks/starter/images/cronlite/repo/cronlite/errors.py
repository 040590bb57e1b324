"""Errors raised by cronlite."""


class CronliteError(Exception):
    """Base class of everything that cronlite raises."""


class ExpressionError(CronliteError, ValueError):
    """A cron expression cannot be understood."""


class IntervalError(CronliteError, ValueError):
    """An interval cannot be understood."""


class NeverDue(CronliteError):
    """An expression is valid but has no date, such as 30 February."""
