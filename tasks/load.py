"""Where tasks come from, by the name a person gives: `load_tasks` finds the right reader.

A local git repository is not among these sources; see `tasks.local`.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tasks.order import shuffled
from tasks.rows import DatasetError, OnInvalid, Problem
from tasks.swebench import ALIASES, is_dataset_file, tasks_from_file, tasks_from_hub
from tasks.task import Issue, Task
from tasks.taskrepo import is_task_repo, starter_path, tasks_from_repo

_HUB_NAME = re.compile(r"\A[\w.-]+/[\w.-]+\Z")


def load_tasks(
    source: str,
    *,
    split: str = "test",
    ids: Sequence[str] = (),
    exclude: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    on_invalid: OnInvalid | None = None,
) -> list[Task]:
    """Load tasks, those of `ids` only when any are given, and at most `limit` of them.

    Those that a pattern of `exclude` matches (an id, in which * and ? stand for others) are left
    out first. Of the rest, the first `limit` of the random order of `seed` are taken
    (`tasks.order`): a larger limit takes the same and more. All keep the order of the source.

    `source` is `starter`, a file (.jsonl, .json, .parquet), a task-repo folder, or a dataset on
    the hub by alias (`lite`, `verified`, `full`, `multilingual`) or `owner/name`. `split` is
    for the hub and for task repos, where an id finds its task in any split. Rows that are no tasks
    are left out where `on_invalid` is given, which is told of each. Raises DatasetError, also for a
    row of `ids` that is none.
    """
    invalid: list[Problem] = []
    tasks = _all_tasks(
        source,
        split=split,
        any_split=bool(ids),
        on_invalid=None if on_invalid is None else invalid.append,
    )
    if ids:
        tasks = _chosen(source, tasks, ids, invalid)
    if on_invalid is not None:
        for problem in invalid:
            on_invalid(problem)
    if exclude:
        tasks = _without(source, tasks, exclude)
    if limit is not None and limit < 1:
        raise DatasetError(f"The limit on tasks must be at least 1, not {limit}.")
    taken = {task.id for task in shuffled(tasks, seed)[:limit]}
    return [task for task in tasks if task.id in taken]


def lasting_source(source: str) -> str:
    """Return a name for the same tasks that holds in every folder: a path in full."""
    path = Path(source).expanduser()
    is_path = source != "starter" and source not in ALIASES and path.exists()
    return str(path.absolute()) if is_path else source


def sources_near(source: str, folder: Path) -> list[str]:
    """Return where tasks may be that a run in `folder` calls so, the likeliest first.

    Runs of earlier versions name a path as it was from the folder in which they were begun, which
    is most often one of those above the run's.
    """
    path = Path(source).expanduser()
    if source == "starter" or source in ALIASES or path.is_absolute():
        return [source]
    near = [str(base / path) for base in folder.absolute().parents if (base / path).exists()]
    return list(dict.fromkeys([*([source] if path.exists() else []), *near])) or [source]


def tasks_digest(tasks: Iterable[Task]) -> str:
    """Return the SHA-256 (hex) of a set of tasks, whatever their order: issues and oracles."""
    lines = []
    for task in tasks:
        issue = json.dumps(_fields(task.issue), sort_keys=True, default=str)
        lines.append(f"{hashlib.sha256(issue.encode()).hexdigest()} {task.oracle.digest}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _fields(issue: Issue) -> dict[str, Any]:
    """Return what is in an issue, in the form that runs were begun with before it had resources."""
    fields = dataclasses.asdict(issue)
    resources = {name: value for name, value in fields.pop("resources").items() if value}
    fields["network"] = resources.pop("network", False)
    return fields | ({"resources": resources} if resources else {})


def _all_tasks(
    source: str, *, split: str, any_split: bool, on_invalid: OnInvalid | None
) -> list[Task]:
    repo_split = None if any_split else split
    if source == "starter":
        return tasks_from_repo(starter_path(), split=repo_split, on_invalid=on_invalid)
    if source in ALIASES:
        return tasks_from_hub(ALIASES[source], split, on_invalid)
    path = Path(source).expanduser()
    if path.is_dir() and is_task_repo(path):
        return tasks_from_repo(path, split=repo_split, on_invalid=on_invalid)
    if is_dataset_file(source):
        return tasks_from_file(path, on_invalid)
    if path.exists():
        kind = "folder" if path.is_dir() else "file"
        raise DatasetError(
            f"The {kind} {source} holds no tasks that ksolve can read:"
            " give a .jsonl, .json or .parquet file, or a folder with sweb.yaml and tasks/."
        )
    if _HUB_NAME.match(source):
        return tasks_from_hub(source, split, on_invalid)
    raise DatasetError(
        f"There are no tasks called {source!r}: give starter, {', '.join(ALIASES)},"
        " a file, a task-repo folder, or owner/name of a dataset on the hub."
    )


def _chosen(
    source: str, tasks: list[Task], ids: Sequence[str], invalid: Sequence[Problem]
) -> list[Task]:
    known = [task.id for task in tasks]
    asked = [one for one in invalid if one.instance_id in ids and one.instance_id not in known]
    if asked:
        raise DatasetError(f"{source} has tasks that were asked for and cannot be used:", asked)
    _refuse_unknown(source, known, [name for name in ids if name not in known])
    return [task for task in tasks if task.id in ids]


def _without(source: str, tasks: list[Task], exclude: Sequence[str]) -> list[Task]:
    known = [task.id for task in tasks]
    _refuse_unknown(source, known, [one for one in exclude if not fnmatch.filter(known, one)])
    left = [task for task in tasks if not any(fnmatch.fnmatchcase(task.id, o) for o in exclude)]
    if not left:
        raise DatasetError(f"All {len(tasks)} tasks of {source} are excluded.")
    return left


def _refuse_unknown(source: str, known: Sequence[str], unknown: Sequence[str]) -> None:
    if unknown:
        near = {match for name in unknown for match in difflib.get_close_matches(name, known, 3)}
        hint = f"; near ones are {', '.join(sorted(near))}" if near else ""
        raise DatasetError(f"{source} has no task {', '.join(unknown)}{hint}.")
