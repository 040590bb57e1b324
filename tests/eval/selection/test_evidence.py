"""What was asked or run once is neither asked nor run again, and counts all the same."""

from __future__ import annotations

import dataclasses

import pytest

from agent.backend import BackendError
from agent.price import Price
from agent.scripted import ScriptedBackend
from eval.selection.candidates import Candidates, select
from eval.selection.codemonkeys import CodeMonkeysChoice
from eval.selection.judge import Judge, PairwiseJudge, ScoredJudge, WeightedVote
from eval.selection.regression import Regression
from eval.selection.scripts import ScriptVote
from sandbox.fake import did
from sandbox.sandbox import ExecResult
from tests.eval.selection.tree import Tree, pool

RIGHT, WRONG, OTHER = "width * height", "width - height", "height"


def judging(answer: str = "SCORE: 7") -> tuple[ScriptedBackend, Judge]:
    backend = ScriptedBackend(lambda *_: answer)
    return backend, Judge(backend, Price(input=1.0, output=2.0))


def passes(_: str, held: str) -> ExecResult:
    return did(0 if RIGHT in held else 2)


def known_to(before: Candidates, now: Candidates) -> Candidates:
    """The second pool, with what is known of the first."""
    return dataclasses.replace(now, evidence=before.evidence)


async def test_a_judge_is_asked_once_and_costs_the_same_each_time() -> None:
    backend, judge = judging()
    candidates = pool(WRONG, RIGHT)
    first = await ScoredJudge(judge).score(candidates)
    again = await WeightedVote(ScoredJudge(judge)).score(candidates)
    assert backend.calls == 2
    assert again.effort == first.effort
    assert first.effort.usage.calls == 2
    assert first.effort.cost


async def test_of_a_pool_that_has_grown_what_is_new_is_asked() -> None:
    backend, judge = judging()
    small = pool(WRONG, RIGHT)
    await PairwiseJudge(judge).score(small)
    grown = await PairwiseJudge(judge).score(known_to(small, pool(WRONG, RIGHT, OTHER)))
    assert grown.effort.usage.calls == backend.calls == 3 * 2


async def test_another_model_or_another_setting_is_another_question() -> None:
    backend, judge = judging()
    candidates = pool(WRONG)
    await ScoredJudge(judge).score(candidates)
    sampling = dataclasses.replace(judge.sampling, max_tokens=9)
    await ScoredJudge(Judge(backend, judge.price, sampling=sampling)).score(candidates)
    assert backend.calls == 2
    other = ScriptedBackend(lambda *_: "SCORE: 3", name="other")
    scored = await ScoredJudge(Judge(other, judge.price)).score(candidates)
    assert scored.scores.tolist() == [3]


async def test_what_failed_is_asked_again() -> None:
    answers: list[str | BackendError] = [BackendError("down"), "SCORE: 4"]
    judge = Judge(ScriptedBackend(lambda *_: answers.pop(0)), Price())
    candidates = pool(RIGHT)
    with pytest.raises(BackendError, match="down"):
        await ScoredJudge(judge).score(candidates)
    assert (await ScoredJudge(judge).score(candidates)).scores.tolist() == [4]


async def test_a_script_is_run_once_under_a_patch_and_no_container_is_opened_for_it_again() -> None:
    tree = Tree(passes, refuses="- height")
    small = pool(WRONG, RIGHT, scripts=["import sys"])
    first = await ScriptVote(tree.host).score(small)
    opened = tree.host.opened
    again = await ScriptVote(tree.host).score(small)
    assert (again.scores.tolist(), again.effort.runs) == (first.scores.tolist(), first.effort.runs)
    assert first.scores.tolist() == [0, 1]
    # On the tree as it is, and under the one patch that git applies.
    assert (len(tree.runs), tree.host.opened) == (2, opened)
    grown = known_to(small, pool(WRONG, RIGHT, OTHER, scripts=["import sys"]))
    await ScriptVote(tree.host).score(grown)
    assert len(tree.runs) == 3
    assert tree.host.opened > opened


async def test_visible_tests_are_run_once_whatever_follows() -> None:
    tree = Tree(passes)
    candidates = pool(WRONG, RIGHT)
    for _ in range(2):
        await Regression(tree.host).score(candidates)
    assert len(tree.runs) == 3


async def test_a_decision_is_made_once_scripts_and_all() -> None:
    tree, (backend, judge) = Tree(passes), judging("CHOICE: 1")
    candidates = pool(WRONG, RIGHT, scripts=["import sys"])
    method = CodeMonkeysChoice(judge, tree.host)
    first, again = await method.score(candidates), await method.score(candidates)
    assert (backend.calls, tree.host.opened) == (1, 1)
    assert again.effort == first.effort


async def test_the_time_that_was_taken_once_is_told_again() -> None:
    backend = ScriptedBackend(lambda *_: "SCORE: 7", delay=0.05)
    candidates = pool(RIGHT)
    method = ScoredJudge(Judge(backend, Price()))
    await select(method, [candidates])
    (again,) = await select(method, [candidates])
    assert backend.calls == 1
    assert again.effort.seconds >= 0.05
