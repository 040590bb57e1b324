"""Predictions in SWE-bench form: `instance_id`, `model_name_or_path`, `model_patch`.

Read from `.jsonl` (one a line) or `.json` (a list, one prediction, or a map by instance id), with
any number for one instance and model; written as `.jsonl`. What other harnesses and agents call
the three is read too (`PATCH_KEYS`, `MODEL_KEYS`, `INSTANCE_KEYS`); where a prediction could be
read in two ways it is refused. Whether an instance exists is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from eval.whole import whole
from tasks.rows import DatasetError, Problem

PATCH_KEYS = (
    "model_patch",
    "patch",
    "fix_patch",
    "git_patch",
    "test_result.git_patch",
    "info.submission",
    "prediction",
)
"""Where a patch is: SWE-bench's key, which wins over all others, and those of SWE-bench Pro and
SWE-rebench V2, Multi-SWE-bench, OpenHands (before and now), and mini-swe-agent's trajectories."""

MODEL_KEYS = (
    "model_name_or_path",
    "model",
    "model_name",
    "prefix",
    "metadata.llm_config.model",
    "metadata.llm.model",
)
"""Where the model's name is; SWE-bench's key wins over all others."""

INSTANCE_KEYS = ("instance_id", "instance")
"""Where the instance's name is; Multi-SWE-bench gives `org`, `repo` and `number` instead."""

_GOLD = ("patch", "fix_patch")
_OF_TASKS = ("problem_statement", "test_patch", "FAIL_TO_PASS", "fail_to_pass", "f2p_tests")
"""Keys of a dataset's rows, in which one of `_GOLD` is the gold patch."""

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
        keys: dict[str, tuple[str, Any]] = {}
        try:
            keys = _keys_of(raw)
            row = _Row.model_validate({name: value for name, (_, value) in keys.items()})
        except _AmbiguousError as error:
            problems.append(Problem(place=place, field=error.field, message=str(error)))
            continue
        except ValidationError as error:
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            name = str(first["loc"][0])
            field, _ = keys.get(name, (name, None))
            problems.append(Problem(place=place, field=field, message=message))
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


class _AmbiguousError(Exception):
    """A prediction that may be read in two ways, or is none."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def _keys_of(raw: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return SWE-bench's keys, as far as a prediction has them, with its own keys and values.

    Raises _AmbiguousError.
    """
    found = {}
    for name, keys in (
        ("instance_id", INSTANCE_KEYS),
        ("model_name_or_path", MODEL_KEYS),
        ("model_patch", PATCH_KEYS),
    ):
        if (key := _one_of(raw, keys)) is not None:
            found[name] = (key, _at(raw, key))
    if "instance_id" not in found and _is_pull_request(raw):
        found["instance_id"] = ("number", f"{raw['org']}__{raw['repo']}-{raw['number']}")
    if "model_patch" not in found and (empty := _first_there(raw, PATCH_KEYS)):
        found["model_patch"] = (empty, None)
    gold = found.get("model_patch", ("", None))[0]
    if gold in _GOLD and (of_tasks := [name for name in _OF_TASKS if name in raw]):
        message = (
            f"expected a prediction, but {of_tasks[0]!r} is of a dataset's row, whose {gold!r} is "
            "the gold patch: a prediction beside it is called 'model_patch'"
        )
        raise _AmbiguousError(gold, message)
    return found


def _one_of(raw: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Return the key that a value stands under. Raises _AmbiguousError where it is one of two."""
    first, *others = keys
    if first in raw:
        return first
    given = [key for key in others if _at(raw, key) not in (None, "")]
    if any(_at(raw, key) != _at(raw, given[0]) for key in given[1:]):
        message = f"expected one, but {' and '.join(given)} differ: call the right one {first!r}"
        raise _AmbiguousError(first, message)
    return given[0] if given else None


def _first_there(raw: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Return the first key that is there, whatever it holds, or whose table is there and empty."""
    for key in keys:
        above, _, name = key.rpartition(".")
        table = _at(raw, above) if above else raw
        if (isinstance(table, dict) and name in table) or (above in raw and not table):
            return key
    return None


def _at(raw: Mapping[str, Any], path: str) -> Any:
    value: Any = raw
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_pull_request(raw: Mapping[str, Any]) -> bool:
    return all(isinstance(raw.get(name), str | int) for name in ("org", "repo", "number"))


def _names_instance(raw: Mapping[str, Any]) -> bool:
    return any(name in raw for name in INSTANCE_KEYS) or _is_pull_request(raw)


def _is_prediction(data: Mapping[str, Any]) -> bool:
    """Whether a whole file is one prediction and no map of them."""
    named = isinstance(data.get("instance_id", data.get("instance")), str) or _is_pull_request(data)
    return named and _first_there(data, PATCH_KEYS) is not None


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
        yield from [("the prediction", data)] if _is_prediction(data) else _from_map(data)
        return
    if not isinstance(data, list):
        raise DatasetError(f"{path} must hold a list of predictions or a map by instance id.")
    for number, row in enumerate(data, start=1):
        yield f"prediction {number}", row


def _from_map(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, row in data.items():
        named = row
        if isinstance(row, str) or row is None:
            named = {"instance_id": key, "model_patch": row}
        elif isinstance(row, dict) and not _names_instance(row):
            # The map that SWE-agent writes names the instance twice; once is enough.
            named = {"instance_id": key, **row}
        yield f"key {key!r}", named


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{place} is not JSON: {error}.") from None
