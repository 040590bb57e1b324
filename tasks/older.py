"""Rows of SWE-bench before 5.x, completed by what specifies their evaluation.

Such rows have neither image nor evaluation script. Both come from a SWE-bench task repo that holds
the same instances (`TASK_REPO`), or from swebench 4.x (`SWEBENCH4`), whose specifications 5.x does
not have any more. A row that is found in neither is left as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.families import OLDER, SWEBENCH4, TASK_REPO, family_of
from tasks.rows import DatasetError, Placed, Problem
from tasks.taskrepo import tasks_from_repo

# Seconds for one call.
_LIMIT = 600.0
_PROGRAM = Path(__file__).parent / "swebench4.py"
_VERSION = "import importlib.metadata as m; print(m.version('swebench'))"


def with_older_completed(source: str, rows: Sequence[Placed], *, strict: bool) -> list[Placed]:
    """Return the rows, with tasks or completed rows in place of those of the older form.

    Raises DatasetError where one of the two sources is named but cannot be used, and, where
    `strict`, when none of them has a row.
    """
    found = list(rows)
    pending = [number for number, (_, row) in enumerate(rows) if is_older(row)]
    if not pending:
        return found
    if folder := os.environ.get(TASK_REPO):
        pending = _from_repo(found, pending, folder)
    if pending and (command := _swebench4()):
        pending = _from_swebench4(found, pending, command)
    elif pending and folder and strict:
        names = [str(_row(rows, number)["instance_id"]) for number in pending]
        older = sum(is_older(row) for _, row in rows)
        raise DatasetError(
            f"{source} is of the older SWE-bench form, and {folder} ({TASK_REPO}) lacks"
            f" {len(set(names))} of its {older} instances, such as {names[0]}."
        )
    return found


def is_older(row: object) -> bool:
    """Whether a row is one of SWE-bench before 5.x."""
    return isinstance(row, Mapping) and family_of(row) is OLDER


def _from_repo(rows: list[Placed], pending: Sequence[int], folder: str) -> list[int]:
    """Put tasks in place of rows; return the rows that the task repo does not have."""
    known = {task.id: task for task in tasks_from_repo(Path(folder).expanduser(), split=None)}
    missing = []
    for number in pending:
        task = known.get(str(_row(rows, number)["instance_id"]))
        if task is None:
            missing.append(number)
        else:
            rows[number] = (rows[number][0], task)
    return missing


def _from_swebench4(
    rows: list[Placed], pending: Sequence[int], command: Sequence[str]
) -> list[int]:
    """Complete rows by a swebench 4.x; those that it does not know become problems."""
    asked = json.dumps([_row(rows, number) for number in pending], default=str)
    completions = _answer(command, asked.encode("utf-8", "replace"), len(pending))
    for number, completion in zip(pending, completions, strict=True):
        place, row = rows[number][0], _row(rows, number)
        if why := completion.get("error"):
            message = f"this is a row of {OLDER.name}, and {why}: give its 5.x form"
            name = str(row["instance_id"])
            rows[number] = (place, Problem(place=place, instance_id=name, message=message))
        else:
            rows[number] = (place, {**row, **completion})
    return []


def _answer(command: Sequence[str], asked: bytes, count: int) -> list[dict[str, str]]:
    """Return what the program says of so many rows. Raises DatasetError."""
    try:
        done = subprocess.run(
            command, input=asked, capture_output=True, timeout=_LIMIT, check=False
        )
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        answer = json.loads(done.stdout) if done.returncode == 0 else []
    except subprocess.TimeoutExpired:
        answer, lines = [], [f"it took more than {_LIMIT:g} s"]
    except (OSError, ValueError) as error:
        answer, lines = [], [str(error)]
    if len(answer) == count:
        return [dict(one) for one in answer]
    said = lines[-1][:300] if lines else "it said nothing"
    raise DatasetError(
        f"The swebench 4.x of {command[0]} cannot be used ({said}): do "
        f"`pip install --no-deps --target FOLDER 'swebench<5'`, and set {SWEBENCH4} to FOLDER."
    )


def _row(rows: Sequence[Placed], number: int) -> Mapping[str, object]:
    row = rows[number][1]
    assert isinstance(row, Mapping)
    return row


def _swebench4() -> list[str] | None:
    """Return the command that runs a swebench 4.x: the one that is named, or the one at hand.

    A `python` on the PATH is asked whether it has one. Raises DatasetError where the environment
    names what is neither a Python nor a folder with swebench.
    """
    named = os.environ.get(SWEBENCH4)
    if not named:
        for name in ("python3", "python"):
            python = shutil.which(name)
            if python and not _is_ours(python) and _has_swebench4(python):
                return _command(python)
        return None
    path = Path(named).expanduser()
    if (path / "swebench").is_dir():
        return _command(sys.executable, str(path.resolve()))
    if (path / "bin" / "python").exists():
        return _command(str(path / "bin" / "python"))
    if path.is_file() and os.access(path, os.X_OK):
        return _command(str(path))
    raise DatasetError(
        f"{named} ({SWEBENCH4}) is neither a Python nor a folder that holds swebench 4.x."
    )


def _command(python: str, *folders: str) -> list[str]:
    # Without what this process's environment and folder would have it import.
    return [python, "-I", str(_PROGRAM), *folders]


def _is_ours(python: str) -> bool:
    # Not resolved: a virtual environment's is a link to that of the system.
    return Path(python).absolute() == Path(sys.executable).absolute()


def _has_swebench4(python: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-I", "-c", _VERSION], capture_output=True, timeout=20.0, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.startswith(b"4.")
