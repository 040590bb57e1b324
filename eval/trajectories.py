"""Samples in the forms that others read: ksolve's own, mini-swe-agent's, and ATIF of Harbor.

Pure functions from what the store keeps to JSON-able dicts. Text that is not valid Unicode is
mended, so that every reader of JSON takes it; the exact patch is what `ksolve export
--predictions` writes. When a turn came is not on record, so no form has times of the day.
`docs/trajectories.md` lists the fields.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agent.backend import ToolCall, Usage
from agent.strategy import ProposalStop
from agent.trajectory import Turn
from eval.sample import Sample
from eval.verdict import Verdict

TrajectoryForm = Literal["jsonl", "mini-swe-agent", "atif"]
"""The words of the command line."""

SCHEMA = 1
"""Of our own form; rises when a field changes its meaning or goes."""

MINI_SWE_AGENT_FORM = "mini-swe-agent-1.1"
"""As mini-swe-agent 2.4.6 writes it."""

ATIF_FORM = "ATIF-v1.7"
"""The oldest version that has every field used here; readers of 1.8 take it as well."""

_ENDS: Mapping[ProposalStop, str] = {
    "patch": "Submitted",
    "empty": "Submitted",
    "unusable": "RepeatedFormatError",
    "context": "ContextWindowExceededError",
    "steps": "LimitsExceeded",
    "tokens": "LimitsExceeded",
    "money": "LimitsExceeded",
    "seconds": "TimeExceeded",
}
# What mini-swe-agent calls it; what it has no word for, keeps ours.


def to_record(
    sample: Sample, verdict: Verdict | None, *, drawn_by: str = "", log: bool = False
) -> dict[str, Any]:
    """Return our own form: all that is known of a sample, its verdict None while it is pending.

    `drawn_by` is the strategy of a solver that is called otherwise.

    The log of the tests, which may be long, is in it where asked for.
    """
    key, proposal = sample.key, sample.proposal
    return {
        "schema": SCHEMA,
        "task_id": valid(key.task_id),
        "model": valid(key.model),
        "strategy": valid(key.strategy),
        "index": key.index,
        "drawn_by": valid(drawn_by or key.strategy),
        "strategy_version": sample.strategy_version,
        "variant": proposal.variant,
        "temperature": sample.temperature,
        "sent": dict(sample.sent),
        "seed": sample.seed,
        "prompt_digest": proposal.prompt_digest,
        "stop": proposal.stop,
        "note": valid(proposal.note),
        "patch": valid(proposal.patch),
        "usage": dataclasses.asdict(proposal.usage),
        "seconds": proposal.seconds,
        "cost": sample.cost,
        "verdict": _verdict(verdict, log=log),
        "turns": [_turn(turn) for turn in proposal.trajectory],
    }


def to_mini_swe_agent(
    sample: Sample, verdict: Verdict | None, *, version: str, drawn_by: str = ""
) -> dict[str, Any]:
    """Return what a `.traj.json` of mini-swe-agent holds; `version` is that of ksolve.

    What that form has no place for (among it the verdict) stands in `info.ksolve`.
    """
    key, proposal = sample.key, sample.proposal
    end = _ENDS.get(proposal.stop, proposal.stop)
    patch = valid(proposal.patch)
    ended = {
        "role": "exit",
        "content": patch or valid(proposal.note) or end,
        "extra": {"exit_status": end, "submission": patch},
    }
    rest = to_record(sample, verdict, drawn_by=drawn_by)
    told = {name: rest[name] for name in rest if name not in {"patch", "turns"}}
    return {
        "info": {
            "model_stats": {"instance_cost": sample.cost, "api_calls": proposal.usage.calls},
            "config": {
                "agent": {},
                "agent_type": f"ksolve.{rest['drawn_by']}",
                "model": {
                    "model_name": valid(key.model),
                    "model_kwargs": {"temperature": sample.temperature, "seed": sample.seed},
                },
                "model_type": "ksolve",
                "environment": {},
                "environment_type": "ksolve",
            },
            "mini_version": f"ksolve {version}",
            "exit_status": end,
            "submission": patch,
            "ksolve": told,
        },
        "messages": [*(_mini_message(turn) for turn in proposal.trajectory), ended],
        "trajectory_format": MINI_SWE_AGENT_FORM,
        "instance_id": told["task_id"],
    }


def to_atif(
    sample: Sample, verdict: Verdict | None, *, version: str, drawn_by: str = ""
) -> dict[str, Any]:
    """Return an ATIF trajectory; `version` is that of ksolve. Raises ValueError without turns.

    Observations stand in the step whose calls they answer, as the model was shown them.
    """
    key, proposal = sample.key, sample.proposal
    if not proposal.trajectory:
        raise ValueError("a trajectory of ATIF has at least one step")
    rest = to_record(sample, verdict, drawn_by=drawn_by)
    told = {
        name: rest[name]
        for name in ("task_id", "index", "prompt_digest", "stop", "patch", "seconds", "verdict")
    }
    agent = {
        name: rest[name] for name in ("strategy", "drawn_by", "variant", "temperature", "seed")
    }
    steps = _atif_steps(proposal.trajectory)
    name = "/".join((rest["model"], rest["strategy"], rest["task_id"], str(key.index)))
    usage = proposal.usage
    return _without_none(
        {
            "schema_version": ATIF_FORM,
            "session_id": name,
            "trajectory_id": name,
            "agent": {
                "name": "ksolve",
                "version": version,
                "model_name": rest["model"],
                "extra": {**agent, "strategy_version": sample.strategy_version},
            },
            "steps": steps,
            "notes": rest["note"] or None,
            "final_metrics": _without_none(
                {
                    "total_prompt_tokens": usage.input_tokens,
                    "total_completion_tokens": usage.output_tokens,
                    "total_cached_tokens": usage.cached_tokens,
                    "total_cost_usd": sample.cost,
                    "total_steps": len(steps),
                    "extra": _atif_rest(usage),
                }
            ),
            "extra": told,
        }
    )


def is_observation(turn: Turn) -> bool:
    """Whether a turn says what a command or another tool did, not what a person asks."""
    told = turn.exit_code is not None or turn.seconds > 0 or bool(turn.whole)
    return turn.message.role == "tool" or (turn.message.role == "user" and told)


def is_drawn(turn: Turn) -> bool:
    """Whether a turn is the model's own: in prompts there may be answers of nobody, as examples."""
    return turn.message.role == "assistant" and turn.usage != Usage()


