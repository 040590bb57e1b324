"""Cron expressions: minute, hour, day of month, month, day of week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cronlite.errors import ExpressionError, NeverDue
from cronlite.fields import parse_field

MONTHS = {
    name: number
    for number, name in enumerate(
        "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), start=1
    )
}
DAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split())}
HORIZON = timedelta(days=8 * 366)
# A 29 February can be eight years away.


@dataclass(frozen=True)
class CronExpression:
    """A parsed expression. Days of the week count from Sunday, 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    # Both kinds of day are restricted, and one of them is enough.

    @classmethod
    def parse(cls, text: str) -> CronExpression:
        """Read five fields separated by spaces. Raises ExpressionError."""
        fields = text.split()
        if len(fields) != 5:
            raise ExpressionError(f"{text!r} has {len(fields)} fields, not 5")
        minute, hour, day, month, weekday = fields
        return cls(
            minutes=parse_field(minute, 0, 59),
            hours=parse_field(hour, 0, 23),
            days=parse_field(day, 1, 31),
            months=parse_field(month, 1, 12, MONTHS),
            weekdays=frozenset(n % 7 for n in parse_field(weekday, 0, 7, DAYS)),
            either_day=day != "*" and weekday != "*",
        )

    def matches_day(self, moment: datetime) -> bool:
        """Whether the expression is due at any time on this day."""
        if moment.month not in self.months:
            return False
        in_month = moment.day in self.days
        in_week = moment.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def matches(self, moment: datetime) -> bool:
        """Whether the expression is due in the minute of this moment."""
        due = moment.hour in self.hours and moment.minute in self.minutes
        return due and self.matches_day(moment)

    def next_run(self, after: datetime) -> datetime:
        """The first due minute after a moment. Raises NeverDue when there is none."""
        moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while moment - after < HORIZON:
            if not self.matches_day(moment):
                moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            elif moment.hour not in self.hours:
                moment = moment.replace(minute=0) + timedelta(hours=1)
            elif moment.minute not in self.minutes:
                moment += timedelta(minutes=1)
            else:
                return moment
        raise NeverDue(f"no date within {HORIZON.days} days after {after:%Y-%m-%d}")
