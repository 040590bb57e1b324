"""Shares of a server's busy time."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from agent.endpoint.meter import BusyMeter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def fail_after(self, seconds: float) -> KeyError:
        self.now += seconds
        return KeyError()


def test_a_lone_request_is_charged_for_all_of_its_time() -> None:
    clock = Clock()
    meter = BusyMeter(clock)
    clock.now += 50  # Idle time is nobody's.
    with meter.request() as share:
        clock.now += 4
    assert share.seconds == 4.0


def test_overlapping_requests_share_and_add_up_to_the_busy_time() -> None:
    clock = Clock()
    meter = BusyMeter(clock)
    with ExitStack() as first, ExitStack() as second:
        a = first.enter_context(meter.request())
        clock.now += 2  # a alone: 2
        b = second.enter_context(meter.request())
        clock.now += 6  # both: 3 each
        first.close()
        clock.now += 1  # b alone: 1
        second.close()
    assert (a.seconds, b.seconds) == (5.0, 4.0)
    assert a.seconds + b.seconds == 9.0


def test_a_request_that_fails_still_leaves_the_meter() -> None:
    clock = Clock()
    meter = BusyMeter(clock)
    with pytest.raises(KeyError), meter.request() as failed:
        raise clock.fail_after(3)
    with meter.request() as share:
        clock.now += 5
    assert (failed.seconds, share.seconds) == (3.0, 5.0)
