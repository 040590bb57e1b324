"""What an issue says, where the dataset of its run is at hand. Nothing is downloaded for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.load import load_tasks, tasks_digest
from tasks.rows import DatasetError
from tasks.swebench import ALIASES, is_dataset_file
from tasks.task import Task
from tasks.taskrepo import is_task_repo


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """The statement of one issue, or why there is none."""

    text: str = ""
    note: str = ""


class Statements:
    """Statements by run. Methods block; a dataset is read once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[Mapping[str, str], str]] = {}

    def of(self, config: Mapping[str, Any], task_id: str) -> Statement:
        """Return what an issue of a run says."""
        name = source, digest = _name(config)
        with self._lock:
            if name not in self._known:
                self._known[name] = _read(source, config["task_ids"], digest)
            texts, note = self._known[name]
        return Statement(text=texts.get(task_id, ""), note=note)

    def prepare(self, config: Mapping[str, Any]) -> None:
        """Begin to read what the issues of a run say; nobody waits for it."""
        if _name(config) not in self._known:
            threading.Thread(target=self.of, args=(config, ""), daemon=True).start()


def _name(config: Mapping[str, Any]) -> tuple[str, str]:
    return str(config.get("tasks", "")), str(config.get("tasks_digest", ""))


def _read(source: str, ids: Sequence[str], digest: str) -> tuple[Mapping[str, str], str]:
    try:
        tasks = _tasks(at_hand(source), ids)
    except (DatasetError, OSError, ValueError) as error:
        # Also what is no path at all, as it is too long for one.
        return {}, f"The statement is not at hand. {error}"
    note = ""
    if tasks_digest(tasks) != digest:
        note = f"{source} is not quite what it was when this run was drawn."
    return {task.id: task.issue.statement for task in tasks}, note


def _tasks(places: Sequence[str], ids: Sequence[str]) -> list[Task]:
    # What else a place holds is no part of the run.
    if len(places) == 1:
        return load_tasks(places[0], ids=ids, on_invalid=lambda _: None)
    wanted = set(ids)
    return [
        task
        for place in places
        for task in load_tasks(place, on_invalid=lambda _: None)
        if task.id in wanted
    ]


def at_hand(source: str) -> list[str]:
    """Return where a dataset lies on this machine, as `load_tasks` takes it.

    Raises DatasetError where it does not.
    """
    if not source:
        raise DatasetError("The run does not say where its issues came from.")
    path = Path(source).expanduser()
    if source == "starter":
        return [source]
    if source not in ALIASES and (is_dataset_file(source) or path.exists()):
        if is_dataset_file(source) or (path.is_dir() and is_task_repo(path)):
            return [source]
        raise DatasetError(f"{source}, which the run names, holds no statements.")
    return [str(file) for file in _from_cache(ALIASES.get(source, source))]


def _from_cache(name: str) -> list[Path]:
    """Return the files that the hub's client keeps of a dataset's test split."""
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(name, repo_type="dataset", local_files_only=True)
    except Exception:  # noqa: BLE001 - the client raises what its HTTP library and its checks raise
        raise DatasetError(f"The dataset {name} is not on this machine.") from None
    files = [path for path in Path(folder).rglob("*") if is_dataset_file(str(path))]
    return sorted(path for path in files if path.stem == "test" or path.stem.startswith("test-"))