def arguments_of(call: ToolCall) -> dict[str, Any] | None:
    """Return the arguments of a call; None where they are no JSON object that all can read."""
    try:
        arguments = json.loads(call.arguments)
        # What Python alone takes for JSON: NaN, numbers that overflow, halves of characters.
        json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def _verdict(verdict: Verdict | None, *, log: bool) -> dict[str, Any] | None:
    if verdict is None:
        return None
    told = {
        "outcome": verdict.outcome,
        "missing_fail_to_pass": [valid(name) for name in verdict.missing_fail_to_pass],
        "missing_pass_to_pass": [valid(name) for name in verdict.missing_pass_to_pass],
        "exit_code": verdict.exit_code,
        "note": valid(verdict.note),
        "seconds": verdict.seconds,
        "suspicions": [dataclasses.asdict(one) for one in verdict.suspicions],
    }
    return told | ({"log": valid(verdict.log)} if log else {})


def _turn(turn: Turn) -> dict[str, Any]:
    message = turn.message
    return {
        "role": message.role,
        "content": valid(message.content),
        "thinking": valid(message.thinking),
        "tool_calls": [
            {name: valid(getattr(call, name)) for name in ("id", "name", "arguments")}
            for call in message.tool_calls
        ],
        "tool_call_id": valid(message.tool_call_id),
        "usage": dataclasses.asdict(turn.usage) if is_drawn(turn) else None,
        "seconds": turn.seconds,
        "exit_code": turn.exit_code,
        "whole": valid(turn.whole),
        "source": turn.source,
    }


