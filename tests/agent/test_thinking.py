"""What a model thinks is told from what it answers; an answer about such marks is left whole."""

from __future__ import annotations

import pytest

from agent.backend import Completion, Message, Sampling
from agent.protocol import requests_of
from agent.reading.ranking import named_files
from agent.reproduction import script_from_answer
from agent.scripted import ScriptedBackend
from agent.thinking import Said, split_thinking
from agent.tools import Bash

THOUGHT, ANSWER = "Perhaps a.py?\n\nNo: b.py.", "It is b.py."

PAIRS = [
    ("<think>", "</think>"),
    ("<THINK>", "</THINK>"),
    ("<Think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<reason>", "</reason>"),
    ("<analysis>", "</analysis>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought\n", "<channel|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
]
"""Marks before and after a thought."""

CLOSING = ["</think>", "</thinking>", "</seed:think>", "[/THINK]", "◁/think▷"]
"""Marks whose opening one may have been a part of the prompt."""

EDIT = "a.py\n<<<<<<< SEARCH\n{0}\n=======\n# {0}\n>>>>>>> REPLACE\n"
DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-{0}\n+# {0}\n"


def told(said: Said) -> tuple[str, str]:
    return said.thinking, said.answer.strip()


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_a_thought_within_its_marks_is_no_part_of_the_answer(opening: str, closing: str) -> None:
    for text in (
        f"{opening}{THOUGHT}{closing}{ANSWER}",
        f"{opening}\n{THOUGHT}\n{closing}\n\n{ANSWER}",
        f"\n\n{opening}\n{THOUGHT}\n{closing}\n\n{ANSWER}\n",
    ):
        assert told(split_thinking(text)) == (THOUGHT, ANSWER)


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_a_thought_without_an_end_is_all_that_was_said(opening: str, closing: str) -> None:
    assert told(split_thinking(f"{opening}\n{THOUGHT}")) == (THOUGHT, "")


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_a_thought_of_nothing_leaves_the_answer(opening: str, closing: str) -> None:
    assert told(split_thinking(f"{opening}\n\n{closing}\n\n{ANSWER}")) == ("", ANSWER)


@pytest.mark.parametrize("closing", CLOSING)
def test_a_thought_whose_opening_mark_was_in_the_prompt_ends_at_its_closing_one(
    closing: str,
) -> None:
    assert told(split_thinking(f"{THOUGHT}\n{closing}\n\n{ANSWER}")) == (THOUGHT, ANSWER)
    assert told(split_thinking(f"\n{closing}\n\n{ANSWER}")) == ("", ANSWER)


def test_several_thoughts_in_a_row_are_all_thoughts() -> None:
    text = f"<think>One.</think>\n<think>Two.</think>\n{ANSWER}"
    assert told(split_thinking(text)) == ("One.\n\nTwo.", ANSWER)


@pytest.mark.parametrize("draft", [f"```python\n{EDIT}```", EDIT, f"```diff\n{DIFF}```", DIFF])
@pytest.mark.parametrize("opening", ["<think>", ""], ids=["opened", "open from the prompt"])
def test_drafts_in_a_thought_are_no_answers(draft: str, opening: str) -> None:
    draft = draft.format("x = 1")
    text = f"{opening}Like this?\n{draft}\nNo.\n</think>\n\n{ANSWER}"
    said = split_thinking(text)
    assert said.answer.strip() == ANSWER
    assert draft.strip() in said.thinking


# --- answers about marks ----------------------------------------------------------------------

MARKS = ["</think>", "<think>", "[/THINK]", "<|channel|>", "<|START_THINKING|>", "</reasoning>"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    "form",
    [
        f"```\n{EDIT}```\n",
        EDIT,
        f"Here it is:\n\n{EDIT}\nThat is all.\n",
        f"```diff\n{DIFF}```\n",
        DIFF,
        "diff --git a/a.py b/a.py\n" + DIFF,
        "Split at it:\n\n```python\nhead, _, tail = text.partition('{0}')\n```\n",
        "~~~\nthe end is {0}\n~~~\n",
        "The text is split at `{0}`, which is wrong.",
        'The text is split at "{0}", which is wrong.',
        "The text is split at '{0}', which is wrong.",
    ],
    ids=[
        "edit in a fence",
        "edit",
        "edit in prose",
        "diff in a fence",
        "diff",
        "git",
        "fence",
        "other fence",
        "backticks",
        "double quotes",
        "quotes",
    ],
)
def test_an_answer_about_marks_is_left_as_it_is(form: str, mark: str) -> None:
    text = form.format(mark)
    assert split_thinking(text) == Said(thinking="", answer=text)
    # Nor does a thought before it make a difference.
    assert told(split_thinking(f"<think>{THOUGHT}</think>{text}")) == (THOUGHT, text.strip())


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        "",
        "I think <think> is a tag.",
        "Use [THINK] to begin.",
        "analysis of a.py: it is wrong",
        "thinking about it, b.py",
        "<thinker>x</thinker>",
        "x < think > y",
    ],
)
def test_a_text_without_a_thought_is_all_answer(text: str) -> None:
    assert split_thinking(text) == Said(thinking="", answer=text)


