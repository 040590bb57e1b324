"""Saves a cache to a JSON file and loads it again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lrustore.cache import Cache
from lrustore.errors import SnapshotError

VERSION = 1


def save(cache: Cache, path: str | Path) -> int:
    """Write all items that have not expired; return how many."""
    rows: list[dict[str, Any]] = []
    for key, item in cache.items():
        rows.append({"key": key, "value": item.value, "expires_at": item.expires_at})
    target = Path(path)
    partial = target.with_name(target.name + ".part")
    partial.write_text(json.dumps({"version": VERSION, "items": rows}), encoding="utf-8")
    os.replace(partial, target)
    return len(rows)


def load(cache: Cache, path: str | Path) -> int:
    """Add the items of a snapshot to a cache; return how many.

    Raises SnapshotError when the file is not a snapshot.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        version, rows = document["version"], document["items"]
    except (ValueError, LookupError, TypeError) as error:
        raise SnapshotError(f"{path} is not a snapshot") from error
    if version != VERSION:
        raise SnapshotError(f"{path} is of version {version}, not {VERSION}")
    loaded = 0
    for row in rows:
        ttl = None
        if row["expires_at"] is not None:
            ttl = row["expires_at"] - cache.clock()
            if ttl <= 0:
                continue
        cache.set(row["key"], row["value"], ttl=ttl)
        loaded += 1
    return loaded
