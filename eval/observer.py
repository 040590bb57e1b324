"""Who is told what happens in a sweep."""

from __future__ import annotations

from agent.backend import BackendUnusableError
from eval.sample import Failure, Sample, SampleKey
from eval.verdict import Verdict


class Observer:
    """Told what happens; does nothing itself. Methods must be quick."""

    def sampled(self, sample: Sample) -> None:
        """Take note of a sample that is now durable."""

    def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:
        """Take note of a verdict that is now durable."""

    def failed(self, failure: Failure) -> None:
        """Take note of a failure, or of a sample that was broken off."""

    def holding(self, *, verdicts_wait: bool) -> None:
        """Take note that verdicts wait for a model on the same processor, or go on."""

    def unusable(self, model: str, error: BackendUnusableError) -> None:
        """Take note of a model that cannot be sampled any further."""
