"""From the tables of `run.db` to columns, and to single rows.

A run may have a million samples: what is done to each on the way to columns is done by numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, select

from agent.backend import USAGE, Usage
from eval.schema import SAMPLES, VERDICTS
from eval.table import NUMBERS, PENDING, Columns, SampleRow, outcome_code

Stream: TypeAlias = Callable[[Select[Any]], Iterator[Sequence[tuple[Any, ...]]]]
"""Answers a query in batches of rows."""

_TEXTS = ("task_id", "model", "strategy", "patch_digest", "verdict_key")
_RECORDED = {
    **{name: SAMPLES.c[name] for name in _TEXTS},
    "request_seconds": SAMPLES.c.usage_seconds,
    **{
        name: SAMPLES.c[name if name in SAMPLES.c else f"usage_{name}"]
        for name in NUMBERS
        if name not in {"request_seconds", "verify_seconds"}
    },
}
_FORM = np.dtype([(name, NUMBERS.get(name, np.object_)) for name in _RECORDED])


def columns(stream: Stream, suspected: Collection[str] = ()) -> Iterator[Columns]:
    """Stream the samples of a run for `eval.table.tabulated`, as they lie in the file.

    `suspected` are the keys of verdicts whose suspicions count. Raises ForeignSampleError for a
    verdict that is none.
    """
    verdicts = _Verdicts(stream)
    for batch in stream(select(*_RECORDED.values())):
        read = np.array(batch, dtype=_FORM)
        texts = {name: read[name].tolist() for name in _TEXTS}
        outcome, verify_seconds = verdicts.under(texts["verdict_key"])
        yield {
            **{name: read[name] for name in _RECORDED},
            **texts,
            "outcome": outcome,
            "verify_seconds": verify_seconds,
            "suspicious": np.fromiter(
                (key in suspected for key in texts["verdict_key"]), np.bool_, len(batch)
            ),
        }


def rows(stream: Stream, task_id: str | None = None) -> Iterator[SampleRow]:
    """Stream samples (of one task) and outcomes, ordered by model, strategy, task, index."""
    of_row = ("task_id", "model", "strategy", "index", "cost", "patch_digest", "seconds")
    query = (
        select(
            VERDICTS.c.outcome,
            VERDICTS.c.seconds.label("verify_seconds"),
            *(SAMPLES.c[name] for name in of_row),
            *(SAMPLES.c[f"usage_{name}"] for name in USAGE),
        )
        .outerjoin(VERDICTS, SAMPLES.c.verdict_key == VERDICTS.c.key)
        .order_by(*(SAMPLES.c[name] for name in ("model", "strategy", "task_id", "index")))
    )
    if task_id is not None:
        query = query.where(SAMPLES.c.task_id == task_id)
    names = ("outcome", "verify_seconds", *of_row)
    for batch in stream(query):
        for row in batch:
            usage = Usage(**dict(zip(USAGE, row[len(names) :], strict=True)))
            yield SampleRow(**dict(zip(names, row, strict=False)), usage=usage)


class _Verdicts:
    """Outcomes and seconds by verdict key, in arrays: a join would go through the file a sample.

    64 bits of a key tell a million verdicts apart, but for a chance of 3 in 10^8.
    """

    def __init__(self, stream: Stream) -> None:
        query = select(VERDICTS.c.key, VERDICTS.c.outcome, VERDICTS.c.seconds)
        form = [("key", np.int64), ("outcome", np.int8), ("seconds", np.float64)]
        parts = [np.empty(0, form)]
        for batch in stream(query):
            rows = [(hash(key), outcome_code(name), seconds) for key, name, seconds in batch]
            parts.append(np.array(rows, form))
        kept = np.concatenate(parts)
        order = np.argsort(kept["key"])
        # The last entry is found by what has none, and is pending.
        self._keys = np.append(kept["key"][order], np.iinfo(np.int64).max)
        self._outcomes = np.append(kept["outcome"][order], np.int8(PENDING))
        self._seconds = np.append(kept["seconds"][order], np.nan)

    def under(self, keys: Sequence[str | None]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """Return outcome and seconds under each key, which is None where a verdict is pending.

        Pending is also what has a key but no verdict: that was kept after these were read.
        """
        hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
        places = np.searchsorted(self._keys, hashes)
        places[self._keys[places] != hashes] = -1
        return self._outcomes[places], self._seconds[places]
