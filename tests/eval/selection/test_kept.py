"""What a method said of samples is kept with the run, and not taken for a word about others."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from agent.backend import Usage
from agent.price import Price
from agent.scripted import ScriptedBackend
from eval.selection.candidates import Candidates, Effort, Scored, select
from eval.selection.judge import Judge, ScoredJudge
from eval.selection.kept import FILE, Kept, Way, words_of
from eval.selection.recorded import Recorded, recorded
from eval.selection.votes import MAJORITY
from eval.store import StoreError
from eval.table import SampleRow, SampleTable, table_of
from sandbox.sandbox import SandboxError
from tests.eval.selection.tree import ISSUE, pool

SOLVER = ("m", "s")
WAY = Way(method="judge", solvers=(SOLVER,), settings={"judge": "j"})


def scored(candidates: Candidates, cost: float = 0.25) -> Scored:
    scores = np.arange(len(candidates.candidates), dtype=np.float64)
    scores[0] = -np.inf
    return Scored(scores=scores, effort=Effort(usage=Usage(calls=3), cost=cost, seconds=1.5))


def table(*outcomes: str | None, task: str = ISSUE.id) -> SampleTable:
    rows = [
        SampleRow(
            task_id=task,
            model="m",
            strategy="s",
            index=index,
            outcome=outcome,
            usage=Usage(),
            cost=None,
            patch_digest=str(index),
            verify_seconds=None,
        )
        for index, outcome in enumerate(outcomes)
    ]
    return table_of(rows, tasks=[task], arms=[SOLVER])


def placed(folder: Path, *outcomes: str | None) -> list[Recorded]:
    return recorded(words_of(folder), table(*outcomes))


def test_what_was_said_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    candidates = pool("1", "2", "2")
    said = scored(candidates)
    with Kept(tmp_path) as kept:
        kept.keep(WAY, candidates, said)
    with Kept(tmp_path) as kept:
        found = kept.said(WAY, [candidates])[ISSUE.id]
        assert found.scores.tolist() == said.scores.tolist()
        assert found.effort == said.effort
        assert found.groups is not None
        assert found.groups.tolist() == candidates.behaviour.tolist()
        others = (
            (WAY, pool("1", "2")),
            (Way(method="weighted", solvers=(SOLVER,), settings={"judge": "j"}), candidates),
            (Way(method="judge", solvers=(SOLVER,), settings={"judge": "k"}), candidates),
        )
        assert [kept.said(way, [of]) for way, of in others] == [{}, {}, {}]


def test_the_price_that_is_known_now_stands_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    candidates = pool("1", "2")
    with Kept(tmp_path) as kept:
        kept.keep(WAY, candidates, scored(candidates))
        kept.keep(WAY, candidates, scored(candidates, cost=0.5))
    (word,) = words_of(tmp_path)
    assert word.effort.cost == 0.5


async def test_answers_outlive_the_process_that_paid_for_them(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda *_: "SCORE: 7")
    for _ in range(2):
        with Kept(tmp_path) as kept:
            candidates = pool("1", "2", evidence=kept.evidence())
            await ScoredJudge(Judge(backend, Price())).score(candidates)
    assert backend.calls == 2


async def test_what_was_said_before_the_end_came_is_kept(tmp_path: Path) -> None:
    class Ends:
        name = "majority"

        async def score(self, candidates: Candidates) -> Scored:
            if candidates.task_id == "b":
                raise SandboxError("The daemon is gone.")
            return await MAJORITY.score(candidates)

    first, second = pool("1", "2", task_id="a"), pool("1", task_id="b")
    with Kept(tmp_path) as kept:

        async def keep(candidates: Candidates, one: Scored) -> None:
            kept.keep(WAY, candidates, one)

        with pytest.raises(SandboxError):
            await select(Ends(), [first, second], keep=keep)
        assert kept.said(WAY, [first, second]).keys() == {"a"}


def test_a_pool_that_has_grown_is_another_one_until_it_is_chosen_from_again(tmp_path: Path) -> None:
    small, grown = pool("1", "2"), pool("1", "2", "3")
    with Kept(tmp_path) as kept:
        kept.keep(WAY, small, scored(small))
    outcomes = ("resolved", "unresolved", "no_patch")
    (found,) = placed(tmp_path, *outcomes)
    assert [rows.tolist() for rows in found.rows] == [[0, 1]]
    with Kept(tmp_path) as kept:
        kept.keep(WAY, grown, scored(grown))
    (found,) = placed(tmp_path, *outcomes)
    assert [rows.tolist() for rows in found.rows] == [[0, 1, 2]]
    (of,) = found.selections
    assert (of.method, of.settings, of.effort.cost) == ("judge", {"judge": "j"}, 0.25)
    assert of.chances[0].tolist() == [0, 0, 1]


def test_methods_over_unlike_pools_are_not_put_together(tmp_path: Path) -> None:
    small, grown = pool("1", "2"), pool("1", "2", "3")
    with Kept(tmp_path) as kept:
        kept.keep(WAY, small, scored(small))
        kept.keep(Way(method="any", solvers=(SOLVER,)), grown, scored(grown))
    found = placed(tmp_path, "resolved", "unresolved", "unresolved")
    assert {(one.selections[0].method, one.rows[0].size) for one in found} == {
        ("judge", 2),
        ("any", 3),
    }


@pytest.mark.parametrize("outcomes", [("resolved", None), ("resolved",), ()])
def test_a_word_about_samples_without_verdicts_or_of_none_waits(
    tmp_path: Path, outcomes: tuple[str | None, ...]
) -> None:
    candidates = pool("1", "2")
    with Kept(tmp_path) as kept:
        kept.keep(WAY, candidates, scored(candidates))
    assert placed(tmp_path, *outcomes) == []
    assert recorded(words_of(tmp_path), table("resolved", "resolved", task="else")) == []


def test_words_of_another_version_are_not_told(tmp_path: Path) -> None:
    candidates = pool("1")
    with Kept(tmp_path) as kept:
        kept.keep(WAY, candidates, scored(candidates))
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("""UPDATE words SET way = replace(way, '"methods": 1', '"methods": 0')""")
    assert words_of(tmp_path) == []


def test_where_nobody_chose_nothing_is_told_and_no_file_is_made(tmp_path: Path) -> None:
    assert words_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database " * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        words_of(tmp_path)
