"""Who is told what happens in a sweep."""

from __future__ import annotations

from agent.backend import BackendUnusableError
from eval.sample import Failure, Sample, SampleKey
from eval.verdict import Verdict
from tasks.task import Task


class Observer:
    """Told what happens; does nothing itself. Methods must be quick."""

    def sampled(self, sample: Sample) -> None:
        """Take note of a sample that is now durable."""

    def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:
        """Take note of a verdict that is now durable."""

    def learning(self, task: Task) -> None:
        """Take note of a task that is evaluated without a candidate."""

    def failed(self, failure: Failure) -> None:
        """Take note of a failure, or of a sample that was broken off."""

    def holding(self, *, verdicts_wait: bool) -> None:
        """Take note that verdicts wait for a model on the same processor, or go on."""

    def unusable(self, model: str, error: BackendUnusableError) -> None:
        """Take note of a model that cannot be sampled any further."""
