from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.load import load_tasks
from tasks.rows import DatasetError
from tasks.taskrepo import tasks_from_repo

MakeRow = Callable[..., dict[str, Any]]
FILES = {
    "patch": "gold.patch",
    "test_patch": "test.patch",
    "eval_script": "eval.sh",
    "problem_statement": "problem_statement.md",
}


@pytest.fixture
def add(tmp_path: Path, row: MakeRow) -> Callable[..., Path]:
    """Add a task to the task repo at tmp_path; returns its folder."""

    def add(name: str, dockerfile: str | None = "FROM suite/anvil:1\n", **columns: object) -> Path:
        one = row(instance_id=name, image=f"suite/{name}:1", split="test", **columns)
        folder = tmp_path / "tasks" / name
        folder.mkdir(parents=True)
        for column, file in FILES.items():
            (folder / file).write_text(one.pop(column))
        tests = {key: one.pop(key) for key in ("FAIL_TO_PASS", "PASS_TO_PASS")}
        (folder / "tests.json").write_text(json.dumps(tests))
        (folder / "task.yaml").write_text(yaml.safe_dump(one))
        if dockerfile is not None:
            (folder / "Dockerfile").write_text(dockerfile)
        return folder

    (tmp_path / "sweb.yaml").write_text("datasets: [suite]\nsplits: [test]\n")
    (tmp_path / "images" / "anvil").mkdir(parents=True)
    (tmp_path / "images" / "anvil" / "Dockerfile").write_text("FROM base:1\nCOPY repo /testbed\n")
    return add


def test_a_tasks_dockerfile_is_built_on_the_image_that_its_suite_holds(
    tmp_path: Path, add: Callable[..., Path]
) -> None:
    folder = add("a", "# syntax\nfrom --platform=linux/amd64 suite/anvil:1 AS x\nRUN true\n")
    add("b")
    a, b = load_tasks(str(tmp_path))
    assert a.build is not None
    assert a.build.parent is not None
    assert b.build is not None
    parent = a.build.parent
    assert (a.build.name, a.build.context) == ("suite/a:1", folder)
    assert (parent.name, parent.context) == ("suite/anvil:1", tmp_path / "images" / "anvil")
    assert f"from --platform=linux/amd64 {parent.tag} AS x\n" in a.build.dockerfile
    assert parent.parent is None
    assert parent is b.build.parent


def built(folder: Path) -> dict[str, str]:
    """The image of each task of a task repo, and of their parent."""
    tasks = load_tasks(str(folder))
    images = {task.id: task.issue.image for task in tasks}
    for task in tasks:
        assert task.build is not None
        assert task.build.tag == task.issue.image
        if task.build.parent is not None:
            images["parent"] = task.build.parent.tag
    return images


def test_an_image_is_called_as_the_task_says_and_by_what_it_is_made_of(
    tmp_path: Path, add: Callable[..., Path]
) -> None:
    folder, _ = add("a"), add("b", "FROM python:3.12\n")
    before = built(tmp_path)
    assert all(re.fullmatch(r"suite/(a|b|anvil):1-[0-9a-f]{12}", tag) for tag in before.values())
    assert built(tmp_path) == before
    (folder / "more.txt").write_text("x")
    after = built(tmp_path)
    assert after["a"] != before["a"]
    assert (after["b"], after["parent"]) == (before["b"], before["parent"])
    (tmp_path / "images" / "anvil" / "more.txt").write_text("x")
    last = built(tmp_path)
    assert last["b"] == before["b"]
    assert last["parent"] != before["parent"]
    assert last["a"] not in (before["a"], after["a"])


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("suite/a", "suite/a:latest-"),
        ("localhost:5000/suite/a", "localhost:5000/suite/a:latest-"),
        ("localhost:5000/suite/a:2.0", "localhost:5000/suite/a:2.0-"),
        (f"suite/a:1@sha256:{'0' * 64}", "suite/a:1-"),
        (f"suite/a:{'v' * 128}", f"suite/a:{'v' * 115}-"),
    ],
)
def test_any_name_of_an_image_takes_a_digest(
    tmp_path: Path, add: Callable[..., Path], name: str, start: str
) -> None:
    settings = add("a") / "task.yaml"
    settings.write_text(settings.read_text().replace("suite/a:1", name))
    image = built(tmp_path)["a"]
    assert image.startswith(start)
    assert re.fullmatch(r"[0-9a-f]{12}", image.removeprefix(start))


def test_an_image_from_elsewhere_has_no_parent_and_a_task_without_dockerfile_no_build(
    tmp_path: Path, add: Callable[..., Path]
) -> None:
    add("a", "FROM python:3.12\n")
    add("b", None)
    a, b = load_tasks(str(tmp_path))
    assert a.build is not None
    assert (a.build.parent, b.build) == (None, None)


def test_an_image_named_after_its_own_base_is_not_its_own_parent(
    tmp_path: Path, add: Callable[..., Path]
) -> None:
    (tmp_path / "images" / "anvil" / "Dockerfile").write_text("FROM other/anvil:9\n")
    add("a")
    [task] = load_tasks(str(tmp_path))
    assert task.build is not None
    assert task.build.parent is not None
    assert task.build.parent.parent is None


def test_the_problems_of_all_folders_are_told_at_once(
    tmp_path: Path, add: Callable[..., Path]
) -> None:
    (add("a") / "eval.sh").unlink()
    (add("b") / "tests.json").write_text("{")
    (add("c") / "task.yaml").write_text("a: [")
    (add("d") / "task.yaml").write_text("just text")
    add("e").rename(tmp_path / "tasks" / "f")
    (tmp_path / "tasks" / "g").mkdir()
    add("h", repo="")
    (add("i") / "gold.patch").write_bytes(b"\xff")
    with pytest.raises(DatasetError) as caught:
        load_tasks(str(tmp_path))
    problems = {problem.place: str(problem) for problem in caught.value.problems}
    assert set(problems) == {f"tasks/{name}" for name in "abcdfghi"}
    assert "there is no eval.sh" in problems["tasks/a"]
    assert "instance_id: expected the name of its folder, got 'e'" in problems["tasks/f"]
    assert "repo: expected" in problems["tasks/h"]


def test_a_split_is_chosen_and_an_id_found_in_any(tmp_path: Path, add: Callable[..., Path]) -> None:
    add("a")
    dropped = add("b") / "task.yaml"
    dropped.write_text(dropped.read_text().replace("split: test", "split: deprecated"))
    assert [task.id for task in load_tasks(str(tmp_path))] == ["a"]
    assert [task.id for task in load_tasks(str(tmp_path), ids=["b"])] == ["b"]
    with pytest.raises(DatasetError, match="no split 'dev', only deprecated, test"):
        load_tasks(str(tmp_path), split="dev")


def test_a_folder_without_tasks_is_not_a_task_repo(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no tasks/ folder"):
        tasks_from_repo(tmp_path, split="test")
