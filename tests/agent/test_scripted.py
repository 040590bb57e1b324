"""The shipped fake draws the same answer for the same sample, and counts as a real model does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.backend import BackendError, BackendUnusableError, Message, Sampling
from agent.scripted import ScriptedBackend, script_from_file

PROMPT = [Message(role="user", content="please mend the parser")]


def _write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


async def test_the_same_sample_draws_the_same_answer_in_a_new_process(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", {"match": "parser", "answers": ["zero", "one", "two"]})

    async def draw(seed: int | None, indices: Sequence[int]) -> list[str]:
        backend = ScriptedBackend(script_from_file(path))
        sampled = [Sampling(seed=seed, index=index) for index in indices]
        return [(await backend.complete(PROMPT, one)).text for one in sampled]

    assert await draw(7, [0, 1, 2, 3]) == ["zero", "one", "two", "zero"]
    assert await draw(8, [2, 1]) == ["two", "one"]
    assert await draw(None, [0, 0]) == ["zero", "one"]


async def test_the_first_row_that_matches_answers(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "a.jsonl",
        {"match": "lexer", "answers": ["lexer"]},
        {"match": "parser", "answers": ["parser"]},
        {"answers": ["any"]},
    )
    backend = ScriptedBackend(script_from_file(path))
    assert (await backend.complete(PROMPT, Sampling())).text == "parser"
    other = [Message(role="user", content="hello")]
    assert (await backend.complete(other, Sampling())).text == "any"


async def test_failures_come_first_and_then_the_answers(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", {"answers": ["one"], "failures": 1})
    backend = ScriptedBackend(script_from_file(path))
    with pytest.raises(BackendError, match="failure 1 of 1") as caught:
        await backend.complete(PROMPT, Sampling())
    assert caught.value.usage
    assert caught.value.usage.calls == 1
    assert (await backend.complete(PROMPT, Sampling())).text == "one"


async def test_a_prompt_without_a_row_is_the_scripts_fault(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", {"match": "lexer", "answers": ["x"]})
    with pytest.raises(BackendUnusableError, match="no row for this prompt"):
        await ScriptedBackend(script_from_file(path)).complete(PROMPT, Sampling())


EXAMPLES = [
    Message(role="user", content="a worked example"),
    Message(role="assistant", content="its answer"),
    Message(role="user", content="and then"),
    Message(role="assistant", content="its end"),
    *PROMPT,
]


@pytest.mark.parametrize("sample", [0, 1, 2])
async def test_a_list_answers_a_conversation_from_its_first_item_to_its_last(
    tmp_path: Path, sample: int
) -> None:
    """Its prompt has answers too, and its number rises with every request, as in an agent's."""
    lists = [["look", "mend", "done"], ["look", "search", "other"]]
    path = _write(tmp_path / "a.jsonl", {"answers": lists})
    backend = ScriptedBackend(script_from_file(path))
    messages, said = list(EXAMPLES), []
    for step in range(4):
        drawn = await backend.complete(messages, Sampling(seed=7, index=sample).of_request(step))
        said.append(drawn.text)
        messages += [
            Message(role="assistant", content=drawn.text),
            Message(role="user", content="it printed something"),
        ]
    expected = lists[sample % 2]
    assert said == [*expected, expected[-1]]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "the row is not JSON"),
        ('{"answers": []}', "`answers` cannot be used"),
        ('{"answer": ["x"]}', "the row has no `answers`"),
        ('{"answers": ["x"], "then": 1}', "a row has no field `then`"),
    ],
)
def test_a_malformed_script_names_its_line_and_fault(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"answers": ["fine"]}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"line 2: {said}.*; write it such as"):
        script_from_file(path)


async def test_usage_is_words_and_a_prompt_asked_again_is_cached() -> None:
    backend = ScriptedBackend(lambda messages, sampling: "two words")
    first = (await backend.complete(PROMPT, Sampling())).usage
    again = (await backend.complete(PROMPT, Sampling())).usage
    assert (first.input_tokens, first.cached_tokens, first.output_tokens, first.calls) == (
        (4, 0, 2, 1)
    )
    assert (again.input_tokens, again.cached_tokens) == (4, 4)
    assert await backend.count_tokens(PROMPT) == 4


async def test_an_answer_longer_than_allowed_is_cut_off() -> None:
    backend = ScriptedBackend(lambda messages, sampling: "a b\nc  d e")
    cut = await backend.complete(PROMPT, Sampling(max_tokens=3))
    assert (cut.text.split(), cut.stop, cut.usage.output_tokens) == (["a", "b", "c"], "length", 3)
    whole = await backend.complete(PROMPT, Sampling(max_tokens=5))
    assert (whole.text, whole.stop) == ("a b\nc  d e", "stop")


async def test_no_more_requests_at_once_than_allowed() -> None:
    backend = ScriptedBackend(lambda messages, sampling: "x", in_flight=3, delay=0.01)
    await asyncio.gather(*(backend.complete(PROMPT, Sampling()) for _ in range(10)))
    assert (backend.calls, backend.most_in_flight) == (10, 3)


async def test_a_cancelled_request_gives_its_place_back() -> None:
    backend = ScriptedBackend(lambda messages, sampling: "x", in_flight=1, delay=0.2)
    task = asyncio.create_task(backend.complete(PROMPT, Sampling()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await backend.complete(PROMPT, Sampling())).text == "x"
    assert backend.most_in_flight == 1
