"""What an issue says is shown where its dataset is at hand, and why not where it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ksolve.view.statements import Statements
from tasks.load import load_tasks, tasks_digest

ISSUE = "ksolve__ledger-2"


def config(source: str, ids: list[str], digest: str = "d") -> dict[str, object]:
    return {"tasks": source, "task_ids": ids, "tasks_digest": digest}


def test_a_statement_of_the_starter_suite_is_at_hand() -> None:
    task = load_tasks("starter", ids=[ISSUE])[0]
    said = Statements().of(config("starter", [ISSUE], tasks_digest([task])), ISSUE)
    assert (said.text, said.note) == (task.issue.statement, "")


def test_a_dataset_that_has_changed_since_is_told_of() -> None:
    said = Statements().of(config("starter", [ISSUE]), ISSUE)
    assert said.text
    assert "not quite what it was" in said.note


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("{here}/gone.jsonl", "gone.jsonl"),
        ("{here}/torn.jsonl", "torn.jsonl"),
        ("{here}", "holds no statements"),
        ("some/dataset", "The dataset some/dataset is not on this machine."),
        ("lite", "is not on this machine"),
        ("", "The run does not say"),
    ],
)
def test_where_there_is_none_a_sentence_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, part: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "torn.jsonl").write_text(json.dumps({"instance_id": "x"}) + '\n{"a')
    said = Statements().of(config(source.format(here=tmp_path), ["x"]), "x")
    assert said.text == ""
    assert said.note.startswith("The statement is not at hand.")
    assert part in said.note
