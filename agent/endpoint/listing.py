"""What an endpoint lists of its models, in the forms in which servers and proxies list them."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

# Places of the context window in a row: what is loaded, before what the model could take.
_WINDOWS = (
    "loaded_context_length",
    "max_model_len",
    "top_provider.context_length",
    "max_input_tokens",
    "context_length",
    "context_window",
    "max_context_length",
    "max_context_window",
    "inputTokenLimit",
    "input_token_limit",
    "meta.n_ctx",
    "model_info.max_input_tokens",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedModel:
    """One row of an endpoint's list of models."""

    id: str
    window: int | None = None
    """Tokens that prompt and answer may have together, None when the server does not say."""
    max_model_len: int | None = None
    """The same as vLLM says it, which has a tokenizer besides."""

    @property
    def bare_name(self) -> str:
        """The id without the provider before it."""
        return _bare(self.id)

    def is_of(self, model: str) -> bool:
        """Whether the row is of a model, which proxies and local servers name by less or more."""
        names = {self.id, self.id.removeprefix("models/"), self.id.removesuffix(":latest")}
        return model in names or ("*" in self.id and fnmatch.fnmatchcase(model, self.id))


def row_of(model: str, rows: Sequence[ServedModel]) -> ServedModel | None:
    """Return the row of a model; where none has its name, the smallest that has it behind a /."""
    if row := next((row for row in rows if row.is_of(model) and "*" not in row.id), None):
        return row
    alike = [row for row in rows if row.bare_name == _bare(model) and row.window]
    if alike:
        return min(alike, key=lambda row: row.window or 0)
    return next((row for row in rows if row.is_of(model)), None)


def _bare(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(":latest")


class TokenCount(BaseModel):
    """The answer of vLLM's tokenizer endpoint."""

    count: int = Field(ge=0)


def served_models(data: bytes) -> list[ServedModel]:
    """Read a list of models; what cannot be read is no row."""
    try:
        body = json.loads(data)
    except ValueError:
        return []
    rows: Any = body
    if isinstance(body, Mapping):
        rows = next(
            (body[n] for n in ("data", "models", "result") if isinstance(body.get(n), list)), []
        )
    listed = rows if isinstance(rows, list) else ()
    named = [{"id": row} if isinstance(row, str) else row for row in listed]
    read = (_row(row) for row in named if isinstance(row, Mapping))
    # A row of its own name says more of a model than one of a pattern.
    return sorted((row for row in read if row), key=lambda row: "*" in row.id)


def _row(row: Mapping[str, Any]) -> ServedModel | None:
    name = next((row[n] for n in ("id", "name", "model_name", "model") if row.get(n)), None)
    if not isinstance(name, str):
        return None
    windows = (_number(row, path) for path in _WINDOWS)
    return ServedModel(
        id=name,
        window=next((window for window in windows if window), None),
        max_model_len=_number(row, "max_model_len"),
    )


def _number(row: Mapping[str, Any], path: str) -> int | None:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    try:
        return int(value) if value and not isinstance(value, bool) else None
    except (TypeError, ValueError):
        return None
