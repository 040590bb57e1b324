from datetime import datetime, timedelta

import pytest

from cronlite import Interval, IntervalError, RetryPolicy

START = datetime(2024, 5, 3, 12, 0)


def test_lengths():
    assert Interval.parse("1h30m", START).length == timedelta(minutes=90)


@pytest.mark.parametrize("text", ["", "15", "m", "0s"])
def test_bad_lengths(text):
    with pytest.raises(IntervalError):
        Interval.parse(text, START)


def test_missed_runs_are_left_out():
    every = Interval.parse("10m", START)
    assert every.next_run(datetime(2024, 5, 3, 12, 34)) == datetime(2024, 5, 3, 12, 40)


def test_the_start_is_the_first_run():
    assert Interval.parse("10m", START).next_run(START - timedelta(days=1)) == START


def test_constant_waits():
    policy = RetryPolicy(max_attempts=3, base_delay=5, factor=1)
    assert list(policy.delays()) == [5, 5]
    assert policy.total() == 10


def test_waits_are_capped():
    assert RetryPolicy(max_delay=20).delay(12) == 20


def test_no_retry_after_the_last_attempt():
    policy = RetryPolicy(max_attempts=2)
    assert policy.should_retry(1)
    assert not policy.should_retry(2)


def test_bad_settings():
    with pytest.raises(ValueError):
        RetryPolicy(factor=0.5)
