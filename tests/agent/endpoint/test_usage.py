"""What each kind of provider says that a request used and costs, with numbers of our own."""

from __future__ import annotations

from typing import Any

import pytest

from agent.backend import Usage
from agent.endpoint.usage import Tokens, read_bill, read_tokens
from agent.price import Price

PLAIN = {"prompt_tokens": 900, "completion_tokens": 70, "total_tokens": 970}
READ = Tokens(input=900, output=70)

USAGES: dict[str, tuple[dict[str, Any], Tokens]] = {
    "three counts": (PLAIN, READ),
    "no total": ({"prompt_tokens": 900, "completion_tokens": 70}, READ),
    "openai, parts within": (
        PLAIN
        | {
            "prompt_tokens_details": {"cached_tokens": 512, "audio_tokens": 0, "text_tokens": 900},
            "completion_tokens_details": {"reasoning_tokens": 41, "audio_tokens": 0},
        },
        Tokens(input=900, cached=512, output=70, reasoning=41),
    ),
    "xai, thinking beside": (
        {
            "prompt_tokens": 905,
            "completion_tokens": 33,
            "total_tokens": 1705,
            "prompt_tokens_details": {"text_tokens": 905, "cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 767},
            "num_sources_used": 0,
            "cost_in_usd_ticks": 12_340_000,
        },
        Tokens(input=905, cached=64, output=800, reasoning=767),
    ),
    "xai, less said than thought": (
        {
            "prompt_tokens": 17,
            "completion_tokens": 1,
            "total_tokens": 150,
            "completion_tokens_details": {"reasoning_tokens": 132},
        },
        Tokens(input=17, output=133, reasoning=132),
    ),
    "gemini, thinking in the total alone": (
        {"prompt_tokens": 40, "completion_tokens": 15, "total_tokens": 355},
        Tokens(input=40, output=315, reasoning=300),
    ),
    "gemini, nothing said": (
        {"prompt_tokens": 40, "completion_tokens": 0, "total_tokens": 52},
        Tokens(input=40, output=12, reasoning=12),
    ),
    "more thought than said, without a total": (
        {
            "prompt_tokens": 17,
            "completion_tokens": 3,
            "completion_tokens_details": {"reasoning_tokens": 90},
        },
        Tokens(input=17, output=93, reasoning=90),
    ),
    "perplexity, thinking at the top and beside": (
        {
            "prompt_tokens": 21,
            "completion_tokens": 130,
            "total_tokens": 151,
            "search_context_size": "low",
            "citation_tokens": 7,
            "num_search_queries": 3,
            "reasoning_tokens": 2_100,
        },
        Tokens(input=21, output=2_230, reasoning=2_100),
    ),
    "deepseek, the same number twice": (
        PLAIN
        | {
            "prompt_tokens_details": {"cached_tokens": 640},
            "completion_tokens_details": {"reasoning_tokens": 30},
            "prompt_cache_hit_tokens": 640,
            "prompt_cache_miss_tokens": 260,
        },
        Tokens(input=900, cached=640, output=70, reasoning=30),
    ),
    "deepseek's first form": (
        PLAIN | {"prompt_cache_hit_tokens": 640, "prompt_cache_miss_tokens": 260},
        Tokens(input=900, cached=640, output=70),
    ),
    "a relay of deepseek, thrice": (
        PLAIN
        | {
            "prompt_tokens_details": {"cached_tokens": 640},
            "prompt_cache_hit_tokens": 640,
            "cached_tokens": 640,
            "credit": 3.5,
        },
        Tokens(input=900, cached=640, output=70),
    ),
    "a relay that repeats it as 0": (
        PLAIN | {"prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 640},
        Tokens(input=900, cached=640, output=70),
    ),
    "moonshot and together, at the top": (
        PLAIN | {"cached_tokens": 256, "completion_tokens_details": {"reasoning_tokens": 22}},
        Tokens(input=900, cached=256, output=70, reasoning=22),
    ),
    "dashscope, a cache that is written": (
        PLAIN
        | {
            "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_input_tokens": 800},
            "completion_tokens_details": {"reasoning_tokens": 50},
        },
        Tokens(input=900, cache_written=800, output=70, reasoning=50),
    ),
    "openrouter, read and written": (
        PLAIN
        | {
            "cost": 0.0125,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 500},
            "cost_details": {"upstream_inference_cost": None},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
        },
        Tokens(input=900, cached=300, cache_written=500, output=70),
    ),
    "requesty, another word for it": (
        PLAIN | {"prompt_tokens_details": {"cached_tokens": 300, "caching_tokens": 500}},
        Tokens(input=900, cached=300, cache_written=500, output=70),
    ),
    "anthropic, all beside": (
        {
            "input_tokens": 3,
            "cache_creation_input_tokens": 250,
            "cache_read_input_tokens": 6_000,
            "output_tokens": 81,
            "output_tokens_details": {"thinking_tokens": 44},
            "service_tier": "standard",
        },
        Tokens(input=6_253, cached=6_000, cache_written=250, output=81, reasoning=44),
    ),
    "anthropic, no cache": (
        {
            "input_tokens": 30,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 8,
        },
        Tokens(input=30, output=8),
    ),
    "litellm, all within and told twice": (
        {
            "prompt_tokens": 6_253,
            "completion_tokens": 81,
            "total_tokens": 6_334,
            "prompt_tokens_details": {
                "cached_tokens": 6_000,
                "cache_creation_tokens": 250,
                "text_tokens": None,
            },
            "cache_creation_input_tokens": 250,
            "cache_read_input_tokens": 6_000,
        },
        Tokens(input=6_253, cached=6_000, cache_written=250, output=81),
    ),
    "litellm's first form, all beside": (
        {
            "prompt_tokens": 3,
            "completion_tokens": 81,
            "total_tokens": 84,
            "cache_creation_input_tokens": 250,
            "cache_read_input_tokens": 6_000,
        },
        Tokens(input=6_253, cached=6_000, cache_written=250, output=81),
    ),
    "a proxy whose total alone has the cache": (
        {
            "prompt_tokens": 7_000,
            "completion_tokens": 81,
            "total_tokens": 13_081,
            "cache_read_input_tokens": 6_000,
        },
        Tokens(input=13_000, cached=6_000, output=81),
    ),
    "responses": (
        {
            "input_tokens": 865,
            "input_tokens_details": {"cached_tokens": 128, "cache_write_tokens": 0},
            "output_tokens": 163,
            "output_tokens_details": {"reasoning_tokens": 100},
            "total_tokens": 1_028,
        },
        Tokens(input=865, cached=128, output=163, reasoning=100),
    ),
    "groq, times beside": (
        PLAIN | {"queue_time": 0.17, "prompt_time": 0.01, "total_time": 0.05},
        READ,
    ),
    "sglang, nulls and thinking at the top": (
        PLAIN | {"prompt_tokens_details": None, "reasoning_tokens": 60},
        Tokens(input=900, output=70, reasoning=60),
    ),
    "nebius, nulls in it": (
        PLAIN
        | {
            "prompt_tokens_details": {"cached_tokens": None},
            "completion_tokens_details": {"reasoning_tokens": None},
        },
        READ,
    ),
    "mistral": (
        PLAIN | {"prompt_tokens_details": {"cached_tokens": 128}, "prompt_audio_seconds": {}},
        Tokens(input=900, cached=128, output=70),
    ),
    "vllm": (
        PLAIN
        | {
            "completion_tokens_details": {"reasoning_tokens": 68},
            "prompt_tokens_details": {"cached_tokens": 0, "multimodal_tokens": None},
        },
        Tokens(input=900, output=70, reasoning=68),
    ),
    "numbers as texts": (
        {"prompt_tokens": "900", "completion_tokens": "70", "total_tokens": "970"},
        READ,
    ),
    "numbers with a point": (
        {"prompt_tokens": 900.0, "completion_tokens": 70.0, "total_tokens": 970.0},
        READ,
    ),
    "a total that is too small": (PLAIN | {"total_tokens": 70}, READ),
}


