"""Rows of datasets from files (JSONL, JSON, Parquet) or from the hub.

Only reads and places rows; `tasks.rows` judges them, after `tasks.older` has completed those of
SWE-bench before 5.x. A hub dataset is downloaded once into the hub client's own cache, and is found
there when the hub does not answer later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tasks.older import with_older_completed
from tasks.rows import DatasetError, OnInvalid, Placed, Problem, tasks_from_rows
from tasks.task import Task

ALIASES = {
    "lite": "SWE-bench/SWE-bench_Lite",
    "verified": "SWE-bench/SWE-bench_Verified",
    "full": "SWE-bench/SWE-bench",
    "multilingual": "SWE-bench/SWE-bench_Multilingual",
}
"""Short names of datasets on the hub."""

HUB_TIMEOUT = 15.0
# Seconds the hub has for its first answer.


def tasks_from_file(path: Path, on_invalid: OnInvalid | None = None) -> list[Task]:
    """Read a .jsonl, .json or .parquet file. Raises DatasetError; see `tasks_from_rows`."""
    return _tasks(str(path), _read(path), on_invalid)


def tasks_from_hub(name: str, split: str, on_invalid: OnInvalid | None = None) -> list[Task]:
    """Read one split of a dataset on the hub, `owner/name`.

    Its files are those the hub's own convention names for the split: `test.parquet`,
    `data/test-00000-of-00001.parquet` and the like. Raises DatasetError; see `tasks_from_rows`.
    """
    root = _snapshot(name)
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in READERS)
    chosen = [path for path in files if path.stem == split or path.stem.startswith(f"{split}-")]
    if not chosen:
        raise DatasetError(
            f"The dataset {name} has no split {split!r}"
            f" (its files: {', '.join(path.stem for path in files[:8]) or 'none'})."
        )
    return _tasks(f"{name} ({split})", list(_placed_by_file(chosen)), on_invalid)


def _tasks(source: str, placed: Sequence[Placed], on_invalid: OnInvalid | None) -> list[Task]:
    completed = with_older_completed(source, placed, strict=on_invalid is None)
    return tasks_from_rows(source, completed, on_invalid)


def _placed_by_file(paths: list[Path]) -> Iterator[Placed]:
    for path in paths:
        prefix = f"{path.name} " if len(paths) > 1 else ""
        for place, row in _read(path):
            yield prefix + place, row


def _snapshot(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    reachable = True
    try:
        HfApi().dataset_info(name, timeout=HUB_TIMEOUT)
    except GatedRepoError as error:
        raise DatasetError(
            f"The dataset {name} is gated: accept its terms on the hub and set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise DatasetError(
            f"The hub has no dataset {name}, or it is private and HF_TOKEN is not set."
        ) from error
    except Exception:  # noqa: BLE001  the hub's client raises its HTTP library's own errors
        reachable = False
    try:
        folder = snapshot_download(
            name,
            repo_type="dataset",
            allow_patterns=[f"*{suffix}" for suffix in READERS],
            local_files_only=not reachable,
        )
    except Exception as error:
        said = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        failed = f"could not be downloaded ({said})"
        why = failed if reachable else "is not here and the hub does not answer"
        raise DatasetError(
            f"The dataset {name} {why}; give it as a .jsonl, .json or .parquet file instead,"
            " or use the bundled suite 'starter'."
        ) from error
    return Path(folder)


def _read(path: Path) -> list[Placed]:
    try:
        return READERS[path.suffix](path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_jsonl(path: Path) -> list[Placed]:
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [
        (f"line {number}", _decoded(f"line {number}", line))
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _read_json(path: Path) -> list[Placed]:
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        return []
    match _decoded("the file", data):
        case Problem() as problem:
            raise DatasetError(f"{path} is not JSON: {problem.message}.")
        case list(rows):
            return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]
        case Mapping() as rows:
            return [(f"key {key!r}", _keyed(key, row)) for key, row in rows.items()]
        case _:
            raise DatasetError(f"{path} must hold a list of rows, or an object of id -> row.")


def _keyed(key: str, row: object) -> object:
    if isinstance(row, Mapping) and row.get("instance_id", key) != key:
        message = f"expected the id it is filed under, got {row['instance_id']!r:.80}"
        return Problem(place=f"key {key!r}", field="instance_id", message=message)
    return row


def _decoded(place: str, data: bytes) -> object:
    if b"\0" in data:
        return Problem(place=place, message="expected JSON text, got NUL bytes")
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text, got byte 0x{data[error.start]:02x} at {error.start + 1}"
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column" if error.lineno > 1 else "column"
        said = error.msg.removesuffix(" starting at").lower()
        message = f"expected JSON, but {said} at {at} {error.colno} of {len(data)} bytes"
    except (ValueError, RecursionError) as error:
        message = f"expected JSON that can be read, but {error}"
    return Problem(place=place, message=message)


def _read_parquet(path: Path) -> list[Placed]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.ParquetFile(path).read().to_pylist()
    except (pa.ArrowException, ValueError) as error:
        first = str(error).splitlines()[0].rstrip(". ")
        raise DatasetError(f"{path} is not a Parquet file that can be read: {first}.") from error
    return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]


READERS = {".jsonl": _read_jsonl, ".json": _read_json, ".parquet": _read_parquet}
"""What reads a file, by its suffix."""


def is_dataset_file(source: str) -> bool:
    """Whether a source is meant as a file, by its suffix."""
    return PurePosixPath(source).suffix in READERS
