"""What the configuration of a run says of its solvers, and how two configurations differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Arm = tuple[str, str]
"""A solver: its model, and what its samples are kept under as their strategy."""


def without(config: Mapping[str, Any], free: Sequence[str]) -> dict[str, Any]:
    """Return all fields but the free ones, which may change while a run goes on."""
    return {name: value for name, value in config.items() if name not in free}


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    """Say what differs, in tables field by field."""
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            yield from differences(was, is_now, f"{above}{name}: ")
        elif was != is_now:
            yield f"{above}{name} was {was!r} and is now {is_now!r}"


def strategies(config: Mapping[str, Any]) -> dict[Arm, str]:
    """Return the strategy of every solver: `loop`, also of one that is called otherwise."""
    settings = config.get("settings", {})
    return {
        (model, name): settings.get(f"{name} by {model}", {}).get("strategy", name)
        for model, name in config.get("arms", ())
    }


def prediction_names(config: Mapping[str, Any]) -> dict[Arm, str]:
    """Return what tells the solvers apart where there is only one field: the model, if it can.

    Of several solvers of a model each is MODEL__NAME, which SWE-bench takes for a file's name.
    """
    arms: list[Arm] = [(model, name) for model, name in config.get("arms", ())]
    solvers = Counter(model for model, _ in arms)
    return {
        (model, name): f"{model}__{name}" if solvers[model] > 1 else model for model, name in arms
    }
