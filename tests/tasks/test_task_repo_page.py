"""The page on task repositories holds one that works, as it stands there."""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path

import pytest

from eval.validate import validate
from eval.verify import evaluate
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.load import load_tasks
from tests.conftest import ROOT

_FILE = re.compile(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The files of the page, in the places that it names."""
    for path, text in _FILE.findall((ROOT / "docs" / "task-repos.md").read_text()):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_the_repository_of_the_page_is_read(written: Path) -> None:
    (task,) = load_tasks(str(written))
    assert task.id == "mine__greet-1"
    assert task.build is not None
    assert task.build.parent is not None


@pytest.mark.docker
@pytest.mark.usefixtures("base_image")
def test_the_repository_of_the_page_is_valid(written: Path) -> None:
    (task,) = load_tasks(str(written))

    async def judge() -> list[str]:
        async with DockerHost(run_id=f"test-{uuid.uuid4().hex}") as host:
            await ensure_image(host, task.issue.image, task.build, lambda _: None)
            found = await validate(task, lambda patch: evaluate(task, patch, host))
            return list(found.problems)

    assert asyncio.run(judge()) == []
