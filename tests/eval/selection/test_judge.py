"""A judge is asked once for what is the same, in both orders, and what it costs is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from agent.backend import BackendError, ContextOverflowError, Message, Sampling
from agent.endpoint.openai import OpenAIBackend
from agent.price import Price
from agent.scripted import ScriptedBackend
from eval.selection.candidates import Candidates, select
from eval.selection.codemonkeys import CodeMonkeysChoice
from eval.selection.judge import (
    Judge,
    PairwiseJudge,
    ScoredJudge,
    WeightedVote,
    read_better,
    read_score,
)
from sandbox.fake import did
from sandbox.sandbox import ExecResult
from tests.agent.loopback import Asked, Endpoint, Reply, completion
from tests.eval.selection.tree import Tree, pool

RIGHT, OFF, WRONG = "width * height", "height", "width - height"
MARKS = {RIGHT: 9, OFF: 5, WRONG: 2}
PRICE = Price(input=1.0, output=2.0)

Say = Callable[[str], str | BackendError]


class Asking:
    """A scripted model that keeps what it was asked."""

    def __init__(self, say: Say, **how: int) -> None:
        self.asked: list[str] = []

        def script(messages: Sequence[Message], _: Sampling) -> str | BackendError:
            self.asked.append(messages[-1].content)
            return say("\n".join(message.content for message in messages))

        self.backend = ScriptedBackend(script, **how)  # type: ignore[arg-type]
        self.judge = Judge(self.backend, PRICE)


def marks(prompt: str) -> str:
    (found,) = (mark for text, mark in MARKS.items() if f"+    return {text}\n" in prompt)
    return f"It returns something.\nSCORE: {found}/10"


def compares(prompt: str) -> str:
    found = re.findall(r"^\+    return (.*)$", prompt, re.MULTILINE)
    first, second = (MARKS[text] for text in found)
    return f"BETTER: {'A' if first > second else 'B'}"


async def test_each_different_patch_is_scored_once() -> None:
    model = Asking(marks)
    scored = await ScoredJudge(model.judge).score(pool(WRONG, RIGHT, "", RIGHT, OFF))
    assert scored.scores.tolist() == [2, 9, -np.inf, 9, 5]
    assert model.backend.calls == 3
    assert scored.effort.usage.calls == 3
    assert scored.effort.cost == pytest.approx(
        (scored.effort.usage.input_tokens + 2 * scored.effort.usage.output_tokens) / 1e6
    )
    assert "area(2, 3) is 5, not 6" in model.asked[0]


async def test_every_pair_meets_in_both_orders() -> None:
    model = Asking(compares)
    scored = await PairwiseJudge(model.judge).score(pool(OFF, RIGHT, WRONG, RIGHT))
    assert scored.scores.tolist() == [0.5, 1.0, 0.0, 1.0]
    assert model.backend.calls == 6


async def test_a_judge_that_prefers_a_place_prefers_no_patch() -> None:
    scored = await PairwiseJudge(Asking(lambda _: "BETTER: A").judge).score(pool(OFF, RIGHT, WRONG))
    assert scored.scores.tolist() == [0.5, 0.5, 0.5]


async def test_of_many_patches_the_most_frequent_meet() -> None:
    model = Asking(compares)
    scored = await PairwiseJudge(model.judge, most=2).score(pool(WRONG, RIGHT, OFF, OFF, RIGHT))
    assert scored.scores.tolist() == [-np.inf, 1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("answers", [(RIGHT, RIGHT, ""), ("", "")])
async def test_where_there_is_no_choice_no_pair_is_asked_about(answers: Sequence[str]) -> None:
    model = Asking(compares)
    await PairwiseJudge(model.judge).score(pool(*answers))
    assert model.backend.calls == 0


async def test_a_weighted_vote_lets_many_mediocre_outvote_one_good() -> None:
    model = Asking(marks)
    scored = await WeightedVote(ScoredJudge(model.judge)).score(pool(OFF, OFF, RIGHT, WRONG))
    assert scored.scores.tolist() == [10, 10, 9, 2]
    assert scored.effort.usage.calls == 3


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("SCORE: 7", 7),
        ("**Score:** 8/10", 8),
        ("score 3, no: SCORE: 4", 4),
        ("10", 10),
        ("SCORE: 11", None),
        ("SCORE: 0", None),
        ("It fixes 3 of 4 cases.", None),
        ("", None),
    ],
)
def test_what_is_read_as_a_score(answer: str, score: int | None) -> None:
    assert read_score(answer) == score


@pytest.mark.parametrize(
    ("answer", "better"),
    [
        ("A is short. BETTER: B", "B"),
        ("better: **A**", "A"),
        ("B", "B"),
        ("BETTER: neither", ""),
        ("Both are fine.", ""),
        ("", ""),
    ],
)
def test_what_is_read_as_better(answer: str, better: str) -> None:
    assert read_better(answer) == better


async def test_an_answer_without_a_score_stands_below_all_scores() -> None:
    model = Asking(lambda prompt: "No idea." if RIGHT in prompt else marks(prompt))
    scored = await ScoredJudge(model.judge).score(pool(WRONG, RIGHT))
    assert scored.scores.tolist() == [2, 0]


async def test_what_a_window_does_not_hold_is_cut_or_no_judgement() -> None:
    small = Asking(lambda prompt: f"SCORE: {2 if WRONG in prompt else 9}", context_window=800)
    scored = await ScoredJudge(small.judge).score(pool(WRONG, f"{RIGHT}  # {'very ' * 3_000}"))
    assert scored.scores.tolist() == [2, 9]
    assert [len(asked.split()) < 800 - 512 for asked in small.asked] == [True, True]
    assert "... (cut) ..." in small.asked[1]

    full = Asking(lambda _: ContextOverflowError("too long"))
    scored = await ScoredJudge(full.judge).score(pool(WRONG, RIGHT))
    assert scored.scores.tolist() == [0, 0]
    assert scored.effort.usage.calls == 2


async def test_an_endpoint_that_fails_is_raised_and_no_judgement() -> None:
    model = Asking(lambda _: BackendError("The endpoint is down."))
    with pytest.raises(BackendError, match="is down"):
        await select(ScoredJudge(model.judge), [pool(WRONG, RIGHT)])


async def test_over_http_it_pays_for_what_the_endpoint_says() -> None:
    def reply(asked: Asked) -> Reply:
        text = marks(asked.body["messages"][-1]["content"])
        used = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return Reply(body=completion(text, usage=used))

    with Endpoint(otherwise=reply, models=[{"id": "judge", "max_model_len": 8192}]) as endpoint:
        backend = OpenAIBackend(name="judge", model="judge", base_url=endpoint.url, api_key=None)
        async with backend:
            (chosen,) = await select(ScoredJudge(Judge(backend, PRICE)), [pool(WRONG, RIGHT)])
    assert chosen.scores.tolist() == [2, 9]
    assert chosen.effort.usage.input_tokens == 200
    assert chosen.effort.cost == pytest.approx((200 * 1.0 + 20 * 2.0) / 1e6)
    assert [asked.body["temperature"] for asked in endpoint.completions] == [0.0, 0.0]


async def test_an_unknown_price_is_an_unknown_cost() -> None:
    judge = Judge(Asking(marks).backend, Price())
    assert (await ScoredJudge(judge).score(pool(WRONG, RIGHT))).effort.cost is None
    # What was not asked cost nothing, whatever the price.
    assert (await PairwiseJudge(judge).score(pool(RIGHT))).effort.cost == 0.0


def says(script: str, held: str) -> ExecResult:
    """Scripts that fail on the tree as it is; `strict` ones let only the right patch pass."""
    fixed = RIGHT in held or ("strict" not in script and f"return {OFF}\n" in held)
    return did(0 if fixed else 2, b"seen\n")


SCRIPT = "```python\nimport sys  # strict\nsys.exit(2)\n```"


def candidates() -> Candidates:
    """Of four patches, `OFF` and `RIGHT` have the votes of the script, `OFF` is more frequent."""
    return pool(WRONG, OFF, OFF, RIGHT, "width / height", scripts=["import sys"])


async def test_votes_choose_a_few_and_the_model_decides_with_a_script_of_its_own() -> None:
    def say(prompt: str) -> str:
        number = 1 + [RIGHT in part for part in re.split(r"Patch \d:", prompt)[1:4]].index(True)
        return f"CHOICE: {number}" if "Under patch 1 it exits" in prompt else SCRIPT

    tree, model = Tree(says), Asking(say)
    scored = await CodeMonkeysChoice(model.judge, tree.host, finalists=2).score(candidates())
    best = np.flatnonzero(scored.scores == scored.scores.max()).tolist()
    assert best == [3]
    # The one script on the tree and under four patches, the model's on the tree and under two.
    assert scored.effort.runs == len(tree.runs) == 1 + 4 + 1 + 2
    assert scored.effort.usage.calls == 2
    assert WRONG not in model.asked[0]
    assert "Under patch 1 it exits with 2 and prints:\nseen" in model.asked[1]
    assert "Under patch 2 it exits with 0 and prints:\nseen" in model.asked[1]


@pytest.mark.parametrize("answer", ["CHOICE: 7", "I cannot say.", SCRIPT, "", "CHOICE: 0"])
async def test_where_the_model_makes_no_choice_the_votes_decide(answer: str) -> None:
    model = Asking(lambda _: answer)
    scored = await CodeMonkeysChoice(model.judge, Tree(says).host, rounds=3).score(candidates())
    assert scored.scores[1:4].tolist() == [1, 1, 1]
    assert sorted(scored.scores[[0, 4]].tolist()) == [-np.inf, 0]
    assert model.backend.calls <= 3


async def test_the_last_round_asks_for_the_choice() -> None:
    model = Asking(lambda _: SCRIPT)
    await CodeMonkeysChoice(model.judge, Tree(says).host, rounds=2).score(candidates())
    assert model.asked[-1].endswith("Answer now with one line, CHOICE: and the patch's number.")


async def test_one_patch_needs_no_decision() -> None:
    model, tree = Asking(lambda _: "CHOICE: 1"), Tree(says)
    scored = await CodeMonkeysChoice(model.judge, tree.host).score(pool(RIGHT, "", RIGHT))
    assert scored.scores.tolist() == [0, -np.inf, 0]
    assert (model.backend.calls, tree.host.opened) == (0, 0)