@pytest.mark.parametrize(("usage", "tokens"), USAGES.values(), ids=USAGES)
def test_every_kind_of_usage_is_counted_whole_and_once(
    usage: dict[str, Any], tokens: Tokens
) -> None:
    assert read_tokens(usage) == tokens


@pytest.mark.parametrize(("usage", "tokens"), USAGES.values(), ids=USAGES)
def test_parts_never_are_more_than_what_they_are_part_of(
    usage: dict[str, Any], tokens: Tokens
) -> None:
    read = read_tokens(usage)
    assert read is not None
    assert read.cached + read.cache_written <= read.input
    assert read.reasoning <= read.output


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 900},
        {"completion_tokens": 70},
        {"prompt_tokens": -1, "completion_tokens": 70},
        {"prompt_tokens": True, "completion_tokens": 70},
        {"prompt_tokens": "many", "completion_tokens": 70},
        {"prompt_tokens": float("nan"), "completion_tokens": 70},
        {"prompt_tokens": float("inf"), "completion_tokens": 70},
        # Of other APIs, which no endpoint of these sends.
        {"inputTokens": 900, "outputTokens": 70},
        {"tokens": {"input_tokens": 900, "output_tokens": 70}},
    ],
)
def test_what_cannot_be_read_is_unknown_and_not_nothing(usage: object) -> None:
    assert read_tokens(usage) is None


