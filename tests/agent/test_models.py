"""From model names to backends: what is missing is said before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.backend import Message, Sampling
from agent.endpoint.openai import OpenAIBackend
from agent.models import PRESETS, ModelNameError, known_presets, resolve
from agent.price import UNKNOWN, Price, price_of
from agent.scripted import ScriptedBackend
from tests.agent.loopback import Endpoint

PROMPT = [Message(role="user", content="hi")]


@pytest.mark.parametrize("spec", ["gpt-4o", "openai:", "nonsense:model", "", ":", "vllm:", "http:"])
def test_an_unknown_form_is_refused_with_all_the_known_ones(spec: str) -> None:
    with pytest.raises(ModelNameError, match="openai:MODEL") as caught:
        resolve(spec)
    for form in ("deepseek:MODEL", "vllm:MODEL", "http://HOST:PORT/v1#MODEL", "scripted:FILE"):
        assert form in str(caught.value)


@pytest.mark.parametrize("provider", PRESETS)
def test_a_provider_without_its_key_names_the_variable(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PRESETS[provider].key_variable, raising=False)
    with pytest.raises(ModelNameError, match=PRESETS[provider].key_variable):
        resolve(f"{provider}:some-model")


@pytest.mark.parametrize("provider", PRESETS)
def test_a_provider_with_its_key_resolves_to_its_own_price(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PRESETS[provider].key_variable, "sk-1234567890")
    example = PRESETS[provider].example
    model = resolve(example)
    assert model.name == model.backend.name == example
    assert isinstance(model.backend, OpenAIBackend)
    assert model.price == price_of(provider, example.partition(":")[2])
    assert model.price.known
    assert "sk-1234567890" not in repr(model)


def test_a_price_given_by_the_user_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    mine = Price(input=1.0, output=2.0)
    assert resolve("openai:gpt-4o-mini", price=mine).price == mine


def test_an_hourly_price_for_a_model_billed_by_tokens_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No accelerator time is metered there, so that everything would seem to be free.
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(ModelNameError, match="billed by the token"):
        resolve("openai:gpt-4o-mini", price=Price(hour=1.0))


def test_an_hourly_price_reserves_a_requests_part_of_a_busy_server() -> None:
    model = resolve(
        "http://localhost:1/v1#m", price=Price(hour=3.6), in_flight=100, request_timeout=500
    )
    # 500 seconds of a server at $3.60 an hour are 50 cents, for 100 requests, twice each.
    assert model.price.bound(10**6, 10**6) == pytest.approx(2 * 0.5 / 100)


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
        model = resolve(f"{server.url}#org/coder", in_flight=3)
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
        model = resolve(f"{server.url}#m", price=Price(input=1.0, output=1.0))
        async with model.backend as backend:
            answer = await backend.complete(PROMPT, Sampling())
    assert answer.usage.accelerator_seconds == 0


async def test_openai_can_be_reached_at_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
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
    model = resolve(f"scripted:{path}", in_flight=2)
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
    presets = known_presets()
    assert {"openai", "deepseek", "openrouter", "anthropic", "together"} <= set(presets)
    for name, preset in presets.items():
        assert preset.example.startswith(f"{name}:")
        assert preset.base_url.startswith("https://")
