"""Serving options: read from texts and tables, refused in one sentence, asked of the real vLLM."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.local.server_env import ServerProgram, ensure_server_program, has_server_program
from agent.local.serving import (
    ServeOptionError,
    check_serve,
    gpus_needed,
    parse_serve,
    read_serve,
    serve_arguments,
    serve_texts,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # A lone surrogate is no text.
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


def test_values_are_json_where_they_are_and_text_where_not() -> None:
    assert parse_serve(
        ["max-model-len=8192", "dtype=half", "enforce_eager=false", "seed=null", "revision=1.10.2"]
    ) == {
        "max_model_len": 8192,
        "dtype": "half",
        "enforce_eager": False,
        "seed": None,
        "revision": "1.10.2",
    }


def test_dots_lead_into_tables_which_may_be_given_in_parts() -> None:
    assert parse_serve(
        [
            "speculative-config.method=ngram",
            "speculative_config.num_speculative_tokens=4",
            'compilation_config={"pass_config": {"fuse": true}}',
        ]
    ) == {
        "speculative_config": {"method": "ngram", "num_speculative_tokens": 4},
        "compilation_config": {"pass_config": {"fuse": True}},
    }


@given(st.dictionaries(st.from_regex(r"x[a-z0-9_]*", fullmatch=True), JSON))
def test_options_survive_as_texts_of_a_command_line(serve: dict[str, Any]) -> None:
    assert parse_serve(serve_texts(serve)) == read_serve(serve)


def test_options_become_arguments_of_vllm() -> None:
    assert serve_arguments(
        {
            "max_model_len": "8k",
            "enforce_eager": True,
            "enable_prefix_caching": False,
            "speculative_config": {"method": "ngram"},
            "cudagraph_capture_sizes": [1, 2],
            "dtype": None,
        }
    ) == [
        "--max-model-len=8k",
        "--enforce-eager",
        "--no-enable-prefix-caching",
        '--speculative-config={"method": "ngram"}',
        *("--cudagraph-capture-sizes", "1", "2"),
    ]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["quantization"], "has no value"),
        (["quantization="], "has no value"),
        (["--dtype=half"], "is no name"),
        (["dtype=half", "dtype=auto"], "given twice"),
        (["max-model-len=1", "max_model_len=1"], "given twice"),
        (["speculative_config=1", "speculative_config.method=ngram"], "given twice"),
        (["speculative_config.method=ngram", "speculative_config={}"], "given twice"),
        (["a.b=1", "a.b.c=1"], "given twice"),
        (["port=8000"], "where its servers answer"),
        (["api-key=secret"], "makes a new key"),
        (["served_model_name=m"], "named by --model"),
        (["ssl_keyfile=k"], "runs the web server"),
        (["disable_uvicorn_access_log=true"], "runs the web server"),
        (["hf_token=secret"], "HF_TOKEN"),
        (["max_model_len=NaN"], "no JSON"),
        (["tensor_parallel_size=two"], "a whole number of at least 1"),
        (["data_parallel_size=0"], "a whole number of at least 1"),
        (["tensor_parallel_size=true"], "a whole number of at least 1"),
    ],
)
def test_what_cannot_be_given_is_one_sentence(texts: list[str], says: str) -> None:
    with pytest.raises(ServeOptionError, match=says) as raised:
        parse_serve(texts)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith(".")
    assert "secret" not in str(raised.value)


def test_a_table_of_a_file_is_held_to_the_same() -> None:
    assert read_serve({"tensor-parallel-size": 2}) == {"tensor_parallel_size": 2}
    with pytest.raises(ServeOptionError, match="where its servers answer"):
        read_serve({"host": "0.0.0.0"})
    with pytest.raises(ServeOptionError, match="no JSON"):
        read_serve({"seed": {1, 2}})


def test_all_kinds_of_parallelism_take_gpus() -> None:
    assert gpus_needed({}) == 1
    sizes = {"tensor_parallel_size": 2, "pipeline_parallel_size": 3, "data_parallel_size": 2}
    assert gpus_needed(sizes) == 12
    assert gpus_needed({"tensor_parallel_size": None}) == 1


def test_a_vllm_that_cannot_be_asked_refuses_nothing(tmp_path: Path) -> None:
    program = ServerProgram(argv=(sys.executable,), python=str(tmp_path / "nothing"))
    check_serve({"quantization": "fp8"}, program)
    check_serve({"quantization": "fp8"}, dataclasses.replace(program, python="/bin/false"))


@pytest.fixture(scope="module")
def real() -> ServerProgram:
    if not has_server_program():
        pytest.skip("vLLM is not set up: run `ksolve doctor --mend`")
    return ensure_server_program(lambda *_: None)


@pytest.mark.model
@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["tensor_parallel_sise=2"], r"has no serving option .*; the nearest is tensor_parallel"),
        (["kv_cache_dtype=fp9"], r"kv_cache_dtype=fp9: it takes one of auto, .*"),
        (["enforce_eager=maybe"], "it takes true or false"),
        (["max_model_len=long"], "it takes a whole number such as 8192 or 8k, or auto"),
        (["quantization=awk"], "the nearest is awq"),
        (["speculative_config.metod=ngram"], "it has no metod; the nearest is method"),
    ],
)
def test_vllm_itself_says_what_it_does_not_take(
    texts: list[str], says: str, real: ServerProgram
) -> None:
    with pytest.raises(ServeOptionError, match=f"^vLLM [0-9.]+ .*{says}.*\\.$"):
        check_serve(parse_serve(texts), real)


@pytest.mark.model
def test_what_vllm_takes_is_asked_once(
    real: ServerProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not check_serve({"tensor_parallel_size": 2, "reasoning_parser": "qwen3"}, real)
    assert len(list(tmp_path.rglob("*.json"))) == 1
    with pytest.raises(ServeOptionError):
        check_serve({"quantization": "awk"}, real)
    with pytest.raises(ServeOptionError):
        # Nobody is there to be asked.
        check_serve({"quantization": "awk"}, dataclasses.replace(real, python="/bin/false"))