def _mini_message(turn: Turn) -> dict[str, Any]:
    message = turn.message
    told: dict[str, Any] = {"role": message.role, "content": valid(message.content)}
    extra: dict[str, Any] = {"source": turn.source} if turn.source else {}
    if message.thinking:
        told["reasoning_content"] = valid(message.thinking)
    if message.tool_calls:
        told["tool_calls"] = [
            {
                "id": valid(call.id),
                "type": "function",
                "function": {"name": valid(call.name), "arguments": valid(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        told["tool_call_id"] = valid(message.tool_call_id)
    if is_drawn(turn):
        extra["actions"] = list(_commands(message.tool_calls))
        extra["response"] = {"usage": _openai_usage(turn.usage)}
        extra["seconds"] = turn.seconds
    if is_observation(turn):
        extra["raw_output"] = valid(turn.whole or message.content)
        extra["returncode"] = turn.exit_code
        extra["seconds"] = turn.seconds
    return told | ({"extra": extra} if extra else {})


def _commands(calls: Sequence[ToolCall]) -> list[dict[str, str]]:
    """Return the calls that run a command, the one kind of action that mini-swe-agent knows."""
    commands = []
    for call in calls:
        command = (arguments_of(call) or {}).get("command")
        if isinstance(command, str):
            commands.append({"command": command, "tool_call_id": valid(call.id)})
    return commands


def _openai_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _atif_steps(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for turn in turns:
        if is_observation(turn):
            if not steps or steps[-1]["source"] != "agent":
                steps.append({"step_id": len(steps) + 1, "source": "system", "message": ""})
            step = steps[-1]
            known = {call["tool_call_id"] for call in step.get("tool_calls", ())}
            results = step.setdefault("observation", {"results": []})["results"]
            results.append(_atif_result(turn, known))
        else:
            steps.append({"step_id": len(steps) + 1, **_atif_step(turn)})
    return steps


def _atif_step(turn: Turn) -> dict[str, Any]:
    message = turn.message
    step: dict[str, Any] = {
        "source": "agent" if message.role == "assistant" else message.role,
        "message": valid(message.content),
        "extra": {"source": turn.source} if turn.source else None,
    }
    if message.thinking:
        step["reasoning_content"] = valid(message.thinking)
    if message.tool_calls:
        step["tool_calls"] = [_atif_call(call) for call in message.tool_calls]
    if is_drawn(turn):
        usage = turn.usage
        step["llm_call_count"] = max(usage.calls, 1)
        step["metrics"] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "extra": _atif_rest(usage),
        }
    elif message.role == "assistant":
        step["is_copied_context"] = True
    return _without_none(step)


def _atif_call(call: ToolCall) -> dict[str, Any]:
    told = {"tool_call_id": valid(call.id), "function_name": valid(call.name)}
    arguments = arguments_of(call)
    if arguments is None:
        return told | {"arguments": {}, "extra": {"malformed_arguments": valid(call.arguments)}}
    return told | {"arguments": arguments}


def _atif_result(turn: Turn, known: set[str]) -> dict[str, Any]:
    name = valid(turn.message.tool_call_id)
    extra = _without_none(
        {
            "exit_code": turn.exit_code,
            "seconds": turn.seconds or None,
            "whole": valid(turn.whole) or None,
            "source": turn.source or None,
        }
    )
    told = {"content": valid(turn.message.content), "extra": extra}
    return told | ({"source_call_id": name} if name in known else {})


def _atif_rest(usage: Usage) -> dict[str, Any]:
    """Return the usage that ATIF has no fields for."""
    own = {"input_tokens", "cached_tokens", "output_tokens"}
    return {name: value for name, value in dataclasses.asdict(usage).items() if name not in own}


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def valid(text: str) -> str:
    """Return a text without halves of characters, which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
