"""Tasks from a SWE-bench 5.x task repo: `sweb.yaml` and one folder a task under `tasks/`.

A task's Dockerfile becomes its `ImageBuild`. Where its `FROM` names an image of the repo's own,
`<anything>/<name>:<version>` with a folder `images/<name>/`, that image is the parent of the
build; this is ksolve's addition to the form, which swebench does not know and does not mind.

An image that is built is called as the task says with a digest of what it is made of appended, so
that another version of the task repo has another image, which does not take the place of this one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from tasks.base import BASE_IMAGE, RECIPE
from tasks.context import Listing, context_digest
from tasks.rows import DatasetError, OnInvalid, Placed, Problem, tasks_from_rows
from tasks.task import ImageBuild, Task

_FROM = re.compile(r"^(\s*FROM\s+(?:--\S+\s+)*)(\S+)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"(?:.*/)?([^/:@]+)")
# The last part of an image's reference, without its tag.
_REFERENCE = re.compile(r"(?P<repository>[^@]+?)(?::(?P<version>[^:/@]+))?(?:@.*)?")
_DIGITS = 12
# Of a digest of 64 digits, as many as Docker shows of an image's id.
_LONGEST_VERSION = 128 - 1 - _DIGITS


def starter_path() -> Path:
    """Return the folder of the bundled starter suite."""
    return Path(__file__).parent / "starter"


def is_task_repo(path: Path) -> bool:
    """Whether a folder looks like a task repo."""
    return (path / "sweb.yaml").is_file() or (path / "tasks").is_dir()


def tasks_from_repo(
    path: Path, *, split: str | None, on_invalid: OnInvalid | None = None
) -> list[Task]:
    """Read the tasks of one split, or all of them when it is None, in the order of their ids.

    Raises DatasetError with the problems of every task's folder; see `tasks_from_rows`.
    """
    if not (path / "tasks").is_dir():
        raise DatasetError(f"{path} is not a task repo: it has no tasks/ folder.")
    folders = sorted(folder for folder in (path / "tasks").iterdir() if folder.is_dir())
    rows = [_row(folder) for folder in folders]
    if split is not None:
        rows = _of_split(path, split, rows)
    builds = _Builds(path)
    return [builds.added(task) for task in tasks_from_rows(str(path), rows, on_invalid)]


def _row(folder: Path) -> Placed:
    from swebench.task.repo import AS_FILE, TASK_FILE, TESTS_FILE, load_task

    place = f"tasks/{folder.name}"
    needed = (TASK_FILE, TESTS_FILE, *AS_FILE.values())
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        message = f"expected the files {', '.join(needed)}, but there is no {', '.join(missing)}"
        return place, Problem(place=place, message=message)
    try:
        row = load_task(folder)
    except (OSError, yaml.YAMLError, json.JSONDecodeError, UnicodeDecodeError) as error:
        first = " ".join(str(error).split())
        return place, Problem(place=place, message=f"expected readable files, but {first}")
    except (TypeError, ValueError, AttributeError):
        message = f"expected {TASK_FILE} and {TESTS_FILE} to hold named fields"
        return place, Problem(place=place, message=message)
    if row.get("instance_id") != folder.name:
        message = f"expected the name of its folder, got {row.get('instance_id')!r:.80}"
        return place, Problem(place=place, field="instance_id", message=message)
    return place, row


def _of_split(path: Path, split: str, rows: Iterable[Placed]) -> list[Placed]:
    """Keep one split's rows, and those that cannot be read, which must be heard of."""
    kept: list[Placed] = []
    others: set[str] = set()
    for place, row in rows:
        own = row.get("split", split) if isinstance(row, dict) else split
        if own == split:
            kept.append((place, row))
        else:
            others.add(str(own))
    if others and not kept:
        raise DatasetError(f"{path} has no split {split!r}, only {', '.join(sorted(others))}.")
    return kept


class _Builds:
    """The image builds of one task repo; tasks share the parents they have in common."""

    def __init__(self, repo: Path) -> None:
        self.repo = repo
        self.parents: dict[str, ImageBuild] = {}
        self.listing = Listing(repo)

    def added(self, task: Task) -> Task:
        """Add to a task how its image is built; one without a Dockerfile is in a registry."""
        folder = self.repo / "tasks" / task.id
        if not (folder / "Dockerfile").is_file():
            return task
        build = self._build(task.issue.image, folder, seen=frozenset())
        issue = dataclasses.replace(task.issue, image=build.tag)
        return dataclasses.replace(task, issue=issue, build=build)

    def _build(self, name: str, folder: Path, seen: frozenset[Path]) -> ImageBuild:
        try:
            dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{folder / 'Dockerfile'} cannot be read: {error}.") from error
        files = self.listing.of(folder)
        parent = None
        for _, reference in _FROM.findall(dockerfile):
            named = _NAME.match(reference)
            own = self.repo / "images" / named[1] if named else folder
            if (own / "Dockerfile").is_file() and own not in seen | {folder}:
                if reference not in self.parents:
                    self.parents[reference] = self._build(reference, own, seen | {folder})
                parent = self.parents[reference]
        if parent is not None:
            dockerfile = _standing_on(parent, dockerfile)
        try:
            digest = _digest(dockerfile, context_digest(folder, files))
        except OSError as error:
            raise DatasetError(f"{folder} cannot be read: {error}.") from error
        return ImageBuild(
            tag=_tag(name, digest),
            name=name,
            dockerfile=dockerfile,
            context=folder,
            files=files,
            parent=parent,
        )


def _standing_on(parent: ImageBuild, dockerfile: str) -> str:
    """Have a Dockerfile start from its parent's tag where it starts from its parent's name."""
    return _FROM.sub(
        lambda line: f"{line[1]}{parent.tag if line[2] == parent.name else line[2]}", dockerfile
    )


def _digest(dockerfile: str, context: str) -> str:
    """Return the SHA-256 (hex) of all that decides what is in an image, as far as it is known here.

    The digests of images below are in the Dockerfile, but for that of ksolve's own.
    """
    is_on_base = any(reference == BASE_IMAGE for _, reference in _FROM.findall(dockerfile))
    digest = hashlib.sha256(f"{context}\0{dockerfile}\0".encode())
    if is_on_base:
        digest.update(RECIPE)
    return digest.hexdigest()


def _tag(name: str, digest: str) -> str:
    """Return an image's name with a digest appended to its version. Raises DatasetError."""
    parts = _REFERENCE.fullmatch(name)
    if parts is None:
        raise DatasetError(f"{name!r} is not the name of an image.")
    version = (parts["version"] or "latest")[:_LONGEST_VERSION]
    return f"{parts['repository']}:{version}-{digest[:_DIGITS]}"
