"""Options about what is sent, from the command line to the request."""

from __future__ import annotations

import pytest

from agent.backend import BackendError, Message, Sampling
from agent.models import ModelOptions, resolve
from ksolve.errors import InputError
from ksolve.options import extra_body_of, headers_of
from ksolve.sweep_config import as_toml
from ksolve.sweep_options import resolve_config
from tests.agent.loopback import Endpoint, Reply, error

PROMPT = [Message(role="user", content="hi")]


async def test_what_the_user_asks_for_is_sent_and_what_nobody_asked_for_is_not_required() -> None:
    with Endpoint() as server:
        asked = resolve_config(
            None,
            {
                "tasks": "starter",
                "model": [f"{server.url}#m"],
                "temperature": 0.5,
                "extra_body": extra_body_of('{"top_k": 20}'),
                "reasoning_effort": "low",
                "header": ["X-Team: anvil"],
            },
        )
        [solver] = asked.solvers
        options = ModelOptions(headers=headers_of(solver.header))
        async with resolve(solver.model, options).backend as backend:
            got = await backend.complete(PROMPT, solver.sampling)
    body, headers = server.completions[0].body, server.completions[0].headers
    assert (body["top_k"], body["temperature"], body["reasoning_effort"]) == (20, 0.5, "low")
    assert headers["x-team"] == "anvil"
    assert got.sent["top_k"] == 20
    assert set(solver.sampling.required) == {"temperature", "reasoning_effort"}


async def test_what_a_header_says_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_KEY", "hdr-secret-77")
    refusal = Reply(status=403, body=error("no entry for hdr-secret-77"))
    with Endpoint(otherwise=refusal) as server:
        options = ModelOptions(headers=headers_of(["X-Team: $TEAM_KEY"]))
        async with resolve(f"{server.url}#m", options).backend as backend:
            with pytest.raises(BackendError) as caught:
                await backend.complete(PROMPT, Sampling())
    assert "hdr-secret-77" not in str(caught.value)
    assert server.completions[0].headers["x-team"] == "hdr-secret-77"


def test_the_file_of_a_run_asks_for_no_more_than_the_user_did() -> None:
    given = {"tasks": "starter", "model": ["openai:gpt-5"], "top_p": 0.9}
    config = resolve_config(None, given | {"header": ["X-Key: plain", "X-Team: $TEAM"]})
    written = as_toml(config)
    assert "top_p = 0.9" in written
    assert "temperature" not in written
    assert "plain" not in written
    assert "X-Team: $TEAM" in written


@pytest.mark.parametrize("text", ["{", "[1]", "top_k=20"])
def test_an_extra_body_that_is_no_object_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InputError, match="--extra-body"):
        extra_body_of(text)
