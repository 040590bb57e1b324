"""Lists of models as servers and proxies write them: names, and windows of the size that counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.endpoint.listing import served_models

ROWS: dict[str, tuple[dict[str, Any], str, int | None]] = {
    "openai": (
        {"id": "gpt-4o-mini", "object": "model", "created": 1, "owned_by": "system"},
        "gpt-4o-mini",
        None,
    ),
    "vllm": (
        {"id": "org/coder", "owned_by": "vllm", "root": "/path", "max_model_len": 16_384},
        "org/coder",
        16_384,
    ),
    # The window of a slot, which is loaded, and not that of the training.
    "llama.cpp": (
        {
            "id": "../models/x.gguf",
            "owned_by": "llamacpp",
            "meta": {"n_ctx": 2_048, "n_ctx_train": 131_072, "n_vocab": 1},
        },
        "../models/x.gguf",
        2_048,
    ),
    "llama.cpp that loads": ({"id": "x.gguf", "meta": None}, "x.gguf", None),
    # What one gets without asking for more, where that is less.
    "openrouter": (
        {
            "id": "maker/model",
            "context_length": 900_000,
            "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
            "top_provider": {"context_length": 180_000, "max_completion_tokens": None},
        },
        "maker/model",
        180_000,
    ),
    "openrouter without one": (
        {"id": "maker/model", "context_length": 900_000, "top_provider": None},
        "maker/model",
        900_000,
    ),
    "lm studio": (
        {
            "id": "coder",
            "type": "llm",
            "max_context_length": 40_960,
            "loaded_context_length": 8_192,
        },
        "coder",
        8_192,
    ),
    "vercel": (
        {"id": "maker/model", "context_window": 200_000, "max_tokens": 64_000, "type": "language"},
        "maker/model",
        200_000,
    ),
    "groq": (
        {"id": "maker/model", "active": True, "context_window": 131_072},
        "maker/model",
        131_072,
    ),
    "mistral": (
        {"id": "large", "capabilities": {}, "max_context_length": 131_072, "aliases": []},
        "large",
        131_072,
    ),
    "anthropic": (
        {"type": "model", "id": "claude", "created_at": "2026-01-01", "max_input_tokens": 200_000},
        "claude",
        200_000,
    ),
    "gemini": (
        {"name": "models/gemini-2.5-flash", "inputTokenLimit": 1_048_576},
        "models/gemini-2.5-flash",
        1_048_576,
    ),
    "litellm": (
        {
            "model_name": "gpt-4o",
            "litellm_params": {"model": "openai/gpt-4o"},
            "model_info": {"max_input_tokens": 128_000, "input_cost_per_token": 2.5e-06},
        },
        "gpt-4o",
        128_000,
    ),
    "ollama": ({"id": "llama3:latest", "owned_by": "library"}, "llama3:latest", None),
    "a number as a text": ({"id": "m", "context_length": "32768"}, "m", 32_768),
    "a number of nothing": ({"id": "m", "context_length": 0, "context_window": 4_096}, "m", 4_096),
    "null": ({"id": "m", "max_model_len": None, "context_length": 4_096}, "m", 4_096),
    "words": ({"id": "m", "context_length": "long"}, "m", None),
    "yes": ({"id": "m", "context_length": True}, "m", None),
}


@pytest.mark.parametrize(("row", "name", "window"), ROWS.values(), ids=ROWS)
def test_a_row_has_its_name_and_the_window_that_counts(
    row: dict[str, Any], name: str, window: int | None
) -> None:
    (read,) = served_models(json.dumps({"object": "list", "data": [row]}).encode())
    assert (read.id, read.window) == (name, window)


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": "a"}, {"id": "b"}]},
        {"models": [{"name": "a"}, {"name": "b"}]},
        {"result": [{"id": "a"}, {"id": "b"}], "success": True},
        {"data": [{"id": "a"}, {"id": "b"}], "models": [{"name": "other"}]},
        {"data": None, "models": [{"id": "a"}, {"id": "b"}]},
        [{"id": "a"}, {"id": "b"}],
        [{"id": "a"}, {"id": None}, {}, None, 7, {"id": "b"}],
    ],
    ids=["data", "models", "result", "both", "null", "list", "nonsense between"],
)
def test_rows_are_found_wherever_they_stand(body: Any) -> None:
    assert [row.id for row in served_models(json.dumps(body).encode())] == ["a", "b"]


@pytest.mark.parametrize("data", [b"", b"<html>", b"null", b"7", b'{"data": null}', b"{}", b'"a"'])
def test_what_is_no_list_has_no_rows(data: bytes) -> None:
    assert served_models(data) == []


@pytest.mark.parametrize(
    ("listed", "asked", "is_of"),
    [
        ("coder", "coder", True),
        ("coder", "code", False),
        ("models/gemini-2.5-flash", "gemini-2.5-flash", True),
        ("models/gemini-2.5-flash", "models/gemini-2.5-flash", True),
        ("llama3:latest", "llama3", True),
        ("llama3:latest", "llama3:latest", True),
        ("llama3:8b", "llama3", False),
        ("openai/*", "openai/gpt-4o", True),
        ("openai/*", "anthropic/claude", False),
        ("*", "anything", True),
        # A bracket is a part of a name where no star is.
        ("coder[4bit]", "coder[4bit]", True),
    ],
)
def test_a_model_is_known_by_every_name_that_a_server_gives_it(
    listed: str, asked: str, is_of: bool
) -> None:
    (row,) = served_models(json.dumps([{"id": listed}]).encode())
    assert row.is_of(asked) is is_of


def test_a_row_of_its_own_comes_before_a_pattern() -> None:
    rows = [{"id": "*"}, {"id": "openai/*"}, {"id": "openai/gpt-4o", "context_length": 128_000}]
    found = [row for row in served_models(json.dumps(rows).encode()) if row.is_of("openai/gpt-4o")]
    assert found[0].window == 128_000
    assert len(found) == 3


def test_only_what_vllm_says_promises_a_tokenizer() -> None:
    (vllm,) = served_models(b'[{"id": "m", "max_model_len": 4096}]')
    (other,) = served_models(b'[{"id": "m", "context_length": 4096}]')
    assert (vllm.max_model_len, other.max_model_len) == (4096, None)
