"""Predictions in SWE-bench form: `instance_id`, `model_name_or_path`, `model_patch`.

Read from `.jsonl` (one a line) or `.json` (a list, or a map by instance id), with any number for
one instance and model; written as `.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.rows import DatasetError, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """One candidate patch for one task."""

    task_id: str
    model: str
    patch: str


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    instance_id: str = Field(min_length=1)
    model_name_or_path: str = "unnamed"
    model_patch: str | None
    # SWE-bench writes null where a model gave nothing.


def read_predictions(path: Path) -> list[Prediction]:
    """Read a file of predictions; raises DatasetError naming every bad one, OSError."""
    predictions, problems = [], []
    for place, raw in _raw_rows(path):
        try:
            row = _Row.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "prediction"
            problems.append(Problem(place=place, field=field, message=first["msg"]))
            continue
        predictions.append(
            Prediction(
                task_id=row.instance_id, model=row.model_name_or_path, patch=row.model_patch or ""
            )
        )
    if problems:
        raise DatasetError(f"{path} holds {len(problems)} malformed predictions:", problems)
    if not predictions:
        raise DatasetError(f"{path} holds no prediction.")
    return predictions


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> int:
    """Write one JSON object a line, whole or not at all; returns how many."""
    count = 0
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        for prediction in predictions:
            row = {
                "instance_id": prediction.task_id,
                "model_name_or_path": prediction.model,
                "model_patch": prediction.patch,
            }
            file.write(json.dumps(row) + "\n")
            count += 1
    partial.replace(path)
    return count


def _raw_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (where it stands, parsed JSON)."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text (byte {error.start}).") from None
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield f"line {number}", _parse(line, f"{path}, line {number}")
        return
    data = _parse(text, str(path))
    if isinstance(data, dict):
        data = list(data.values())
    if not isinstance(data, list):
        raise DatasetError(f"{path} must hold a list of predictions or a map by instance id.")
    for number, row in enumerate(data, start=1):
        yield f"prediction {number}", row


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{place} is not JSON: {error}.") from None
