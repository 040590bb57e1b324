"""Nine published attempts at each of 142 issues, with their verdicts: choices against real tests.

`pytest -s` prints the table of the methods that need neither a model nor a container.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from eval.selection.behaviour import NONE
from eval.selection.candidates import (
    Bools,
    Candidate,
    Candidates,
    Scored,
    Selection,
    select,
    selection,
)
from eval.selection.evaluate import Evaluation, evaluate
from eval.selection.votes import PURE
from sandbox.patch import patch_digest

pytestmark = pytest.mark.shared_data

REPEATED = {"acr-run-": 38, "swe-agent-cost_2_": 25}
"""Systems that ran three times, and how many issues the three solve together."""


@pytest.fixture(scope="module")
def matrix(shared_data: Path) -> tuple[list[Candidates], list[Bools]]:
    """The pool and its verdicts; an issue that a system left out is an empty patch of its own."""
    folder = shared_data / "lite-matrix"
    rows = [
        json.loads(line)
        for line in gzip.decompress((folder / "attempts.jsonl.gz").read_bytes()).splitlines()
    ]
    attempts = {(row["instance_id"], row["system"]): row for row in rows}
    systems = sorted({row["system"] for row in rows})
    pool, resolved = [], []
    for task_id in (folder / "instances.txt").read_text().split():
        of_issue = [attempts.get((task_id, system), {}) for system in systems]
        found = tuple(
            Candidate(model=system, strategy="", index=0, patch=row.get("model_patch") or "")
            for system, row in zip(systems, of_issue, strict=True)
        )
        pool.append(Candidates(task_id=task_id, candidates=found))
        resolved.append(np.array([row.get("resolved", False) for row in of_issue], dtype=np.bool_))
    return pool, resolved


@pytest.fixture(scope="module")
def evaluation(matrix: tuple[list[Candidates], list[Bools]]) -> Evaluation:
    pool, resolved = matrix
    selections = [
        selection(method.name, pool, asyncio.run(select(method, pool))) for method in PURE
    ]
    return evaluate(resolved, [*selections, by_exact_text(pool)])


def by_exact_text(pool: list[Candidates]) -> Selection:
    """The vote as it is without normalisation: equal patches only."""
    scored = []
    for issue in pool:
        texts = [patch_digest(one.patch) for one in issue.candidates]
        counts = np.array([texts.count(text) for text in texts], dtype=np.float64)
        scored.append(Scored(scores=np.where(issue.has_patch, counts, -np.inf)))
    return selection("exact text", pool, scored)


def test_the_known_coverage_is_found(matrix: tuple[list[Candidates], list[Bools]]) -> None:
    pool, resolved = matrix
    table = np.array(resolved)
    assert table.shape == (142, 9)
    assert int(table.any(axis=1).sum()) == 55
    names = [one.model for one in pool[0].candidates]
    for system, solved in REPEATED.items():
        runs = [names.index(f"{system}{number}") for number in (1, 2, 3)]
        assert int(table[:, runs].any(axis=1).sum()) == solved
    assert sorted(table.sum(axis=0).tolist()) == [17, 17, 19, 24, 27, 29, 30, 32, 37]


def test_methods_lie_between_the_floor_and_the_ceiling(evaluation: Evaluation) -> None:
    print()  # noqa: T201 - the table is what this is run by hand for
    solved = {result.method: result.solved.share for result in evaluation.results}
    for name, share in [
        ("random choice", evaluation.random),
        *((result.method, result.solved) for result in evaluation.results),
        ("oracle", evaluation.oracle),
    ]:
        part = {result.method: result.recovered for result in evaluation.results}.get(name)
        gap = f"{part.share:6.1%} ({part.low:.1%} to {part.high:.1%}) of the gap" if part else ""
        print(f"{name:15} {share.share:6.1%} ({share.low:.1%} to {share.high:.1%})  {gap}")  # noqa: T201
    assert evaluation.random.share == pytest.approx(232 / (142 * 9))
    assert evaluation.oracle.share == pytest.approx(55 / 142)
    assert evaluation.random.share < solved["any"] < solved["majority"] < evaluation.oracle.share
    # What normalisation is for: spellings of one fix no longer split its vote.
    assert solved["exact text"] < solved["majority"]


def test_no_two_patches_of_one_group_have_unlike_verdicts(
    matrix: tuple[list[Candidates], list[Bools]],
) -> None:
    merged = 0
    for issue, resolved in zip(*matrix, strict=True):
        for group in issue.distinct():
            members = issue.behaviour == group
            texts = {issue.candidates[place].patch for place in np.flatnonzero(members)}
            merged += len({patch_digest(text) for text in texts}) - 1
            assert len(set(resolved[members].tolist())) == 1, (issue.task_id, group)
        assert not resolved[issue.behaviour == NONE].any(), issue.task_id
    assert merged > 40
