"""The forms a model is asked in: what their examples show has to be what is read."""

from __future__ import annotations

import re

import pytest

from agent.editing.edits import patch_from_answer
from agent.forms import EDITS, FUNCTIONS, Form
from agent.reading.snapshot import RepositorySnapshot

SHOWN = re.compile(r'<file path="(?P<path>[^"]+)">\n(?P<text>.*?)</file>', re.DOTALL)


@pytest.mark.parametrize("form", [EDITS, FUNCTIONS])
def test_every_example_is_an_answer_that_makes_a_patch_of_one_change(form: Form) -> None:
    turns = form.shared[1:]
    assert [turn.role for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
    for question, answer in zip(turns[::2], turns[1::2], strict=True):
        texts = {found["path"]: found["text"] for found in SHOWN.finditer(question.content)}
        result = patch_from_answer(
            answer.content, RepositorySnapshot(texts=texts), shown=tuple(texts)
        )
        assert (result.stop, result.note) == ("patch", "")
        changed = re.findall(r"^[-+](?![-+])", result.patch, re.MULTILINE)
        assert changed == ["-", "+"]


@pytest.mark.parametrize("form", [EDITS, FUNCTIONS])
def test_the_question_holds_the_code_and_the_issue(form: Form) -> None:
    question = form.question.format(context="CODE", statement="{braces} and \\ stay")
    assert "CODE" in question
    assert "{braces} and \\ stay" in question