# --- harmony ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        (
            f"<|channel|>analysis<|message|>{THOUGHT}<|end|>"
            f"<|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>"
        ),
        (
            f"<|start|>assistant<|channel|>analysis<|message|>{THOUGHT}<|end|>"
            f"<|start|>assistant<|channel|>final<|message|>{ANSWER}"
        ),
        f"<|channel|>analysis<|message|>{THOUGHT}<|channel|>final<|message|>{ANSWER}<|end|>",
        # The marks dropped, and their words left.
        f"analysis{THOUGHT}assistantfinal{ANSWER}",
    ],
    ids=["whole", "started", "no end", "bare"],
)
def test_the_final_channel_is_the_answer(text: str) -> None:
    assert told(split_thinking(text)) == (THOUGHT, ANSWER)


def test_a_harmony_that_only_thinks_answers_nothing() -> None:
    assert told(split_thinking(f"<|channel|>analysis<|message|>{THOUGHT}")) == (THOUGHT, "")


@pytest.mark.parametrize(
    "call",
    [
        (
            "<|start|>assistant<|channel|>commentary to=functions.bash <|constrain|>json<|message|>"
            '{"command": "ls"}<|call|>'
        ),
        (
            "<|start|>assistant to=functions.bash<|channel|>commentary json<|message|>"
            '{"command": "ls"}<|call|>'
        ),
        '<|channel|>commentary to=bash<|message|>{"command": "ls"}',
        '<|channel|>analysis to=functions.bash<|message|>{"command": "ls"}<|call|>',
    ],
    ids=["after the channel", "before it", "bare name", "of a thought"],
)
def test_calls_of_harmony_are_calls_and_no_answer(call: str) -> None:
    said = split_thinking(f"<|channel|>analysis<|message|>{THOUGHT}<|end|>{call}")
    assert said == Said(thinking=THOUGHT, answer="", calls=(("bash", '{"command": "ls"}'),))


def test_what_harmony_says_before_a_call_is_for_the_user() -> None:
    said = split_thinking(
        "<|channel|>commentary<|message|>I look first.<|end|>"
        '<|start|>assistant<|channel|>commentary to=functions.bash<|message|>{"command": "ls"}'
        '<|call|><|start|>assistant<|channel|>commentary to=functions.view<|message|>{"path": "a"}'
    )
    assert said.answer == "I look first."
    assert [name for name, _ in said.calls] == ["bash", "view"]


# --- what becomes of it -----------------------------------------------------------------------


async def _said(text: str) -> Completion:
    backend = ScriptedBackend(lambda *_: text)
    return await backend.complete([Message(role="user", content="?")], Sampling())


async def test_nobody_acts_on_a_thought() -> None:
    thought = "```bash\nrm -rf .\n```"
    got = await _said(f"<think>\n{thought}\n</think>\n```bash\nls\n```")
    assert [request.action for request in requests_of(got)] == [Bash(command="ls")]
    assert got.thinking == thought
    assert got.message.thinking == thought


async def test_a_thought_names_no_file_and_is_no_script() -> None:
    files = dict.fromkeys(("a.py", "b.py"), "")
    named = await _said("<think>\nIs it a.py?\n</think>\nb.py")
    assert named_files(named.text, files) == ["b.py"]
    script = await _said("<think>```python\nimport b\n```</think>\n```py\nimport a\n```\nDone.")
    assert script_from_answer(script.text) == "import a\n"


async def test_a_thought_is_paid_like_what_is_said() -> None:
    assert (await _said("<think>one two</think> three")).usage.output_tokens == 3
