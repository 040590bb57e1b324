import pytest

from cronlite import Job, JobQueue


def test_higher_priority_goes_first():
    queue = JobQueue()
    queue.push(Job("report", priority=1))
    queue.push(Job("alert", priority=9))
    queue.push(Job("cleanup"))
    assert [queue.pop().name for _ in range(3)] == ["alert", "report", "cleanup"]


def test_jobs_with_payloads_wait_together():
    queue = JobQueue()
    queue.push(Job("a", payload={"x": 1}))
    queue.push(Job("b", payload={"x": 2}))
    assert len(queue) == 2
    assert queue.peek().name == "a"


def test_cancelled_jobs_are_gone():
    queue = JobQueue()
    queue.push(Job("a"))
    queue.push(Job("b", priority=1))
    assert queue.cancel("b")
    assert not queue.cancel("c")
    assert queue.pop().name == "a"


def test_an_empty_queue():
    queue = JobQueue()
    assert queue.peek() is None
    with pytest.raises(IndexError):
        queue.pop()
