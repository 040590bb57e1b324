"""Predictions in SWE-bench form: `instance_id`, `model_name_or_path`, `model_patch`.

Read from `.jsonl` (one a line) or `.json` (a list, or a map by instance id), with any number for
one instance and model; written as `.jsonl`. Whether an instance exists is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from eval.whole import whole
from tasks.rows import DatasetError, Problem

_MODEL_BYTES = 150
# A file's name may have 255, and more than the model's is in those of the reports.


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """One candidate patch for one task."""

    task_id: str
    model: str
    patch: str


def file_name_of(model: str) -> str:
    """Return what SWE-bench (5.0.2) puts for a model in the names of files and folders."""
    return model.replace("/", "__")


def _nameable(model: str) -> str:
    name = file_name_of(model)
    if name in {"", ".", ".."} or not name.isprintable():
        raise ValueError("expected a name that a file can have")
    if len(name.encode()) > _MODEL_BYTES:
        raise ValueError(f"expected a name of at most {_MODEL_BYTES} bytes")
    return model


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    instance_id: str = Field(min_length=1)
    model_name_or_path: Annotated[str, AfterValidator(_nameable)] = "unnamed"
    model_patch: str | None
    # SWE-bench writes null where a model gave nothing.


def read_predictions(path: Path) -> list[Prediction]:
    """Read a file of predictions; raises DatasetError naming every bad one, OSError."""
    predictions, problems = [], []
    for place, raw in _raw_rows(path):
        if not isinstance(raw, dict):
            message = "expected a prediction (an object with named fields)"
            problems.append(Problem(place=place, message=message))
            continue
        try:
            row = _Row.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            problems.append(Problem(place=place, field=str(first["loc"][0]), message=message))
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
    with whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        for prediction in predictions:
            row = {
                "instance_id": prediction.task_id,
                "model_name_or_path": prediction.model,
                "model_patch": prediction.patch,
            }
            file.write(json.dumps(row) + "\n")
            count += 1
    return count


def _raw_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (where it stands, parsed JSON)."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text (byte {error.start}).") from None
    if path.suffix == ".jsonl":
        # By newlines only: a patch may hold other characters that Python ends a line at.
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield f"line {number}", _parse(line, f"{path}, line {number}")
        return
    data = _parse(text, str(path))
    if isinstance(data, dict):
        for key, row in data.items():
            # The map that SWE-agent writes names the instance twice; once is enough.
            yield f"key {key!r}", {"instance_id": key, **row} if isinstance(row, dict) else row
        return
    if not isinstance(data, list):
        raise DatasetError(f"{path} must hold a list of predictions or a map by instance id.")
    for number, row in enumerate(data, start=1):
        yield f"prediction {number}", row


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{place} is not JSON: {error}.") from None
