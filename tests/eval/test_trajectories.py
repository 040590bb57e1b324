"""Trajectories that are given away: form by form what a reader may rely on, whatever was said."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from agent.backend import Message, ToolCall, Usage
from agent.strategy import Proposal
from agent.trajectory import Turn
from eval.sample import Sample, SampleKey
from eval.store import Store
from eval.trajectories import to_atif, to_mini_swe_agent, to_record
from eval.verdict import Verdict

KEY = SampleKey(task_id="a__b-1", model="m", strategy="loop", index=2)
USAGE = Usage(
    input_tokens=100, cached_tokens=60, output_tokens=20, reasoning_tokens=5, calls=1, seconds=1.5
)
VERDICT = Verdict(
    outcome="unresolved",
    missing_fail_to_pass=("t.py::f",),
    missing_pass_to_pass=("t.py::p",),
    exit_code=1,
    note="applied",
    log="the log",
    seconds=2.5,
)


def call(name: str, arguments: str, number: int) -> ToolCall:
    return ToolCall(id=f"call_{number}", name=name, arguments=arguments)


TURNS = (
    Turn(message=Message(role="system", content="You fix bugs.")),
    Turn(message=Message(role="user", content="An issue of nobody.")),
    Turn(message=Message(role="assistant", content="An answer of nobody.")),
    Turn(message=Message(role="user", content="mend it")),
    Turn(
        message=Message(
            role="assistant",
            content="I look.",
            tool_calls=(
                call("bash", '{"command": "ls"}', 1),
                call("edit", '{"path": "x.py"}', 2),
                call("bash", "{oops", 3),
            ),
        ),
        usage=USAGE,
        seconds=1.5,
    ),
    Turn(
        message=Message(role="tool", content="x ... y", tool_call_id="call_1"),
        seconds=0.2,
        exit_code=0,
        whole="x and much more y",
    ),
    Turn(message=Message(role="tool", content="edited", tool_call_id="call_2")),
    Turn(message=Message(role="tool", content="no JSON", tool_call_id="call_3")),
    Turn(message=Message(role="assistant", content="```bash\nsleep 99\n```"), usage=USAGE),
    Turn(message=Message(role="user", content="(ended)"), seconds=60.0, source="run"),
)


def sample(*turns: Turn, **more: Any) -> Sample:
    proposal = Proposal(
        patch="diff --git a/x b/x\n",
        stop="patch",
        note="",
        usage=USAGE + USAGE,
        seconds=64.0,
        prompt_digest="p",
        trajectory=turns or TURNS,
        variant="plain",
    )
    return Sample(
        key=KEY,
        proposal=dataclasses.replace(proposal, **more),
        strategy_version="1",
        seed=7,
        temperature=0.8,
        cost=0.25,
    )


def kept(folder: Path, drawn: Sample, verdict: Verdict | None) -> tuple[Sample, Verdict | None]:
    with Store(folder) as store:
        store.add_sample(drawn)
        if verdict:
            store.add_verdict(drawn.key, "k", verdict)
        return store.sample(drawn.key), store.judged(drawn.key)


def test_the_store_gives_back_what_is_given_away(tmp_path: Path) -> None:
    assert kept(tmp_path, sample(), VERDICT) == (sample(), VERDICT)
    assert kept(tmp_path / "pending", sample(), None) == (sample(), None)


def test_a_record_holds_all_that_is_known(tmp_path: Path) -> None:
    record = to_record(*kept(tmp_path, sample(), VERDICT))
    assert json.loads(json.dumps(record)) == record
    assert (record["task_id"], record["model"], record["strategy"], record["index"]) == (
        "a__b-1",
        "m",
        "loop",
        2,
    )
    assert record["usage"]["cached_tokens"] == 120
    assert record["verdict"] == {
        "outcome": "unresolved",
        "missing_fail_to_pass": ["t.py::f"],
        "missing_pass_to_pass": ["t.py::p"],
        "exit_code": 1,
        "note": "applied",
        "seconds": 2.5,
        "suspicions": [],
    }
    assert [turn["role"] for turn in record["turns"]] == [turn.message.role for turn in TURNS]
    assert record["turns"][5]["whole"] == "x and much more y"
    assert record["turns"][2]["usage"] is None
    assert record["turns"][4]["usage"]["output_tokens"] == 20
    assert to_record(sample(), VERDICT, log=True)["verdict"]["log"] == "the log"
    assert to_record(sample(), None)["verdict"] is None


def test_mini_swe_agent_finds_its_messages_actions_and_end(tmp_path: Path) -> None:
    told = to_mini_swe_agent(*kept(tmp_path, sample(), VERDICT), version="9")
    assert told["trajectory_format"] == "mini-swe-agent-1.1"
    assert told["instance_id"] == "a__b-1"
    info = told["info"]
    assert info["model_stats"] == {"instance_cost": 0.25, "api_calls": 2}
    assert (info["exit_status"], info["submission"]) == ("Submitted", "diff --git a/x b/x\n")
    assert info["config"]["model"]["model_name"] == "m"
    assert info["ksolve"]["verdict"]["outcome"] == "unresolved"
    *messages, end = told["messages"]
    assert [message["role"] for message in messages] == [turn.message.role for turn in TURNS]
    asked = messages[4]
    assert asked["tool_calls"][0]["function"] == {"name": "bash", "arguments": '{"command": "ls"}'}
    assert asked["extra"]["actions"] == [{"command": "ls", "tool_call_id": "call_1"}]
    assert asked["extra"]["response"]["usage"]["prompt_tokens_details"] == {"cached_tokens": 60}
    assert messages[5]["tool_call_id"] == "call_1"
    assert messages[5]["extra"]["raw_output"] == "x and much more y"
    assert messages[5]["extra"]["returncode"] == 0
    assert "extra" not in messages[2]
    assert end["role"] == "exit"
    assert end["extra"] == {"exit_status": "Submitted", "submission": "diff --git a/x b/x\n"}


@pytest.mark.parametrize(
    ("stop", "status"),
    [
        ("steps", "LimitsExceeded"),
        ("tokens", "LimitsExceeded"),
        ("seconds", "TimeExceeded"),
        ("length", "length"),
    ],
)
def test_mini_swe_agent_is_told_of_an_end_in_its_own_words(stop: Any, status: str) -> None:
    told = to_mini_swe_agent(sample(stop=stop, patch=""), None, version="9")
    assert told["info"]["exit_status"] == status
    assert told["messages"][-1]["content"] == status


def test_atif_counts_its_steps_and_puts_observations_where_they_were_caused(
    tmp_path: Path,
) -> None:
    told = to_atif(*kept(tmp_path, sample(), VERDICT), version="9")
    assert told["schema_version"] == "ATIF-v1.7"
    assert told["session_id"] == told["trajectory_id"] == "m/loop/a__b-1/2"
    assert told["agent"]["name"] == "ksolve"
    assert (told["agent"]["version"], told["agent"]["model_name"]) == ("9", "m")
    steps = told["steps"]
    assert [step["step_id"] for step in steps] == [1, 2, 3, 4, 5, 6]
    sources = ["system", "user", "agent", "user", "agent", "agent"]
    assert [step["source"] for step in steps] == sources
    # What was in the prompt for an example is nothing that a model should learn from again.
    assert steps[2]["is_copied_context"] is True
    assert "metrics" not in steps[2]
    assert steps[4]["metrics"]["prompt_tokens"] == 100
    assert steps[4]["metrics"]["cached_tokens"] == 60
    assert [one["arguments"] for one in steps[4]["tool_calls"]] == [
        {"command": "ls"},
        {"path": "x.py"},
        {},
    ]
    assert steps[4]["tool_calls"][2]["extra"] == {"malformed_arguments": "{oops"}
    results = steps[4]["observation"]["results"]
    assert [one["source_call_id"] for one in results] == ["call_1", "call_2", "call_3"]
    assert results[0]["content"] == "x ... y"
    assert results[0]["extra"] == {"exit_code": 0, "seconds": 0.2, "whole": "x and much more y"}
    (ended,) = steps[5]["observation"]["results"]
    assert ended == {"content": "(ended)", "extra": {"seconds": 60.0, "source": "run"}}
    assert told["final_metrics"]["total_prompt_tokens"] == 200
    assert told["final_metrics"]["total_cost_usd"] == 0.25
    assert told["final_metrics"]["total_steps"] == len(steps)
    assert told["extra"]["verdict"]["outcome"] == "unresolved"


def test_atif_takes_an_observation_that_no_call_asked_for() -> None:
    lost = Turn(message=Message(role="tool", content="who asked?", tool_call_id="none"))
    (step,) = to_atif(sample(lost), None, version="9")["steps"]
    assert step["source"] == "system"
    assert step["observation"]["results"] == [{"content": "who asked?", "extra": {}}]


def test_atif_refuses_a_sample_without_turns() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        to_atif(sample(trajectory=()), None, version="9")


def test_an_unknown_price_is_never_zero() -> None:
    unknown = dataclasses.replace(sample(), cost=None)
    assert to_record(unknown, None)["cost"] is None
    assert (
        to_mini_swe_agent(unknown, None, version="9")["info"]["model_stats"]["instance_cost"]
        is None
    )
    assert "total_cost_usd" not in to_atif(unknown, None, version="9")["final_metrics"]


HOSTILE = [
    '{"command": "\\ud800"}',
    '{"command": NaN}',
    '{"command": 1e999}',
    '{"a": ' * 100_000,
    "[1, 2]",
    "\udcff",
    "null",
]


@pytest.mark.parametrize("arguments", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_model_calls_a_tool_with_every_reader_of_json_takes_it(arguments: str) -> None:
    said = Turn(
        message=Message(
            role="assistant", content="\udcff \ud83d\ude00", tool_calls=(call("x", arguments, 1),)
        ),
        usage=USAGE,
    )
    hostile = sample(said, patch="a\udcffb")
    for told in (
        to_record(hostile, None),
        to_mini_swe_agent(hostile, None, version="9"),
        to_atif(hostile, None, version="9"),
    ):
        text = json.dumps(told, allow_nan=False, ensure_ascii=False)
        assert "a\ufffdb" in text.encode().decode()
        assert "\ufffd \U0001f600" in text
