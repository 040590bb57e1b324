"""Runs as a sweep would have recorded them, for tests of what is said of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.backend import Usage
from agent.strategy import Proposal
from eval.sample import Failure, Judged, Sample, SampleKey
from eval.store import Store
from eval.suspicions.suspicion import Suspicion
from eval.verdict import Outcome, Verdict

PATCH = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = {}\n"
USAGE = Usage(input_tokens=1600, cached_tokens=1200, output_tokens=300, calls=1)
SMALL, LARGE = "openai:small", "openai:large"
SUSPICIONS = (
    Suspicion(
        kind="early exit",
        path="x.py",
        line=1,
        code="os._exit(0)",
        sentence="`os._exit` ends a process, whatever it is doing.",
    ),
    Suspicion(
        kind="network or process",
        path="x.py",
        line=2,
        code="subprocess.run(x)",
        sentence="`subprocess.run` starts another process.",
        strength="weak",
    ),
)


def record(
    folder: Path,
    *,
    models: Sequence[str] = (SMALL, LARGE),
    strategies: Sequence[str] = ("oneshot",),
    issues: int | Sequence[str] = 6,
    samples: int = 4,
    drawn: int | None = None,
    judged: int | None = None,
    cost: float | None = 0.002,
    dearer: float = 1.0,
    price: str = "as given",
    usage: Usage = USAGE,
    patch: str = PATCH,
    failures: Sequence[str] = (),
    flaky: Sequence[str] = (),
    allocate: str = "uniform",
    suspicious: Sequence[int] = (),
) -> Path:
    """Record a run in which model m solves issue i with sample j where j + 2 m > i.

    A sample costs so much, and `dearer` times that by the next model. Every strategy does the same.
    What the patches of the samples of the indices in `suspicious` do is suspicious.
    """
    tasks = [f"t{i}" for i in range(issues)] if isinstance(issues, int) else list(issues)
    drawn = samples if drawn is None else drawn
    judged = drawn if judged is None else judged
    with Store(folder) as store:
        store.begin(
            {
                "tasks": "starter",
                "tasks_digest": "d" * 64,
                "task_ids": tasks,
                "arms": [[model, strategy] for model in models for strategy in strategies],
                "prices": dict.fromkeys(models, price if cost is not None else "unknown"),
                "settings": {
                    f"{strategy} by {model}": {"temperature": 0.8}
                    for model in models
                    for strategy in strategies
                },
                "samples": [samples] * len(models) * len(strategies),
                "budgets": [None, None, None],
                "flaky": list(flaky),
                "allocate": allocate,
            }
        )
        keys = [
            (i, m, SampleKey(task_id=task, model=model, strategy=strategy, index=j))
            for m, model in enumerate(models)
            for strategy in strategies
            for i, task in enumerate(tasks)
            for j in range(drawn)
        ]
        store.add_samples(
            [
                _sample(key, patch, None if cost is None else cost * dearer**m, usage)
                for _, m, key in keys
            ]
        )
        store.add_verdicts(
            [
                _judged(
                    key,
                    "resolved" if key.index + 2 * m > i else "unresolved",
                    SUSPICIONS if key.index in suspicious else (),
                )
                for i, m, key in keys
                if key.index < judged
            ]
        )
        for message in failures:
            key = SampleKey(
                task_id=tasks[0], model=models[0], strategy=strategies[0], index=samples - 1
            )
            store.add_failure(Failure(key=key, stage="sample", message=message))
    return folder


def _sample(key: SampleKey, patch: str, cost: float | None, usage: Usage) -> Sample:
    proposal = Proposal(
        patch=patch.format(key.index) if patch is PATCH else patch,
        stop="patch",
        note="",
        usage=usage,
        seconds=2.0,
        prompt_digest="p",
        trajectory=(),
    )
    return Sample(
        key=key,
        proposal=proposal,
        strategy_version="1",
        seed=key.index,
        temperature=0.8,
        cost=cost,
    )


def _judged(key: SampleKey, outcome: Outcome, suspicions: tuple[Suspicion, ...]) -> Judged:
    verdict = Verdict(outcome=outcome, seconds=1.5, suspicions=suspicions)
    name = f"{key.task_id} {key.model} {key.strategy} {key.index} {outcome}"
    return Judged(key=key, verdict_key=name, verdict=verdict)
