"""What a sweep records: a sample, or the failure to draw or judge one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.backend import Usage
from agent.strategy import Proposal
from eval.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class SampleKey:
    """The name of one sample within a run."""

    task_id: str
    model: str
    strategy: str
    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One independent candidate patch and what it cost."""

    key: SampleKey
    proposal: Proposal
    strategy_version: str
    seed: int | None
    temperature: float
    """As it was asked for; what was really sent is in `sent`."""
    cost: float | None
    """US dollars, None when the price is unknown."""
    sent: Mapping[str, Any] = field(default_factory=dict)
    """The settings that really were in its last request, by the provider's names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A sample and the verdict on it."""

    key: SampleKey
    verdict_key: str
    verdict: Verdict
    is_kept: bool = False
    # The run's store has this verdict already, under its key.


Stage = Literal["sample", "verify", "broken off"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A fault of the system: shown, tried again on resume, never a verdict.

    One at the stage "broken off" is no fault and not shown: a budget or a signal ended a sample,
    which stays pending, and what it had used by then is kept so that it is paid for.
    """

    key: SampleKey
    stage: Stage
    message: str
    cost: float | None = 0.0
    # US dollars that its attempts were or may have been billed, None when unknown.
    usage: Usage | None = field(default_factory=Usage)
    # Of its attempts; None in runs of earlier versions, which did not record it.


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """What the failed draws of a solver used, which was or may have been billed."""

    cost: float | None = 0.0
    # US dollars, None when any of it is unknown.
    usage: Usage | None = field(default_factory=Usage)
    # None when any of it is unknown.
