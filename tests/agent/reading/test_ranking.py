"""Which files come first: what a model says, however it says it, and the words for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.backend import BackendError, ContextOverflowError, Message, Sampling
from agent.reading.ranking import by_model, by_words, fused, named_files
from agent.reading.relevance import ranked
from agent.scripted import ANSWER_WORDS, ScriptedBackend

FILES = {
    "Makefile": "test:\n\tpytest\n",
    "shop/__init__.py": "",
    "shop/api/__init__.py": "",
    "shop/cart.py": "class Cart:\n    def total(self):\n        return 0\n",
    "shop/prices.py": "PRICES = {}\n\n\ndef unit_price(name):\n    return PRICES[name]\n",
    "shop/mailer.py": "def send_receipt(address):\n    raise NotImplementedError\n",
    "shop/web/[id]/page.tsx": "export function Page() { return null }\n",
    **{f"plugins/p{n}/plugin.py": f"def run_{n}():\n    pass\n" for n in range(5)},
}
STATEMENT = "The total of a cart is wrong"


def answering(answer: str | BackendError, context_window: int = 32_768) -> ScriptedBackend:
    return ScriptedBackend(lambda messages, sampling: answer, context_window=context_window)


@pytest.mark.parametrize(
    "answer",
    [
        "shop/mailer.py\nshop/cart.py",
        "1. shop/mailer.py\n2. shop/cart.py",
        "1) `shop/mailer.py`\n2) `shop/cart.py`",
        "- **shop/mailer.py**: sends it\n- **shop/cart.py**: adds up",
        '["shop/mailer.py", "shop/cart.py"]',
        "```\n./shop/mailer.py\n/testbed/shop/cart.py\n```",
        "mailer.py, then cart.py",
        "a/shop/mailer.py b/shop/cart.py",
        "shop\\mailer.py\r\nshop\\cart.py",
        "shop.mailer and shop.cart",
        "shop/mailer.py:12 and shop/cart.py::Cart.total",
        "The cause is in shop/mailer.py. Perhaps also shop/cart.py.",
        "shop/mailer.py\nshop/mailer.py\nshop/cart.py\nshop/mailer.py",
        "shop/invoice.py\nshop/mailer.py\nother.py\nshop/cart.py",
    ],
)
def test_files_are_read_from_an_answer_of_any_form(answer: str) -> None:
    assert named_files(answer, FILES) == ["shop/mailer.py", "shop/cart.py"]


@pytest.mark.parametrize("path", ["Makefile", "shop/web/[id]/page.tsx"])
def test_a_line_that_is_a_path_is_taken_as_it_stands(path: str) -> None:
    assert named_files(f"1. `{path}`", FILES) == [path]


@pytest.mark.parametrize(
    "answer",
    ["", "I do not know.", "cart", "nowhere.py", "shop/", "plugin.py", "e.g. 1.5 ...", "/"],
)
def test_an_answer_that_names_no_file_is_empty(answer: str) -> None:
    assert named_files(answer, FILES) == []


def test_an_answer_that_never_ends_is_not_believed_to_its_end() -> None:
    texts = {f"pkg/mod_{n}.py": "" for n in range(500)}
    assert len(named_files("\n".join(texts), texts)) < 20


def test_named_files_come_first_and_the_others_stay_in_the_order_of_the_words() -> None:
    order = fused(["b", "z"], [("a", 9.0), ("b", 3.0), ("c", 1.5)])
    assert [path for path, _ in order] == ["b", "z", "a", "c"]
    scores = [score for _, score in order]
    assert scores == sorted(scores, reverse=True)
    assert order[1][1] > order[2][1]


def test_what_names_nothing_leaves_the_order_of_the_words() -> None:
    words = ranked(STATEMENT, FILES)
    assert fused([], words) == words


def test_files_are_named_where_no_word_of_the_issue_matches() -> None:
    assert [path for path, _ in fused(["a"], [])] == ["a"]


async def test_a_model_is_shown_the_map_and_the_issue_and_asked_for_its_likeliest_answer() -> None:
    asked: list[tuple[Sequence[Message], Sampling]] = []

    def script(messages: Sequence[Message], sampling: Sampling) -> str:
        asked.append((messages, sampling))
        return "shop/mailer.py"

    ranking = await by_model(STATEMENT, FILES, ScriptedBackend(script))
    (messages, sampling) = asked[0]
    assert "shop/prices.py: unit_price\n" in messages[-1].content
    assert STATEMENT in messages[-1].content
    assert (sampling.temperature, sampling.max_tokens) == (0.0, None)
    assert [path for path, _ in ranking.order[:2]] == ["shop/mailer.py", "shop/cart.py"]
    assert ranking.usage.calls == 1
    assert tuple(turn.message for turn in ranking.turns[:-1]) == messages
    assert ranking.turns[-1].message.content == "shop/mailer.py"
    assert {turn.source for turn in ranking.turns} == {"ranking"}


async def test_an_answer_without_a_file_is_paid_for_and_leaves_the_words() -> None:
    ranking = await by_model(STATEMENT, FILES, answering("No idea."))
    assert list(ranking.order) == ranked(STATEMENT, FILES)
    assert ranking.usage.calls == 1


async def test_the_words_ask_no_model() -> None:
    backend = answering("shop/mailer.py")
    ranking = await by_words(STATEMENT, FILES, backend)
    assert list(ranking.order) == ranked(STATEMENT, FILES)
    assert (backend.calls, ranking.usage.calls, ranking.turns) == (0, 0, ())


@pytest.mark.parametrize("window", [ANSWER_WORDS + 800, ANSWER_WORDS + 3_900, 200_000])
async def test_the_question_fits_the_window_with_its_answer(window: int) -> None:
    texts = {f"pkg/part_{n}.py": f"def part_{n}(): ...\n" * 20 for n in range(2_000)}
    statement = "part_1907 is off. " * 100
    backend = answering("pkg/part_3.py", window)
    ranking = await by_model(statement, texts, backend)
    assert backend.calls == 1
    prompt = [turn.message for turn in ranking.turns[:-1]]
    assert await backend.count_tokens(prompt) + backend.answer_tokens <= window
    assert "pkg/part_1907.py" in prompt[-1].content


async def test_a_window_without_room_for_a_map_is_not_asked() -> None:
    backend = answering("shop/mailer.py", ANSWER_WORDS + 120)
    ranking = await by_model(STATEMENT, FILES, backend)
    assert backend.calls == 0
    assert list(ranking.order) == ranked(STATEMENT, FILES)


async def test_one_file_needs_no_ranking() -> None:
    backend = answering("cart.py")
    ranking = await by_model(STATEMENT, {"cart.py": FILES["shop/cart.py"]}, backend)
    assert [path for path, _ in ranking.order] == ["cart.py"]
    assert backend.calls == 0


async def test_a_question_that_proves_too_long_is_paid_for_and_leaves_the_words() -> None:
    backend = answering(ContextOverflowError("Too long."))
    ranking = await by_model(STATEMENT, FILES, backend)
    assert list(ranking.order) == ranked(STATEMENT, FILES)
    assert ranking.usage.calls == 1


async def test_a_failure_of_the_model_is_raised() -> None:
    with pytest.raises(BackendError, match="is down"):
        await by_model(STATEMENT, FILES, answering(BackendError("It is down.")))
