"""From model names to backends: what is missing is said before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.backend import Message, Sampling
from agent.endpoint.anthropic import AnthropicBackend
from agent.endpoint.attempt import Timing
from agent.endpoint.openai import OpenAIBackend
from agent.models import ModelNameError, ModelOptions, resolve
from agent.presets import PRESETS, base_url_of
from agent.price import UNKNOWN, Price, price_of
from agent.scripted import ScriptedBackend
from tests.agent.loopback import Endpoint

PROMPT = [Message(role="user", content="hi")]
KEYED = [name for name, preset in PRESETS.items() if preset.needs_key]
ADDRESSES = {
    "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/",
    "AWS_REGION": "eu-west-1",
}
"""Variables that are part of an address."""


@pytest.mark.parametrize("spec", ["gpt-4o", "openai:", "nonsense:model", "", ":", "vllm:", "http:"])
def test_an_unknown_form_is_refused_with_all_the_known_ones(spec: str) -> None:
    with pytest.raises(ModelNameError, match="openai:MODEL") as caught:
        resolve(spec)
    for form in ("deepseek:MODEL", "vllm:MODEL", "http://HOST:PORT/v1#MODEL", "scripted:FILE"):
        assert form in str(caught.value)


@pytest.mark.parametrize("provider", KEYED)
def test_a_provider_without_its_key_names_the_variable(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PRESETS[provider].key_variable, raising=False)
    with pytest.raises(ModelNameError, match=PRESETS[provider].key_variable):
        resolve(f"{provider}:some-model")


@pytest.mark.parametrize("provider", KEYED)
def test_a_provider_with_its_key_resolves_to_its_own_price(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in ADDRESSES.items():
        monkeypatch.setenv(variable, value)
    preset = PRESETS[provider]
    monkeypatch.setenv(preset.key_variable, "sk-1234567890")
    model = resolve(preset.example)
    assert model.name == model.backend.name == preset.example
    kind = AnthropicBackend if provider == "anthropic" else OpenAIBackend
    assert isinstance(model.backend, kind)
    listed = preset.price_list or provider
    assert model.price == price_of(listed, preset.example.partition(":")[2])
    assert model.price.known
    assert "sk-1234567890" not in repr(model)


def test_a_server_of_ones_own_needs_no_key_and_has_no_price_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)
    model = resolve("ollama:qwen3-coder")
    assert isinstance(model.backend, OpenAIBackend)
    assert not model.price.known
    hourly = resolve("ollama:qwen3-coder", ModelOptions(price=Price(hour=1.0)))
    assert hourly.price.known


@pytest.mark.parametrize(
    ("provider", "variable"), [("azure", "AZURE_OPENAI_ENDPOINT"), ("bedrock", "AWS_REGION")]
)
def test_an_address_that_lacks_a_part_names_its_variable(
    provider: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PRESETS[provider].key_variable, "k")
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ModelNameError, match=variable):
        resolve(PRESETS[provider].example)
    monkeypatch.setenv(variable, ADDRESSES[variable])
    assert resolve(PRESETS[provider].example).backend.name == PRESETS[provider].example


@pytest.mark.parametrize(
    "resource", ["https://mine.openai.azure.com", "https://mine.openai.azure.com/openai/v1/"]
)
def test_an_azure_resource_is_reached_at_its_own_address(
    resource: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_BASE_URL", raising=False)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", resource)
    assert base_url_of("azure") == "https://mine.openai.azure.com/openai/v1"


def test_a_price_given_by_the_user_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    mine = Price(input=1.0, output=2.0)
    assert resolve("openai:gpt-4o-mini", ModelOptions(price=mine)).price == mine


def test_an_hourly_price_for_a_model_billed_by_tokens_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No accelerator time is metered there, so that everything would seem to be free.
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(ModelNameError, match="billed by the token"):
        resolve("openai:gpt-4o-mini", ModelOptions(price=Price(hour=1.0)))


def test_an_hourly_price_reserves_a_requests_part_of_a_busy_server() -> None:
    options = ModelOptions(
        price=Price(hour=3.6), in_flight=100, timing=Timing(idle=500, longest=500)
    )
    model = resolve("http://localhost:1/v1#m", options)
    # 500 seconds of a server at $3.60 an hour are 50 cents, for 100 requests, twice each.
    assert model.price.bound(10**6, 10**6) == pytest.approx(2 * 0.5 / 100)


def test_a_model_at_a_listed_address_is_asked_as_that_of_its_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    named = resolve("gemini:gemini-2.5-pro")
    address = PRESETS["gemini"].base_url
    at = resolve(f"{address}#gemini-2.5-pro")
    # Longer prompts are billed at a higher rate.
    assert at.backend.context_window == named.backend.context_window == 200_000
    assert at.price == named.price
    wide = resolve(f"{address}#gemini-2.5-pro", ModelOptions(context_window=1_000_000))
    assert wide.backend.context_window == 1_000_000
    assert len(wide.price.rates) == 2


@pytest.mark.parametrize("spec", ["http://localhost:8000/v1", "http://#m", "http://[bad/v1#m"])
def test_an_incomplete_address_is_refused_with_an_example(spec: str) -> None:
    with pytest.raises(ModelNameError, match="http://localhost:8000/v1#"):
        resolve(spec)


@pytest.mark.parametrize("url", ["http://me:secret@host/v1", "https://host/v1?api_key=secret"])
def test_a_key_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ModelNameError, match="KSOLVE_API_KEY") as caught:
        resolve(f"{url}#m")
    assert "secret" not in str(caught.value)


async def test_a_running_endpoint_is_asked_for_the_model_after_the_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KSOLVE_API_KEY", "mine")
    with Endpoint(models=[{"id": "org/coder", "max_model_len": 8192}]) as server:
        model = resolve(f"{server.url}#org/coder", ModelOptions(in_flight=3))
        assert model.price is UNKNOWN
        async with model.backend as backend:
            answer = await backend.complete(PROMPT, Sampling())
            assert (backend.in_flight, backend.context_window) == (3, 8192)
    assert answer.usage.accelerator_seconds > 0
    [asked] = server.completions
    assert asked.body["model"] == "org/coder"
    assert asked.headers["authorization"] == "Bearer mine"


async def test_an_endpoint_billed_by_tokens_is_not_metered_by_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KSOLVE_API_KEY", raising=False)
    with Endpoint() as server:
        model = resolve(f"{server.url}#m", ModelOptions(price=Price(input=1.0, output=1.0)))
        async with model.backend as backend:
            answer = await backend.complete(PROMPT, Sampling())
    assert answer.usage.accelerator_seconds == 0


@pytest.mark.parametrize("provider", ["groq", "azure", "ollama"])
async def test_every_provider_can_be_reached_at_another_address(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    with Endpoint() as server:
        monkeypatch.setenv(PRESETS[provider].key_variable, "k")
        monkeypatch.setenv(f"{provider.upper()}_BASE_URL", server.url)
        async with resolve(PRESETS[provider].example).backend as backend:
            await backend.complete(PROMPT, Sampling(max_tokens=7))
    [asked] = server.completions
    assert asked.body["model"] == PRESETS[provider].example.partition(":")[2]
    assert asked.headers["authorization"] == "Bearer k"


async def test_openai_is_asked_for_its_limit_by_the_name_that_its_models_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Endpoint() as server:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        async with resolve("openai:gpt-4o-mini").backend as backend:
            await backend.complete(PROMPT, Sampling(max_tokens=7))
    [asked] = server.completions
    assert asked.body["max_completion_tokens"] == 7
    assert "max_tokens" not in asked.body


async def test_a_script_is_a_model_too(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text('{"answers": ["yes"]}\n', encoding="utf-8")
    model = resolve(f"scripted:{path}", ModelOptions(in_flight=2))
    assert isinstance(model.backend, ScriptedBackend)
    assert (model.backend.name, model.backend.in_flight) == (f"scripted:{path}", 2)
    assert (await model.backend.complete(PROMPT, Sampling())).text == "yes"


def test_a_script_that_cannot_be_read_is_a_name_that_means_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelNameError, match=r"absent\.jsonl"):
        resolve(f"scripted:{tmp_path / 'absent.jsonl'}")
    (tmp_path / "bad.jsonl").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(ModelNameError, match="line 1"):
        resolve(f"scripted:{tmp_path / 'bad.jsonl'}")


def test_every_provider_is_listed_with_an_example() -> None:
    assert {"openai", "deepseek", "openrouter", "anthropic", "together"} <= set(PRESETS)
    for name, preset in PRESETS.items():
        assert preset.example.startswith(f"{name}:")
        # A key goes over no wire that anybody can read.
        assert preset.base_url.startswith(("https://", "{")) or not preset.needs_key


@pytest.mark.parametrize(
    ("header", "sent"), [("$TEAM", "blue"), ("team ${TEAM}", "team blue"), ("plain", "plain")]
)
async def test_headers_of_the_users_go_with_every_request(
    header: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", "blue")
    with Endpoint() as server:
        model = resolve(f"{server.url}#m", ModelOptions(headers={"X-Team": header}))
        async with model.backend as backend:
            await backend.complete(PROMPT, Sampling())
    assert {asked.headers["x-team"] for asked in server.asked} == {sent}


def test_a_header_whose_variable_is_not_set_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAM", raising=False)
    with pytest.raises(ModelNameError, match="environment variable TEAM"):
        resolve("http://localhost:1/v1#m", ModelOptions(headers={"X-Team": "$TEAM"}))


def test_options_of_vllm_are_refused_for_what_vllm_does_not_serve() -> None:
    with pytest.raises(ModelNameError, match="--serve"):
        resolve("http://localhost:1/v1#m", ModelOptions(serve={"tensor_parallel_size": 2}))


async def test_a_query_of_an_address_goes_with_every_request() -> None:
    with Endpoint(models=[{"id": "m"}]) as server:
        model = resolve(f"{server.url}?api-version=2024#m")
        async with model.backend as backend:
            await backend.complete(PROMPT, Sampling())
    assert [asked.path for asked in server.asked] == [
        "/v1/models?api-version=2024",
        "/v1/chat/completions?api-version=2024",
    ]