# Each usage with a price list, and the dollars that a provider of such a list and usage bills.
BILLED = [
    (USAGES["xai, thinking beside"], Price(input=2.0, cached=0.5, output=10.0), 0.009714),
    (USAGES["xai, less said than thought"], Price(input=2.0, cached=0.5, output=10.0), 0.001364),
    (USAGES["gemini, thinking in the total alone"], Price(input=1.0, output=8.0), 0.00256),
]


@pytest.mark.parametrize(("case", "price", "billed"), BILLED)
def test_thinking_is_paid_wherever_it_is_counted(
    case: tuple[dict[str, Any], Tokens], price: Price, billed: float
) -> None:
    read = read_tokens(case[0])
    assert read is not None
    used = Usage(
        input_tokens=read.input, cached_tokens=read.cached, output_tokens=read.output, calls=1
    )
    assert price.cost(used) == pytest.approx(billed)


BILLS: dict[str, tuple[dict[str, Any], dict[str, str], float | None]] = {
    "none": ({"usage": PLAIN}, {}, None),
    "no usage": ({"usage": None}, {}, None),
    "dollars": ({"usage": {"cost": 0.0125}}, {}, 0.0125),
    "dollars as a text": ({"usage": {"cost": "0.0125"}}, {}, 0.0125),
    "free": ({"usage": {"cost": 0}}, {}, 0.0),
    "free, whatever it costs upstream": (
        {"usage": {"cost": 0, "cost_details": {"upstream_inference_cost": 0.5}}},
        {},
        0.0,
    ),
    "upstream is not besides": (
        {
            "usage": {
                "cost": 0.02,
                "is_byok": False,
                "cost_details": {"upstream_inference_cost": 0.019},
            }
        },
        {},
        0.02,
    ),
    "one's own key upstream": (
        {
            "usage": {
                "cost": 0.001,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.02},
            }
        },
        {},
        0.021,
    ),
    "one's own key, untold upstream": (
        {
            "usage": {
                "cost": 0.001,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": None},
            }
        },
        {},
        0.001,
    ),
    "an object": (
        {"usage": {"cost": {"input_tokens_cost": 0.1, "request_cost": 0.2, "total_cost": 0.3}}},
        {},
        0.3,
    ),
    "ticks": ({"usage": {"cost_in_usd_ticks": 12_340_000}}, {}, 0.001234),
    "an estimate": ({"usage": {"estimated_cost": 1.5e-05}}, {}, 1.5e-05),
    "billed and not listed": ({"usage": {"cost": 0.009, "market_cost": 0.018}}, {}, 0.009),
    "a gateway": (
        {
            "choices": [
                {
                    "message": {
                        "provider_metadata": {"gateway": {"cost": "0.009", "marketCost": "0.018"}}
                    }
                }
            ]
        },
        {},
        0.009,
    ),
    "at the top": ({"usage": PLAIN, "cost": "0.25"}, {}, 0.25),
    "a header": ({"usage": PLAIN}, {"x-litellm-response-cost": "5.5e-05"}, 5.5e-05),
    "the body before a header": (
        {"usage": {"cost": 0.5}},
        {"x-litellm-response-cost": "0.25"},
        0.5,
    ),
    "a header without a price": ({"usage": PLAIN}, {"x-litellm-response-cost": "0.0"}, None),
    "a header of nothing": ({"usage": PLAIN}, {"x-litellm-response-cost": "None"}, None),
    "what the key has spent": ({"usage": PLAIN}, {"x-litellm-key-spend": "12.5"}, None),
    "credits": ({"usage": {"credit": 3.5, "credits": 3.5}}, {}, None),
    "another currency": ({"usage": {"estimated_cost_rub": 3.5}}, {}, None),
    "no number": ({"usage": {"cost": float("nan")}}, {}, None),
    "yes": ({"usage": {"cost": True}}, {}, None),
    "less than nothing": ({"usage": {"cost": -0.5}}, {}, None),
    "null": ({"usage": {"cost": None}}, {}, None),
}


@pytest.mark.parametrize(("body", "headers", "billed"), BILLS.values(), ids=BILLS)
def test_the_dollars_that_a_provider_bills_are_read_wherever_it_tells_them(
    body: dict[str, Any], headers: dict[str, str], billed: float | None
) -> None:
    told = read_bill(body, headers)
    assert (told is None) == (billed is None)
    assert told is None or told == pytest.approx(billed)
