"""A managed vLLM, the real one with the small model: it answers, comes back, and goes away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from agent.backend import BackendUnusableError, ContextOverflowError, Message, Sampling
from agent.local.served import server_memory_needed
from agent.local.server_env import has_server_program
from agent.local.vllm import ManagedVllm
from agent.local.weights import MODELS, has_weights

SMALL = "qwen2.5-coder-0.5b"
LONG = "Repeat these words:" + " and the anvil" * 400
QUESTION = [Message(role="user", content="Write a function in Python that adds two numbers.")]

OWNER = """
import asyncio, sys
from agent.local.vllm import ManagedVllm
async def main():
    async with ManagedVllm(name="vllm:m", model=sys.argv[1]) as model:
        print(model.server_pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def small_model() -> str:
    """The name of the model; skips where it is not set up, unless KSOLVE_REQUIRE_MODEL is set."""
    if not (has_weights(SMALL) and has_server_program()):
        if os.environ.get("KSOLVE_REQUIRE_MODEL"):
            pytest.fail("the local model is not set up: run `ksolve doctor --mend`")
        pytest.skip("the local model is not set up: run `ksolve doctor --mend`")
    return SMALL


def family(leader: int) -> list[psutil.Process]:
    first = psutil.Process(leader)
    return [first, *first.children(recursive=True)]


def gone(running: list[psutil.Process]) -> bool:
    deadline = time.monotonic() + 60
    while any(process.is_running() for process in running) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(process.is_running() for process in running)


@pytest.mark.model
async def test_the_small_model_answers_survives_its_servers_death_and_leaves_nothing(
    small_model: str,
) -> None:
    told: list[str] = []
    backend = ManagedVllm(name="vllm:m", model=small_model, in_flight=8, progress=told.append)
    async with backend:
        assert backend.context_window == 8192
        assert backend.server_pid
        first = family(backend.server_pid)
        assert len(first) >= 3  # Supervisor, API server, engine.

        # Longer than what the scheduler reads at once, with seeds, several at a time: together
        # these have killed the server on a CPU.
        long = [Message(role="user", content=LONG)]
        tokens = await backend.count_tokens(long)
        assert tokens > 1200
        answers = await asyncio.gather(
            *(backend.complete(long, Sampling(max_tokens=8, seed=seed)) for seed in range(8))
        )
        assert {answer.usage.input_tokens for answer in answers} == {tokens}
        assert all(answer.text for answer in answers)
        assert sum(answer.usage.accelerator_seconds for answer in answers) > 0
        again = await backend.complete(long, Sampling(max_tokens=8, seed=3))
        assert again.usage.cached_tokens > tokens // 2

        under_way = [
            asyncio.create_task(backend.complete(QUESTION, Sampling(max_tokens=200, seed=seed)))
            for seed in range(4)
        ]
        await asyncio.sleep(1)
        first[1].kill()
        assert all(answer.text for answer in await asyncio.gather(*under_way))
        assert any("is started again" in text for text in told)
        second = family(backend.server_pid)

        with pytest.raises(ContextOverflowError):
            await backend.complete([Message(role="user", content=LONG * 8)], Sampling(max_tokens=8))
    assert gone([*first, *second])


@pytest.mark.model
def test_a_killed_ksolve_takes_the_server_and_its_workers_along(small_model: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, small_model], stdout=subprocess.PIPE)
    with owner:
        assert owner.stdout
        running = family(int(owner.stdout.readline()))
        assert len(running) >= 3
        owner.send_signal(signal.SIGKILL)
    assert gone(running)


@pytest.mark.model
async def test_a_folder_that_is_no_model_is_one_sentence_with_the_log(
    small_model: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "anvil"}))
    with pytest.raises(
        BackendUnusableError, match=r"(?s)did not start \(.*\); its log is .*\.$"
    ) as raised:
        async with ManagedVllm(name="vllm:anvil", model=str(tmp_path)):
            pytest.fail("it started")
    assert "\n" not in str(raised.value)
    assert "anvil" in str(raised.value)


@pytest.mark.model
async def test_a_model_is_served_as_its_options_say(small_model: str) -> None:
    speculation = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}
    serve = {"max_model_len": "2k", "speculative_config": speculation}
    repeat = "Repeat this text word by word: the smith strikes the iron while the iron is hot."
    async with ManagedVllm(name="vllm:m", model=small_model, in_flight=4, serve=serve) as backend:
        assert backend.context_window == 2000
        answers = await asyncio.gather(
            *(
                backend.complete(
                    [Message(role="user", content=repeat)],
                    Sampling(max_tokens=32, temperature=0.0, seed=seed),
                )
                for seed in range(4)
            )
        )
        assert len({answer.text for answer in answers}) == 1
        assert "smith strikes the iron while the iron is hot" in answers[0].text
        # What vLLM draws here above temperature 0 is noise, as the check has found out.
        with pytest.raises(BackendUnusableError, match="above temperature 0") as raised:
            await backend.complete(QUESTION, Sampling(temperature=0.8))
        assert raised.value.bad_input


@pytest.mark.model
async def test_options_that_do_not_go_with_the_model_are_told_in_the_words_of_vllm(
    small_model: str,
) -> None:
    serve = {"quantization": "gptq"}
    with pytest.raises(BackendUnusableError, match=r"quantization=gptq \(.*gptq.*\)") as raised:
        async with ManagedVllm(name="vllm:m", model=small_model, serve=serve):
            pytest.fail("it started")
    assert raised.value.bad_input
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("model", ["qwen2.5-coder-7b", "/no/such/folder", "~/nothing", "a b/c"])
async def test_a_model_that_is_nowhere_is_bad_input_in_one_sentence(model: str) -> None:
    with pytest.raises(BackendUnusableError) as raised:
        async with ManagedVllm(name=f"vllm:{model}", model=model):
            pytest.fail("it started")
    assert raised.value.bad_input
    assert all(name in str(raised.value) for name in MODELS)


async def test_servers_take_turns_and_a_failed_start_gives_its_turn_away() -> None:
    async def fail() -> None:
        async with ManagedVllm(name="vllm:x", model="nowhere"):
            pytest.fail("it started")

    results = await asyncio.wait_for(
        asyncio.gather(*(fail() for _ in range(3)), return_exceptions=True), 60
    )
    assert all(isinstance(result, BackendUnusableError) for result in results)


def test_the_large_model_needs_more_memory_than_the_small() -> None:
    small, large = (server_memory_needed(name) for name in MODELS)
    assert 5e9 < small < large < 12e9
